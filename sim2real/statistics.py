"""Turn errors into estimates with intervals that hold for few frames and few runs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import t

from calibration.estimate import Estimate

Array = NDArray[np.float64]
CONFIDENCE = 0.95


def mean_estimate(errors: ArrayLike, unit: str, signed: bool = False) -> Estimate:
    """Return the mean of errors with a 95 % interval for other frames and other runs.

    Student's interval with the variance of a mean over two crossed random effects, runs and frames: with the mean
    squares M of each and of the rest, (M_runs + M_frames - M_rest) / (runs frames), and Satterthwaite's (1946) degrees
    of freedom. Errors have long upper tails, so that of positive ones the interval is one of the logarithm of the mean
    (delta method), which is never below 0. Percentiles of a bootstrap are too narrow for few frames: of 20 with a
    skewed error they cover 91 %, this 93 to 95 %.

    Args:
        errors: (frames,), or (runs, frames) for several training runs scored on the same frames. NaN: not scored.
        unit: of the errors.
        signed: they are differences, whose mean may lie on either side of 0 even where all of them are above it.

    Raises:
        ValueError: nothing to average.
    """
    table = np.atleast_2d(np.asarray(errors, dtype=np.float64))
    table = table[np.isfinite(table).any(axis=1)][:, np.isfinite(table).any(axis=0)]
    if not table.size:
        raise ValueError("mean_estimate needs at least one finite error, got none")
    mean = float(np.nanmean(table))
    variance, freedom = _variance_of_mean(table)
    half = float(t.ppf(0.5 + CONFIDENCE / 2, freedom) * np.sqrt(variance))
    method = "Student's t over frames" + (" and runs" if len(table) > 1 else "")
    if not signed and np.nanmin(table) > 0:
        # Where half a width is as large as the mean, exp of their ratio would say more than anybody knows.
        ratio = min(half / mean, 5.0)
        low, high = mean * np.exp(-ratio), mean * np.exp(ratio)
        method += ", of the logarithm"
    else:
        low, high = mean - half, mean + half
    return Estimate(mean, min(float(low), mean), max(float(high), mean), CONFIDENCE, table.shape[1], unit, method)


def ratio_interval(part: ArrayLike, whole: ArrayLike) -> tuple[float, float] | None:
    """Return the 95 % interval of the ratio of two means of paired differences, by Fieller (1954).

    It holds every ratio r for which the mean of part - r whole may be 0 by `mean_estimate`. None where the mean of
    `whole` may be 0 itself: then no ratio can be excluded.

    Args:
        part: (frames,) or (runs, frames).
        whole: of the same shape, of the same frames and runs.
    """
    a, b = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    of_whole = mean_estimate(b, "1", signed=True)
    if of_whole.low <= 0.0 <= of_whole.high:
        return None
    middle = float(np.nanmean(a) / np.nanmean(b))

    def inside(ratio: float) -> bool:
        found = mean_estimate(a - ratio * b, "1", signed=True)
        # Rounding must not exclude the ratio of the means where nothing scatters.
        return found.low <= 1e-12 * abs(of_whole.value) and found.high >= -1e-12 * abs(of_whole.value)

    return _edge(inside, middle, -1.0), _edge(inside, middle, 1.0)


def _edge(inside: Callable[[float], bool], middle: float, sign: float) -> float:
    """Return how far from a point inside an interval one gets in one direction."""
    near, step = 0.0, 1e-6
    while inside(middle + sign * step) and step < 1e6:
        near, step = step, 2 * step
    far = step
    for _ in range(40):
        between = (near + far) / 2
        near, far = (between, far) if inside(middle + sign * between) else (near, between)
    return middle + sign * near


def _variance_of_mean(table: Array) -> tuple[float, float]:
    """Return the variance of the mean of a table (runs, frames) and its degrees of freedom.

    A table with gaps is taken as a smaller one without: its mean squares are exact only for whole tables.
    """
    mean = np.nanmean(table)
    of_run, of_frame = np.nanmean(table, axis=1), np.nanmean(table, axis=0)
    runs, frames = table.shape
    cells = int(np.isfinite(table).sum())
    each_frame, each_run = cells / frames, cells / runs
    if frames == 1 and runs == 1:
        return 0.0, 1.0
    squares, freedoms = [], []
    for means, each in ((of_frame, each_frame), (of_run, each_run)):
        if len(means) > 1:
            squares.append(each * float(((means - mean) ** 2).sum()) / (len(means) - 1))
            freedoms.append(len(means) - 1)
    free = cells - runs - frames + 1
    if len(squares) == 2 and free > 0:
        rest = table - of_run[:, None] - of_frame + mean
        square = float(np.nansum(rest**2)) / free
        total = sum(squares) - square
        if total > square:
            freedom = total**2 / max(
                sum(s**2 / f for s, f in zip((*squares, square), (*freedoms, free), strict=True)), 1e-300
            )
            return total / cells, max(freedom, 1.0)
        return square / cells, float(free)
    total = sum(squares)
    freedom = total**2 / max(sum(s**2 / f for s, f in zip(squares, freedoms, strict=True)), 1e-300)
    return total / cells, max(freedom, 1.0)


def describe(errors: ArrayLike, unit: str) -> dict[str, object]:
    """Return mean, median, 90th percentile, interval (None for a single error), number of frames and unit of errors."""
    table = np.atleast_2d(np.asarray(errors, dtype=np.float64))
    if not np.isfinite(table).any():
        nothing = {"mean": None, "median": None, "p90": None, "interval": None}
        return {**nothing, "confidence": CONFIDENCE, "frames": 0, "runs": len(table), "unit": unit}
    estimate = mean_estimate(table, unit)
    return {
        "mean": estimate.value,
        "median": float(np.nanmedian(table)),
        "p90": float(np.nanpercentile(table, 90)),
        "interval": [estimate.low, estimate.high] if np.isfinite(table).sum() > 1 else None,
        "confidence": estimate.confidence,
        "frames": estimate.count,
        "runs": len(table),
        "unit": unit,
    }
