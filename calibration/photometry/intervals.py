"""Intervals of means, standard deviations and square roots, as `Estimate`."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from scipy import stats

from calibration.calibration_record import Finding
from calibration.estimate import Estimate
from calibration.photometry.frames import Array

CONFIDENCE = 0.95
# Noise of this standard deviation in grey levels, or less, rounds to one level nearly everywhere.
_HIDDEN = 0.4
_ROUNDING_STD = math.sqrt(1 / 12)


def of_mean(values: Array, unit: str, method: str, extra_std: float = 0.0) -> Estimate:
    """Return the mean of independent values (N,), two or more, with Student's interval.

    Args:
        values: independent.
        unit: of the values.
        method: how they were obtained.
        extra_std: standard deviation of an error that all of them share.
    """
    count = len(values)
    std = math.hypot(float(np.std(values, ddof=1)) / math.sqrt(count), extra_std)
    return of_student(float(np.mean(values)), std, count - 1, count, unit, method)


def of_student(value: float, std: float, freedom: int, count: int, unit: str, method: str) -> Estimate:
    """Return an estimate whose error over `std` has Student's distribution with these degrees of freedom."""
    half = float(stats.t.ppf(0.5 + CONFIDENCE / 2, max(freedom, 1))) * std
    return Estimate(value, value - half, value + half, CONFIDENCE, count, unit, method)


def of_spread(values: Array, unit: str, method: str, error_variance: float = 0.0, scale_std: float = 0.0) -> Estimate:
    """Return the standard deviation of independent normal values (N,), two or more, with the chi-square interval.

    Args:
        values: one a frame.
        unit: of the values.
        method: how they were obtained.
        error_variance: of measuring one value; it is taken off.
        scale_std: relative standard deviation of a factor that all values share.
    """
    freedom = len(values) - 1
    total = float(np.sum((values - values.mean()) ** 2))
    value = math.sqrt(max(total / freedom - error_variance, 0.0))
    tail = (1 - CONFIDENCE) / 2
    low = math.sqrt(max(total / float(stats.chi2.ppf(1 - tail, freedom)) - error_variance, 0.0))
    high = math.sqrt(max(total / float(stats.chi2.ppf(tail, freedom)) - error_variance, 0.0))
    if scale_std > 0 and value > 0:
        shared = float(stats.norm.ppf(1 - tail)) * scale_std
        # In logarithms the two errors are independent, and the ends are about as far away as each alone.
        low = value * math.exp(-math.hypot(math.log(value / max(low, 1e-3 * value)), shared))
        high = value * math.exp(math.hypot(math.log(high / value), shared))
    return Estimate(value, min(low, value), max(high, value), CONFIDENCE, len(values), unit, method)


def root_of(variance: Estimate, unit: str, method: str) -> Estimate:
    """Return the square root of an estimated variance; what is below 0 becomes 0."""
    value, low, high = (math.sqrt(max(v, 0.0)) for v in (variance.value, variance.low, variance.high))
    return Estimate(value, low, high, variance.confidence, variance.count, unit, method)


def noise_estimates(white: Estimate, grain: Estimate, method: str) -> tuple[dict[str, Estimate], tuple[Finding, ...]]:
    """Return `sensor.noise` and `sensor.grain` of estimated variances, grey levels squared, less 1/12 for rounding.

    Where all noise together is hidden by rounding, both intervals go from 0 to what rounding can hide, with a finding.
    """
    unit = "grey level of 255"
    noise, coarse = root_of(white, unit, method), root_of(grain, unit, method)
    found: tuple[Finding, ...] = ()
    if math.hypot(noise.value, coarse.value) < _HIDDEN:
        noise, coarse = (replace(e, low=0.0, high=max(e.high, _HIDDEN)) for e in (noise, coarse))
        what = f"noise is below {_HIDDEN} grey levels, where rounding hides it"
        found = (Finding("note", what, "take it for an upper limit"),)
    # The twelfth that is taken off is exact for noise of more than a third of a level only.
    noise, coarse = (replace(e, low=0.0, high=_ROUNDING_STD) if e.high < _ROUNDING_STD else e for e in (noise, coarse))
    return {"sensor.noise": noise, "sensor.grain": coarse}, found
