"""What more labelled frames would bring: a power law through measured errors, with a prediction interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibration.errors import InputError
from calibration.estimate import Estimate

Array = NDArray[np.float64]
LEVEL = 0.8
_SAMPLES = 40_000
# Exponents of learning curves lie below this in nearly all of what is published (Hestness 2017, Rosenfeld 2020).
_STEEPEST = 1.0
# How far curves of a few frames are from any power law, in logarithms, beyond what runs differ by.
_MISFIT = 0.05
# How much runs scatter where no number of frames has two, in logarithms: evenly in its own logarithm. Its upper end was
# chosen on held-out simulations, of 0.1, 0.15 and 0.2.
_ONE_RUN = (0.02, 0.15)


@dataclass(frozen=True)
class Forecast:
    """The expected error with more labelled frames.

    Attributes:
        frames: number of labelled frames.
        error: predicted, with the interval in which a measurement will lie at `LEVEL`.
        gain: by how much less than at the largest number measured; its interval includes none or harm.
    """

    frames: int
    error: Estimate
    gain: float


def forecast(frames: ArrayLike, errors: ArrayLike, wanted: int, unit: str, seed: int = 0) -> Forecast:
    """Return the predicted error with `wanted` labelled frames.

    The curve is a + b n^-c (a floor and a power law: Rosenfeld et al. 2020, Hestness et al. 2017). With the two to
    five points that a small lab has it cannot be fitted, so it is averaged over: floors evenly from 0 to the last
    error and exponents evenly from 0 to 1 are weighted by how well they fit the logarithms of the errors, and the
    interval adds how much single runs scatter, which is averaged over where no number of frames has two. With one point
    only these ranges speak.

    Args:
        frames: numbers of labelled frames (B,), each above 0, rising.
        errors: mean errors (B,), or (runs, B), of runs that drew other labelled frames; NaN where a number has fewer
            runs than others. A measurement to come is taken to have as many runs as the last number.
        wanted: number to predict for, above the largest measured.
        unit: of the errors.
        seed: of the sampling.

    Raises:
        InputError: no points, numbers that do not rise, errors that are not positive, or `wanted` not above them.
    """
    n = np.asarray(frames, dtype=np.float64)
    table = np.atleast_2d(np.asarray(errors, dtype=np.float64))
    if n.ndim != 1 or not len(n) or table.shape[1] != len(n) or (np.diff(n) <= 0).any() or n[0] <= 0:
        raise InputError(f"a forecast needs rising numbers of frames and an error for each, got {n} and {table.shape}")
    there = ~np.isnan(table)
    runs = there.sum(axis=0)
    if not runs.all() or not (np.isfinite(table[there]).all() and (table[there] > 0).all()):
        raise InputError("a forecast needs errors above 0, got one that is not")
    if wanted <= n[-1]:
        raise InputError(f"a forecast must be for more than the {n[-1]:g} frames measured, got {wanted}")
    rng = np.random.default_rng(seed)
    logs = np.log(table)
    level = np.nanmean(logs, axis=0)
    floor = rng.uniform(0.0, 1.0, _SAMPLES)
    exponent = rng.uniform(0.0, _STEEPEST, _SAMPLES)
    # Relative to the last point: floor + (1 - floor) (n / last)^-c, times a level that the points decide.
    shape = np.log(floor[:, None] + (1 - floor[:, None]) * (n / n[-1]) ** -exponent[:, None])
    spread = np.hypot(_scatter(logs, rng)[:, None] / np.sqrt(runs), _MISFIT)
    certainty = spread**-2
    height = ((level - shape) * certainty).sum(axis=1) / certainty.sum(axis=1)
    misfit = ((level - shape - height[:, None]) ** 2 * certainty).sum(axis=1)
    # The level is fitted, so one point says nothing of the others' likelihood.
    likelihood = -0.5 * misfit - np.log(spread).sum(axis=1) - 0.5 * np.log(certainty.sum(axis=1))
    weight = np.exp(likelihood - likelihood.max())
    drawn = rng.choice(_SAMPLES, _SAMPLES, p=weight / weight.sum())
    certainty, spread = certainty[drawn], spread[drawn]
    uncertain = rng.normal(0.0, 1.0, _SAMPLES) * certainty.sum(axis=1) ** -0.5
    mean = np.log(floor[drawn] + (1 - floor[drawn]) * (wanted / n[-1]) ** -exponent[drawn]) + height[drawn] + uncertain
    measured = mean + rng.normal(0.0, 1.0, _SAMPLES) * spread[:, -1]
    low, middle, high = np.exp(np.quantile(measured, [(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2]))
    method = f"power law with a floor, averaged; {len(n)} points of {runs.sum()} runs"
    error = Estimate(float(middle), float(low), float(high), LEVEL, len(n), unit, method)
    return Forecast(wanted, error, float(np.nanmean(table[:, -1]) - middle))


def _scatter(logs: Array, rng: np.random.Generator) -> Array:
    """Return draws of the standard deviation between runs; of single runs from a range that the fit then narrows."""
    freedom = (~np.isnan(logs)).sum() - logs.shape[1]
    if not freedom:
        low, high = np.log(_ONE_RUN)
        return np.asarray(np.exp(rng.uniform(low, high, _SAMPLES)))
    return np.full(_SAMPLES, np.sqrt(np.nansum((logs - np.nanmean(logs, axis=0)) ** 2) / freedom))
