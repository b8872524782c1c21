"""Whether attribution finds what was planted at pretend stations, single causes and pairs, of seeing and of moving."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from calibration.errors import InputError
from calibration.records import to_plain, write_json
from envs.standin import Station
from envs.standin.station import NAME
from policies.checkpoint import load_checkpoint
from policies.device import pick_device
from policies.scripted import make_expert
from sim2real.benchmarks.config import BenchmarkConfig
from sim2real.gap.attribution import Attribution
from sim2real.gap.planted import attribute_station, seeing_causes
from sim2real.gap.planted_moving import ENGINE, attribute_behaviour, moving_causes
from sim2real.progress import progress
from sim2real.runs import system_info

# Pairs of each kind, how many of the first a pair must be among, and the first seeds of starts and of pairs' stations.
_PAIRS, _FIRST = 10, 3
_SEED, _PAIR_SEED = 1000, 100

Attribute = Callable[[Station, int], Attribution]


def benchmark(config: BenchmarkConfig) -> str:
    """Run the benchmark, write its figures if asked to, and return them as text.

    Every cause is planted once alone, and ten pairs of seeing and of moving; what is attributed is how far predictions,
    or tool and objects during a scripted expert's episodes, are from those at the station.

    Raises:
        InputError: numbers that cannot be, MuJoCo is missing, no model, or a file that exists.
    """
    if config.out is not None and config.out.exists():
        raise InputError(f"--out must be a new file, got {config.out}")
    if config.episodes < 2:
        raise InputError(f"episodes must be 2 or more, got {config.episodes}")
    if config.model is None:
        raise InputError("attribution needs --model, a run folder of pretrain, whose seeing is attributed")
    among = None if config.among == "nominal" else config.among
    kinds = {
        "seeing": (seeing_causes(), _seeing(config.model, config.device, config.episodes)),
        "moving": (moving_causes(), _moving(config.env, config.episodes)),
    }
    rows = []
    with progress("stations", sum(len(causes) + _PAIRS for causes, _ in kinds.values()), "stations") as advance:
        for kind, (causes, attribute) in kinds.items():
            for planted, seed in _planted(causes):
                found = attribute(Station.planted(planted, 1.0, seed, among), seed)
                rows.append({"kind": kind, **_row(planted, found)})
                advance(len(rows))
    result = {"simulation": NAME, "among": config.among, "rows": rows, "system": system_info()}
    if config.out is not None:
        write_json(config.out, to_plain(result))
    return _text(config, rows)


def _planted(causes: Sequence[str]) -> Iterator[tuple[tuple[str, ...], int]]:
    """Yield what is planted, and the seed of the station: each cause alone, then pairs that no one chose."""
    yield from (((cause,), k) for k, cause in enumerate(causes))
    rng = np.random.default_rng(len(causes))
    for k in range(_PAIRS):
        one, two = rng.choice(len(causes), 2, replace=False)
        yield (causes[one], causes[two]), _PAIR_SEED + k


def _seeing(folder: Path, device_name: str, frames: int) -> Attribute:
    device = pick_device(device_name)
    model, card = load_checkpoint(folder, device)
    if card.spec.head != "keypoints":
        raise InputError(f"{folder} must be a keypoint model, got {card.spec.head}")
    return lambda station, seed: attribute_station(model, card.rig, station, frames, seed, device, measure="difference")


def _moving(env: str, episodes: int) -> Attribute:
    return lambda station, seed: attribute_behaviour(make_expert, env, station, episodes, _SEED)


def _row(planted: Sequence[str], found: Attribution) -> dict[str, Any]:
    """Return what was found; ranks count from 1 and leave the engine out, which no station's file can mend."""
    causes = [s for s in found.shares if s.group != ENGINE]
    ranks = {s.group: k + 1 for k, s in enumerate(causes)}
    explained = {s.group: s.explained for s in causes}
    first = 1 if len(planted) == 1 else _FIRST
    return {
        "planted": list(planted),
        "ranks": [ranks[name] for name in planted],
        "explained": [to_plain(explained[name]) for name in planted],
        "gap": to_plain(found.gap),
        "engine": next((to_plain(s.explained) for s in found.shares if s.group == ENGINE), None),
        "first": [{"group": s.group, "explained": s.explained.value} for s in causes[:_FIRST]],
        "found": all(ranks[name] <= first and explained[name].value > 0 for name in planted),
    }


def _text(config: BenchmarkConfig, rows: Sequence[dict[str, Any]]) -> str:
    lines = [
        f"{NAME}, planted causes of size 1, all others {config.among}; distance from what happens there, cm; "
        f"{config.episodes} pictures or episodes",
        "",
        "| kind | planted | rank | explained | of the whole | engine | found |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        each = ", ".join(
            f"{100 * e['value']:.2f} [{100 * e['low']:.2f}, {100 * e['high']:.2f}]" for e in row["explained"]
        )
        ranks, engine = ", ".join(map(str, row["ranks"])), row["engine"]
        lines.append(
            f"| {row['kind']} | {', '.join(row['planted'])} | {ranks} | {each} | {100 * row['gap']['value']:.2f} | "
            f"{'' if engine is None else format(100 * engine['value'], '.2f')} | {'yes' if row['found'] else 'no'} |"
        )
    for name, size in (("single causes ranked first", 1), ("pairs both among the first three", 2)):
        chosen = [row for row in rows if len(row["planted"]) == size]
        of_kind = {kind: [r["found"] for r in chosen if r["kind"] == kind] for kind in ("seeing", "moving")}
        parts = [f"{sum(found)} of {len(found)} of {kind}" for kind, found in of_kind.items()]
        lines += ["", f"{name}: {sum(r['found'] for r in chosen)} of {len(chosen)} ({', '.join(parts)})"]
    return "\n".join(lines)


def _shown(explained: dict[str, float]) -> str:
    value, low, high = (100 * explained[key] for key in ("value", "low", "high"))
    return f"{value:.2f} [{low:.2f}, {high:.2f}]"
