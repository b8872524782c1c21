"""The learning curve of the models on a page: errors by number of labelled frames, and what more would bring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.estimate import Estimate
from sim2real.gap.advice import Step
from sim2real.gap.forecast import LEVEL, forecast
from sim2real.gap.perception.harm import labelled_frames, on_target_alone
from sim2real.statistics import mean_estimate

Array = NDArray[np.float64]
_FACTORS = (2, 4)
_FIRST = 10


@dataclass(frozen=True)
class Point:
    """What was measured with one number of labelled frames.

    Attributes:
        labelled: frames.
        names: of the models, each a run.
        error: mean over runs and scored frames.
    """

    labelled: int
    names: tuple[str, ...]
    error: Estimate


@dataclass(frozen=True)
class Ahead:
    """A forecast.

    Attributes:
        labelled: frames.
        more: how many more than the largest number measured.
        error: with its prediction interval.
        gain: the error at the largest number measured less this one; the interval follows from that of the error.
    """

    labelled: int
    more: int
    error: Estimate
    gain: Estimate


@dataclass(frozen=True)
class Learning:
    """A curve of measured points and forecasts.

    Attributes:
        points: fewest frames first.
        ahead: at twice and four times the largest number; empty without a point.
        left_out: models that saw labels and are no run of the curve, each with the reason.
        command: what would give a point, or one more; its frames fit into the fitting side where that is possible.
    """

    points: tuple[Point, ...]
    ahead: tuple[Ahead, ...]
    left_out: tuple[tuple[str, str], ...]
    command: str


def learning(
    rows: Sequence[Mapping[str, Any]],
    errors: Sequence[Array],
    fell_back: Sequence[str],
    real: str,
    fitting: int,
    seed: int = 0,
) -> Learning:
    """Return the curve of the models that were fine-tuned, by how many labelled frames each saw.

    Several models of one number are runs of one point, whatever their strategy.

    Args:
        rows: one a model, with name, selection and trained_on as their cards say; the first is before adaptation.
        errors: (frames,) of each row, metres, on the same frames.
        fell_back: names of models that a guard kept as they were, which say nothing of labels.
        real: folder of the photographs and, where they are named, groups that are held out: words of a command.
        fitting: how many labelled frames may be fitted.
        seed: of the forecast.
    """
    runs: dict[int, list[tuple[str, Array]]] = {}
    left_out = []
    for row, of_row in zip(rows, errors, strict=True):
        labelled, found = labelled_frames(row["selection"]), of_row[np.isfinite(of_row)]
        if not labelled:
            continue
        if on_target_alone(row["trained_on"]):
            left_out.append((row["name"], "trained on photographs alone"))
        elif row["name"] in fell_back:
            left_out.append((row["name"], "a guard kept the model from simulation"))
        elif not len(found) or not found.mean() > 0:
            left_out.append((row["name"], "no error above 0 was measured"))
        else:
            runs.setdefault(labelled, []).append((row["name"], of_row))
    points = tuple(
        Point(k, tuple(name for name, _ in runs[k]), mean_estimate([e for _, e in runs[k]], "m")) for k in sorted(runs)
    )
    return Learning(points, _ahead(runs, seed), tuple(left_out), _command(rows[0]["name"], real, sorted(runs), fitting))


def _ahead(runs: Mapping[int, Sequence[tuple[str, Array]]], seed: int) -> tuple[Ahead, ...]:
    if not runs:
        return ()
    numbers = sorted(runs)
    table = np.full((max(map(len, runs.values())), len(numbers)), np.nan)
    for column, k in enumerate(numbers):
        table[: len(runs[k]), column] = [np.nanmean(e) for _, e in runs[k]]
    last = float(np.nanmean(table[:, -1]))
    found = []
    for factor in _FACTORS:
        error = forecast(numbers, table, factor * numbers[-1], "m", seed).error
        method = f"measured at {numbers[-1]} frames less the forecast"
        gain = Estimate(
            last - error.value, last - error.high, last - error.low, error.confidence, error.count, "m", method
        )
        found.append(Ahead(factor * numbers[-1], (factor - 1) * numbers[-1], error, gain))
    return tuple(found)


def _command(model: str, real: str, numbers: Sequence[int], fitting: int) -> str:
    """Return a command that adds a point: the first, or one at half or twice a number that there is."""
    if not numbers:
        frames = max(1, min(_FIRST, fitting))
    elif 2 * numbers[-1] <= fitting:
        frames = 2 * numbers[-1]
    else:
        frames = next((k for k in (numbers[0] // 2, numbers[-1] // 2) if k and k not in numbers), 2 * numbers[-1])
    return f"sim2real finetune --model {model} --real {real} --frames {frames} --out tuned{frames}"


def forecast_step(curve: Learning, model: str, real: str, fitting: int) -> Step | None:
    """Return the step of doubling the labelled frames, with what it costs; None without a forecast.

    Args:
        curve: of the models.
        model: to start from.
        real: as of `learning`.
        fitting: how many labelled frames may be fitted: what lies there already costs nothing.
    """
    if not curve.ahead:
        return None
    ahead, last = curve.ahead[0], curve.points[-1]
    new = min(ahead.more, max(0, ahead.labelled - fitting))
    cost = f"{new} of them still to be labelled" if new else "all of them labelled already"
    return Step(
        f"{'label' if new else 'use'} {ahead.more} more frames, {ahead.labelled} in place of {last.labelled} ({cost})",
        ahead.gain.value,
        (ahead.gain.low, ahead.gain.high),
        f"forecast with its {100 * LEVEL:.0f} % prediction interval: {ahead.error.method}",
        f"sim2real finetune --model {model} --real {real} --frames {ahead.labelled} --out tuned{ahead.labelled}",
        (ahead.error.value, ahead.error.low, ahead.error.high),
    )
