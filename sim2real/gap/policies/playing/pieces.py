"""Episodes of one policy at one place, kept as a file so that an interrupted measurement goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibration.records import from_plain, read_json, write_json
from envs.standin.station import Station
from policies.evaluation import EpisodeRecord, run_episodes
from sim2real.environments import make_environment
from sim2real.gap.held_out import at_stations
from sim2real.gap.policies.playing.actors import Actor
from sim2real.policy_configs import PolicyGapConfig

SOURCE = "source"


@dataclass(frozen=True)
class Episodes:
    """What happened, in the order of the seeds.

    Attributes:
        place: the source, or the station's name.
        seeds: of the episodes.
        success: whether the goal was reached.
        returns: sums of rewards.
        steps: of the episodes; of one that succeeded, until it did.
    """

    place: str
    seeds: tuple[int, ...]
    success: tuple[bool, ...]
    returns: tuple[float, ...]
    steps: tuple[int, ...]

    def succeeded(self) -> NDArray[np.bool_]:
        """Return successes (E,)."""
        return np.array(self.success, np.bool_)

    def steps_to_success(self) -> NDArray[np.float64]:
        """Return steps (E,), NaN for episodes that failed."""
        return np.where(self.succeeded(), np.array(self.steps, np.float64), np.nan)


def episodes_of(
    config: PolicyGapConfig,
    one: Actor,
    station: Station | None,
    count: int,
    file: Path,
    advance: Callable[[int], None] = lambda done: None,
) -> Episodes:
    """Return the episodes of a policy at a place; read from the file if they are there, else written to it.

    Args:
        config: names environment, rig, randomization and first seed.
        one: the policy.
        station: of the held-out simulation; None for the source.
        count: of the episodes.
        file: for them.
        advance: is told how many are done.

    Raises:
        InputError: a policy or setting that does not fit, or a file of something else.
    """
    if file.is_file():
        advance(count)
        return from_plain(Episodes, read_json(file), str(file))
    if station is None:
        records = _in_source(config, one, count, advance)
    else:
        (result,) = at_stations(
            lambda env: one.make(env, 0),
            config.env,
            [station],
            count,
            config.seed,
            config.rig,
            advance=advance,
            **one.kwargs,
        )
        records = list(result.records)
    found = Episodes(
        SOURCE if station is None else station.name,
        tuple(r.seed for r in records),
        tuple(r.success for r in records),
        tuple(r.total for r in records),
        tuple(r.steps for r in records),
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    write_json(file, found)
    return found


def _in_source(config: PolicyGapConfig, one: Actor, count: int, advance: Callable[[int], None]) -> list[EpisodeRecord]:
    env = make_environment(config.env, config.rig, config.randomization, **one.kwargs)
    records: list[EpisodeRecord] = []
    try:
        policy = one.make(env, 0)
        for k in range(count):
            records += run_episodes(policy, env, [config.seed + k])
            advance(k + 1)
    finally:
        env.close()
    return records
