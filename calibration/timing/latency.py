"""How long one stream lags behind another that shows the same motion."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline, PchipInterpolator
from scipy.ndimage import gaussian_filter1d

from calibration.calibration_record import CalibrationRecord, Finding
from calibration.errors import InputError
from calibration.estimate import Estimate
from calibration.timing.lag import LagFit, fit_lag
from calibration.timing.motion import Motion, paired

Array = NDArray[np.float64]
DelayPath = Literal["frames.delay_s", "observation.delay_s", "actuation.delay_s"]

_FEWEST = 20


def motion_delay(
    reference: Motion, delayed: Motion, target: DelayPath = "frames.delay_s", longest_s: float = 0.5
) -> CalibrationRecord:
    """Return how long `delayed` lags behind `reference`, from how much both move, whatever their units.

    The delay is that of the highest normalised cross-correlation of the amounts of motion. The denser stream's amount
    is summed over the very intervals of the sparser, so the blur of a difference between two pictures costs no delay,
    and neither stream is resampled. A constant amount for each sample and one for each second are fitted besides, as
    noise makes both. See `calibration.timing.lag` for the interval.

    Args:
        reference: such as a log of joints whose stamps are trusted.
        delayed: such as pictures of the robot.
        target: the world's path that the estimate is named after.
        longest_s: longest delay to try, either way.

    Raises:
        InputError: the streams overlap for too short a time.
    """
    is_reversed = len(reference.amount) / _span(reference.stamps_s) < len(delayed.amount) / _span(delayed.stamps_s)
    sparse, dense = (reference, delayed) if is_reversed else (delayed, reference)
    inside = _inside(sparse.stamps_s, dense.stamps_s, longest_s)
    inside = inside[:-1] & inside[1:]
    _check_overlap(int(inside.sum()), reference.name, reference.stamps_s, delayed.name, delayed.stamps_s, longest_s)
    start, end = sparse.stamps_s[:-1][inside], sparse.stamps_s[1:][inside]
    amount = sparse.amount[inside][:, None]
    if still := [m.name for m, a in ((sparse, amount), (dense, dense.amount)) if np.ptp(a) <= 1e-12 * np.max(a)]:
        return _record(None, f"{still[0]} does not move", target, reference.name, delayed.name, len(amount))
    path = PchipInterpolator(dense.stamps_s, dense.path())
    sign = -1.0 if is_reversed else 1.0

    def predict(lag: float) -> Array:
        return np.asarray(path(end - sign * lag) - path(start - sign * lag))[:, None]

    nuisance = np.column_stack([np.ones(len(start)), (end - start) - np.mean(end - start)])
    if np.std(end - start) < 1e-6 * np.mean(end - start):
        nuisance = nuisance[:, :1]
    return _search(predict, amount, nuisance, sparse.stamps_s, longest_s, target, reference.name, delayed.name)


def position_delay(
    reference_stamps_s: ArrayLike,
    reference: ArrayLike,
    delayed_stamps_s: ArrayLike,
    delayed: ArrayLike,
    target: DelayPath = "actuation.delay_s",
    longest_s: float = 0.5,
    names: tuple[str, str] = ("commanded", "measured"),
) -> CalibrationRecord:
    """Return how long positions lag behind others of the same columns, such as measured joints behind commanded ones.

    Least squares on positions interpolated at the stamps of the sparser log, with a scale and an offset for each
    column. Where a drive follows slowly, its time constant is part of the delay, and so is whatever else changes the
    shape of the curve: a motor's friction makes a delay between torques mean nothing.

    Args:
        reference_stamps_s: (N,), seconds.
        reference: positions (N,) or (N, D), rad or m.
        delayed_stamps_s: (M,), seconds, on the same clock.
        delayed: positions (M,) or (M, D).
        target: the world's path that the estimate is named after.
        longest_s: longest delay to try, either way.
        names: of the two logs, for errors and findings.

    Raises:
        InputError: a log is empty or not of equal lengths, a clock goes back, other columns, or too short an overlap.
    """
    first, wanted = paired(reference_stamps_s, reference, names[0])
    second, seen = paired(delayed_stamps_s, delayed, names[1])
    if wanted.shape[1] != seen.shape[1]:
        raise InputError(f"{names[1]} must have the {wanted.shape[1]} columns of {names[0]}, got {seen.shape[1]}")
    is_reversed = len(first) / _span(first) < len(second) / _span(second)
    (at, observed), (dense, values) = ((first, wanted), (second, seen))[:: 1 if is_reversed else -1]
    inside = _inside(at, dense, longest_s)
    _check_overlap(int(inside.sum()), names[0], first, names[1], second, longest_s)
    moves = (np.ptp(observed[inside], axis=0) > 0) & (np.ptp(values, axis=0) > 0)
    if not moves.any():
        return _record(None, "nothing moves", target, *names, int(inside.sum()))
    curve = _smooth(dense, values[:, moves])
    sign = -1.0 if is_reversed else 1.0

    def predict(lag: float) -> Array:
        return np.asarray(curve(at[inside] - sign * lag))

    nuisance = np.ones((int(inside.sum()), 1))
    return _search(predict, observed[inside][:, moves], nuisance, at, longest_s, target, *names)


def _search(
    predict: Callable[[float], Array],
    observed: Array,
    nuisance: Array,
    stamps: Array,
    longest_s: float,
    target: DelayPath,
    first: str,
    second: str,
) -> CalibrationRecord:
    period = float(np.median(np.diff(stamps)))
    fit = fit_lag(predict, observed, nuisance, longest_s, min(period / 3, longest_s / 20))
    problem = None
    if not fit.is_related:
        problem = (
            f"not enough common motion: the highest correlation is {fit.correlation:.2f}, and signals that have "
            f"nothing to do with each other reach {fit.needed_correlation:.2f}"
        )
    elif fit.at_end:
        problem = f"no delay within {longest_s:g} s: the correlation still grows at {fit.lag_s * 1e3:.0f} ms"
    elif fit.rival_s is not None:
        problem = (
            f"the motion repeats itself, so the delay may be {fit.lag_s * 1e3:.0f} ms or {fit.rival_s * 1e3:.0f} ms"
        )
    return _record(fit, problem, target, first, second, len(observed), period)


def _record(
    fit: LagFit | None,
    problem: str | None,
    target: DelayPath,
    first: str,
    second: str,
    count: int,
    period_s: float = 0.0,
) -> CalibrationRecord:
    source = f"{second} against {first}"
    findings: list[Finding] = []
    estimates: dict[str, Estimate] = {}
    if problem is not None:
        step = "record fast starts and stops at irregular times for ten seconds or more"
        findings.append(Finding("fault", f"{source}: {problem}", step))
    elif fit is not None:
        method = "highest normalised cross-correlation, delete-block jackknife"
        low, high = fit.lag_s - fit.half_s, fit.lag_s + fit.half_s
        estimates[target] = Estimate(fit.lag_s, low, high, 0.95, fit.count, "s", method)
        if not fit.is_long_enough:
            what = f"{source}: only about {fit.count} independent samples, so the interval may be too narrow"
            findings.append(Finding("warning", what, "record longer"))
        if fit.half_s > period_s:
            what = f"{source}: the delay is known to {fit.half_s * 1e3:.0f} ms, which is more than a sample's period"
            findings.append(Finding("warning", what, "record longer, or move faster"))
        if high < 0:
            what = f"{source}: the delay is {fit.lag_s * 1e3:.1f} ms, so {second} is ahead of {first}"
            findings.append(Finding("warning", what, "check that both are stamped by one clock"))
    quality = {} if fit is None else {"correlation": fit.correlation, "needed_correlation": fit.needed_correlation}
    return CalibrationRecord("timing", source, count, estimates, quality=quality, findings=tuple(findings))


def _smooth(stamps: Array, values: Array) -> CubicSpline:
    """Return a curve through values smoothed over one sample.

    Interpolated noise is smaller between samples than at them, which would draw the delay towards half a sample.
    """
    step = float(np.median(np.diff(stamps))) / 2
    grid = np.arange(stamps[0], stamps[-1] + step / 2, step)
    even = np.column_stack([np.interp(grid, stamps, column) for column in values.T])
    return CubicSpline(grid, gaussian_filter1d(even, 2.0, axis=0, mode="nearest"))


def _span(stamps: Array) -> float:
    return max(float(stamps[-1] - stamps[0]), 1e-12)


def _inside(stamps: Array, others: Array, longest_s: float) -> NDArray[np.bool_]:
    return np.asarray((stamps - longest_s >= others[0]) & (stamps + longest_s <= others[-1]))


def _check_overlap(count: int, first: str, one: Array, second: str, other: Array, longest_s: float) -> None:
    if count < _FEWEST:
        raise InputError(
            f"{second} must overlap {first} by {_FEWEST} samples with {longest_s:g} s on either side, got {count}: "
            f"{first} is {one[0]:.6g} to {one[-1]:.6g} s, {second} {other[0]:.6g} to {other[-1]:.6g} s; "
            "stamp both by one clock, record longer, or search shorter delays"
        )
