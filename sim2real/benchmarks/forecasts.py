"""Whether forecasts of the error with twice the labelled frames hold, over runs of `sim2real sweep`."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from calibration.errors import InputError
from calibration.estimate import Estimate
from calibration.records import read_json, to_plain, write_json
from policies.evaluation import success_rate
from sim2real.benchmarks.config import BenchmarkConfig
from sim2real.gap.forecast import LEVEL, forecast
from sim2real.runs import system_info

# One learning curve: folder of the sweep, chain, camera aligned or not, strategy, seed.
Curve = tuple[str, str, bool, str, int]


@dataclass(frozen=True)
class Case:
    """One forecast and what was measured.

    Attributes:
        curve: whose.
        known: numbers of labelled frames whose errors the forecast was given.
        wanted: twice the largest of them.
        predicted: error, metres.
        measured: error, metres.
    """

    curve: Curve
    known: tuple[int, ...]
    wanted: int
    predicted: Estimate
    measured: float

    @property
    def holds(self) -> bool:
        """Whether the measured error lies in the interval."""
        return self.predicted.low <= self.measured <= self.predicted.high


def benchmark(config: BenchmarkConfig) -> str:
    """Run the benchmark, write its figures if asked to, and return them as text.

    Raises:
        InputError: no sweeps, none with a number of frames and its double, or a file that exists.
    """
    if config.out is not None and config.out.exists():
        raise InputError(f"--out must be a new file, got {config.out}")
    curves: dict[Curve, dict[int, float]] = {}
    for folder in config.sweeps:
        curves |= read_curves(folder)
    cases = [case for curve, errors in sorted(curves.items()) for case in forecasts(curve, errors)]
    if not cases:
        raise InputError(
            "forecasts need --sweeps, folders of `sim2real sweep` with a number of labelled frames and its double in "
            f"--budgets, such as 5 10 20; found {len(curves)} curves and none of that"
        )
    if config.out is not None:
        plain = [{**to_plain(asdict(case)), "holds": case.holds} for case in cases]
        write_json(config.out, {"level": LEVEL, "cases": plain, "system": system_info()})
    return _text(cases)


def read_curves(folder: Path) -> dict[Curve, dict[int, float]]:
    """Return the mean error, metres, by number of labelled frames, of every fine-tuned run of a sweep.

    Raises:
        InputError: the folder is not of a sweep.
    """
    files = sorted((folder / "scores").glob("*.json"))
    if not files:
        raise InputError(f"sweeps must be folders of `sim2real sweep`, got {folder} without scores")
    found: dict[Curve, dict[int, float]] = defaultdict(dict)
    for file in files:
        record = read_json(file)
        if record["budget"] > 0 and "failed" not in record:
            curve = folder.name, record["chain"], "-published" not in file.name, record["strategy"], record["seed"]
            error = float(np.mean([score["error"] for score in record["scores"]]))
            if math.isfinite(error):
                found[curve][record["budget"]] = error
    return dict(found)


def forecasts(curve: Curve, errors: Mapping[int, float]) -> Iterator[Case]:
    """Yield a forecast for each number of frames whose half was measured, from that half and all below it."""
    for wanted in sorted(errors):
        known = tuple(sorted(n for n in errors if 2 * n <= wanted))
        if known and 2 * known[-1] == wanted:
            predicted = forecast(known, [errors[n] for n in known], wanted, "m").error
            yield Case(curve, known, wanted, predicted, errors[wanted])


def _text(cases: Sequence[Case]) -> str:
    lines = [
        f"measured error with twice the labelled frames inside the {100 * LEVEL:.0f} % prediction interval",
        "",
        "| sweep | strategy | curves | cases | inside | below | above | width, of the forecast |",
        "|---|---|---|---|---|---|---|---|",
    ]
    rows: dict[tuple[str, str], list[Case]] = defaultdict(list)
    for case in cases:
        rows[case.curve[0], case.curve[3]].append(case)
    for (sweep, strategy), some in [*sorted(rows.items()), (("all", ""), list(cases))]:
        below = sum(c.measured < c.predicted.low for c in some)
        above = sum(c.measured > c.predicted.high for c in some)
        width = np.median([(c.predicted.high - c.predicted.low) / c.predicted.value for c in some])
        inside = success_rate(sum(c.holds for c in some), len(some))
        share = f"{100 * inside.value:.0f} % [{100 * inside.low:.0f}, {100 * inside.high:.0f}]"
        lines.append(
            f"| {sweep} | {strategy} | {len({c.curve for c in some})} | {len(some)} | {share} | {below} | {above} | "
            f"{width:.2f} |"
        )
    return "\n".join(lines)
