"""The result of a measurement of policies as plain data, the same for the same inputs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from calibration.estimate import Estimate
from calibration.records import to_plain
from calibration.rig import Rig
from calibration.world import WorldParams, paths
from envs.standin.station import NAME, Station
from sim2real.environments import make_environment
from sim2real.gap.held_out import PolicyOutcomes, agreement
from sim2real.gap.policies.curves import Curve
from sim2real.gap.policies.kept import FORMAT
from sim2real.gap.policies.playing.actors import Contender
from sim2real.gap.policies.playing.strips import Strip
from sim2real.gap.policies.table import Played, policy_row, worst_station
from sim2real.gap.policies.telling.verdict import as_plain, next_steps, verdict
from sim2real.gap.policies.worst import CauseAlone
from sim2real.gap.protocol import Protocol
from sim2real.policy_configs import PolicyGapConfig

_FEWEST_RANKED = 3


@dataclass(frozen=True, eq=False)
class Scene:
    """Where policies act.

    Attributes:
        env_id: of the source environment.
        rig: with the task's bodies.
        nominal: its world.
        step_limit: of an episode.
        threshold_m: below which the goal is reached.
    """

    env_id: str
    rig: Rig
    nominal: WorldParams
    step_limit: int
    threshold_m: float


@dataclass(frozen=True, eq=False)
class SingleCauses:
    """What the first policy does with one hidden cause at a time.

    Attributes:
        curves: of robustness.
        worst: what the causes of its worst station cost it alone, the largest loss first.
        engine: what the held-out simulation costs it with nothing hidden; None where nothing of this was played.
    """

    curves: Sequence[Curve]
    worst: Sequence[CauseAlone]
    engine: Estimate | None


@dataclass(frozen=True, eq=False)
class Measurement:
    """All that was played.

    Attributes:
        contenders: the policies.
        stations: of the held-out simulation.
        played: for each policy its episodes as it acts, and with the true state where it has an eye.
        single: one cause at a time.
        strips: of the first policy at its worst station.
    """

    contenders: Sequence[Contender]
    stations: Sequence[Station]
    played: Sequence[tuple[Played, Played | None]]
    single: SingleCauses
    strips: Sequence[Strip]


def scene_of(config: PolicyGapConfig) -> Scene:
    """Return where policies act.

    Raises:
        InputError: no such environment or rig.
    """
    env = make_environment(config.env, config.rig)
    try:
        world: Any = env.unwrapped
        limit, threshold = int(env.spec.max_episode_steps), float(world.task.threshold_m)
        return Scene(env.spec.id, world.rig, world.task.nominal_world(), limit, threshold)
    finally:
        env.close()


def result_of(config: PolicyGapConfig, scene: Scene, measured: Measurement) -> dict[str, Any]:
    """Return everything as plain data, with the verdict and what to do next."""
    stations, contenders = measured.stations, measured.contenders
    rows = [
        policy_row(c.name, c.acting.sight, acting, knowing, scene.step_limit, config.seed)
        for c, (acting, knowing) in zip(contenders, measured.played, strict=True)
    ]
    hidden: list[dict[str, Any]] = [to_plain(s.hidden(scene.rig, scene.nominal)) for s in stations]
    known = paths(scene.nominal)
    changed = {p for own in hidden for values in own.values() for p in values}
    changed |= {p for c in measured.single.curves for p in c.values}
    k = worst_station(measured.played[0][0])
    result = {
        "format": FORMAT,
        "version": 1,
        "simulation": NAME,
        "env": scene.env_id,
        "rig": scene.rig.name,
        "source": config.randomization or "nominal",
        "difficulty": config.difficulty,
        "protocol": _protocol(config, scene, hidden).to_plain(),
        "policies": rows,
        "stations": [
            {"station": s.name, "sizes": {c: v for c, v in s.sizes().items() if c in own}, "hidden": own}
            for s, own in zip(stations, hidden, strict=True)
        ],
        "nominal": {p: to_plain(known[p]) for p in sorted(changed)},
        "worst": {
            "station": stations[k].name,
            "success": rows[0]["stations"][k]["success"],
            "drop": rows[0]["stations"][k]["drop"],
            "causes": to_plain(measured.single.worst),
        },
        "engine": to_plain(measured.single.engine),
        "agreement": _agreement(measured, config.seed),
        "curves": to_plain(measured.single.curves),
        "strips": {
            "policy": contenders[0].name,
            "station": stations[k].name,
            "threshold_m": scene.threshold_m,
            "episodes": [_plain_strip(s) for s in measured.strips],
        },
        "settings": {"episodes": config.episodes, "curve_episodes": config.curve_episodes, "seed": config.seed},
    }
    result["verdict"], result["next"] = verdict(result), as_plain(next_steps(result))
    return result


def _protocol(config: PolicyGapConfig, scene: Scene, hidden: Sequence[dict[str, Any]]) -> Protocol:
    digest = hashlib.sha256(json.dumps(hidden, sort_keys=True).encode()).hexdigest()
    return Protocol(
        "held-out simulation",
        "success rate",
        f"source {config.randomization or 'nominal'}, rig {scene.rig.name}; {len(hidden)} {config.difficulty} stations "
        f"of the {NAME}, from number 0, with the hidden values {digest[:16]}",
        environment=scene.env_id,
        episode_seeds=tuple(range(config.seed, config.seed + config.episodes)),
        step_limit=scene.step_limit,
    )


def _agreement(measured: Measurement, seed: int) -> dict[str, Any] | None:
    if len(measured.contenders) < _FEWEST_RANKED:
        return None
    found = [acting.successes() for acting, _ in measured.played]
    outcomes = PolicyOutcomes(
        tuple(c.name for c in measured.contenders),
        np.stack([source for source, _ in found]),
        np.stack([target for _, target in found]),
        tuple(measured.stations),
    )
    pooled, single = agreement(outcomes, seed)
    return {"all": asdict(pooled), "stations": {name: asdict(one) for name, one in single.items()}}


def _plain_strip(strip: Strip) -> dict[str, Any]:
    return {
        "seed": strip.seed,
        "success": strip.success,
        "steps": strip.steps,
        "shown": list(strip.shown),
        "distances_m": [round(d, 6) for d in strip.distances_m],
    }
