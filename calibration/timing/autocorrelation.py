"""How many independent observations a series that remembers itself is worth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def autocorrelation(series: Array) -> Array:
    """Return the autocorrelation (N,) of a series (N,) at lags 0 to N - 1, by FFT; zeros but for lag 0 if constant."""
    centred = series - series.mean()
    size = 1 << (2 * len(series) - 1).bit_length()
    covariance = np.fft.irfft(np.abs(np.fft.rfft(centred, size)) ** 2, size)[: len(series)]
    if covariance[0] <= 0:
        return np.asarray(np.eye(1, len(series))[0])
    return np.asarray(covariance / covariance[0])


def correlation_time(series: Array) -> float:
    """Return how many samples of a series (N,) are worth one independent sample, at least 1.

    Integrated autocorrelation time with the window that ends at the fifth multiple of itself (Sokal 1997).
    """
    time = 1.0 + 2.0 * np.cumsum(autocorrelation(series)[1:])
    inside = np.arange(1, len(time) + 1) >= 5.0 * time
    end = int(np.argmax(inside)) if inside.any() else len(time) - 1
    return max(1.0, float(time[end])) if len(time) else 1.0


def common_count(first: Array, second: Array) -> float:
    """Return how many independent pairs two series (N,) hold, for the spread of their correlation (Bartlett 1946).

    Two unrelated series have a correlation with a standard deviation of one over the root of this number.
    """
    count = len(first)
    product = autocorrelation(first)[1:] * autocorrelation(second)[1:]
    taper = np.maximum(1.0 - np.arange(1, count) / (count / 4), 0.0)
    return float(np.clip(count / (1.0 + 2.0 * np.sum(product * taper)), 3.0, count))
