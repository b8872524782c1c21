"""Whether success in the source simulation tells success in the held-out one, over experts with stated faults."""

from __future__ import annotations

import functools
from dataclasses import asdict
from typing import Any

from calibration.errors import InputError
from calibration.estimate import Estimate
from calibration.records import to_plain, write_json
from envs.standin import Station
from policies.scripted import make_expert
from policies.scripted.degraded import FAULTS, Degraded, Fault
from sim2real.configs import BenchmarkConfig
from sim2real.gap.held_out import PolicyOutcomes, agreement, policy_outcomes
from sim2real.gap.predictivity import Predictivity
from sim2real.runs import system_info

_FIRST_SEED = 1000


def benchmark(config: BenchmarkConfig) -> str:
    """Run the benchmark, write its figures if asked to, and return them as text.

    Raises:
        InputError: numbers that cannot be, MuJoCo is missing, or a file that exists.
    """
    if config.out is not None and config.out.exists():
        raise InputError(f"--out must be a new file, got {config.out}")
    if config.stations < 1 or config.episodes < 2:
        raise InputError(
            f"stations must be 1 or more and episodes 2 or more, got {config.stations} and {config.episodes}"
        )
    makers = {name: functools.partial(_degraded, fault) for name, fault in FAULTS.items()}
    stations = [Station(k, "mild") for k in range(config.stations)]
    outcomes = policy_outcomes(makers, config.env, stations, config.episodes, _FIRST_SEED)
    pooled, single = agreement(outcomes)
    if config.out is not None:
        found = {
            "env": config.env,
            "episodes": config.episodes,
            "policies": _rates(outcomes),
            "pooled": to_plain(asdict(pooled)),
            "stations": {name: to_plain(asdict(one)) for name, one in single.items()},
            "system": system_info(),
        }
        write_json(config.out, found)
    return _text(config, outcomes, pooled, single)


def _degraded(fault: Fault, env: Any) -> Degraded:
    return Degraded(make_expert(env), fault, 1)


def _rates(outcomes: PolicyOutcomes) -> dict[str, dict[str, Any]]:
    return {
        name: {"source": float(outcomes.source[k].mean()), "stations": outcomes.target[k].mean(axis=1).tolist()}
        for k, name in enumerate(outcomes.policies)
    }


def _text(
    config: BenchmarkConfig, outcomes: PolicyOutcomes, pooled: Predictivity, single: dict[str, Predictivity]
) -> str:
    lines = [
        f"{config.env}: {config.episodes} episodes in the source and at each of {config.stations} mild stations of the "
        "held-out simulation",
        "",
        "| policy | source | held-out simulation, mean | by station |",
        "|---|---|---|---|",
    ]
    for name, rates in _rates(outcomes).items():
        stations = rates["stations"]
        each = " ".join(f"{r:.2f}" for r in stations)
        lines.append(f"| {name} | {rates['source']:.2f} | {sum(stations) / len(stations):.2f} | {each} |")
    lines += ["", f"all stations: {_said(pooled)}"]
    lines += [f"{name}: {_said(one)}" for name, one in single.items()]
    return "\n".join(lines)


def _said(found: Predictivity) -> str:
    def shown(estimate: Estimate | None) -> str:
        return "-" if estimate is None else f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"

    return f"MMRV {shown(found.mmrv)}, Pearson {shown(found.pearson)}, Spearman {shown(found.spearman)}"
