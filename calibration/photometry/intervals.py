"""Intervals of means, standard deviations and square roots, as `Estimate`."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from calibration.estimate import Estimate
from calibration.photometry.frames import Array

CONFIDENCE = 0.95


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
