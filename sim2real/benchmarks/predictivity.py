"""Whether success in the source simulation tells success in the held-out one, over experts with stated faults.

Two sources are compared: the nominal world, in which success is easy to measure, and a randomized one, which also
asks of a policy what stations will.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.errors import InputError
from calibration.estimate import Estimate
from calibration.records import to_plain, write_json, write_text
from envs.standin import Station
from policies.evaluation import success_rate
from policies.scripted import make_expert
from policies.scripted.degraded import FAULTS, Degraded, Fault
from sim2real.benchmarks.config import BenchmarkConfig
from sim2real.gap.held_out import PolicyOutcomes, agreement, mean_success, policy_outcomes, source_successes
from sim2real.gap.policies.telling.plots import Spot, scatter_sheet
from sim2real.gap.predictivity import Predictivity
from sim2real.runs import system_info

_FIRST_SEED = 1000


def benchmark(config: BenchmarkConfig) -> str:
    """Run the benchmark, write its figures if asked to, as JSON and scatter plots beside it, and return them as text.

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
    nominal = policy_outcomes(makers, config.env, stations, config.episodes, _FIRST_SEED)
    randomized = source_successes(
        makers, config.env, config.episodes, _FIRST_SEED, None, config.randomization, config.strength
    )
    sources = {
        "nominal": nominal,
        f"{config.randomization}, strength {config.strength:g}": replace(nominal, source=randomized),
    }
    agreements = {name: agreement(outcomes) for name, outcomes in sources.items()}
    if config.out is not None:
        found = {
            "env": config.env,
            "episodes": config.episodes,
            "policies": _rates(sources),
            "sources": {
                name: {
                    "pooled": to_plain(asdict(pooled)),
                    "stations": {station: to_plain(asdict(one)) for station, one in single.items()},
                }
                for name, (pooled, single) in agreements.items()
            },
            "system": system_info(),
        }
        write_json(config.out, found)
        about = f"success of {len(nominal.policies)} policies in each source and in the held-out simulation"
        sheet = {name: _places(outcomes) for name, outcomes in sources.items()}
        write_text(config.out.with_suffix(".svg"), scatter_sheet(sheet, "predictivity", about))
    return _text(config, sources, agreements)


def _degraded(fault: Fault, env: Any) -> Degraded:
    return Degraded(make_expert(env), fault, 1)


def _places(outcomes: PolicyOutcomes) -> dict[str, list[Spot]]:
    """Return the spots of all policies over all stations, and at each of them."""
    source = [_wilson(one) for one in outcomes.source]
    overall = [mean_success(one) for one in outcomes.target]
    everywhere = [(e.value, e.low, e.high) for e in overall]
    places = {"all stations": everywhere}
    for k in range(len(outcomes.stations)):
        places[f"station {k}"] = [_wilson(one) for one in outcomes.target[:, k]]
    return {name: [Spot(a, b) for a, b in zip(source, target, strict=True)] for name, target in places.items()}


def _wilson(successes: NDArray[np.bool_]) -> tuple[float, float, float]:
    rate = success_rate(int(successes.sum()), len(successes))
    return rate.value, rate.low, rate.high


def _rates(sources: Mapping[str, PolicyOutcomes]) -> dict[str, dict[str, Any]]:
    one = next(iter(sources.values()))
    return {
        name: {
            "source": {source: float(outcomes.source[k].mean()) for source, outcomes in sources.items()},
            "stations": one.target[k].mean(axis=1).tolist(),
        }
        for k, name in enumerate(one.policies)
    }


def _text(
    config: BenchmarkConfig,
    sources: Mapping[str, PolicyOutcomes],
    agreements: Mapping[str, tuple[Predictivity, dict[str, Predictivity]]],
) -> str:
    lines = [
        f"{config.env}: {config.episodes} episodes in each source and at each of {config.stations} mild stations of "
        "the held-out simulation",
        "",
        f"| policy | {' | '.join(f'source, {name}' for name in sources)} | held-out simulation, mean | by station |",
        "|---|" + "---|" * (len(sources) + 2),
    ]
    for number, (name, rates) in enumerate(_rates(sources).items(), 1):
        stations = rates["stations"]
        each = " ".join(f"{r:.2f}" for r in stations)
        own = " | ".join(f"{r:.2f}" for r in rates["source"].values())
        lines.append(f"| {number}. {name} | {own} | {sum(stations) / len(stations):.2f} | {each} |")
    for name, (pooled, single) in agreements.items():
        lines += ["", f"source {name}, all stations: {_said(pooled)}"]
        lines += [f"{station}: {_said(one)}" for station, one in single.items()]
    return "\n".join(lines)


def _said(found: Predictivity) -> str:
    def shown(estimate: Estimate | None) -> str:
        return "-" if estimate is None else f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"

    return f"MMRV {shown(found.mmrv)}, Pearson {shown(found.pearson)}, Spearman {shown(found.spearman)}"
