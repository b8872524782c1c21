"""A covariance that can be inverted, from fewer samples than dimensions."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def ledoit_wolf(centred: ArrayLike) -> tuple[Array, float]:
    """Return the shrunk covariance (D, D) of centred samples (N, D), and how much it was shrunk, 0 to 1.

    The closed form of Ledoit and Wolf 2004, "A well-conditioned estimator for large-dimensional covariance matrices",
    section 3: `(1 - s) S + s m I` with S the sample covariance (divided by N), m its mean eigenvalue, and s the share
    of the dispersion of S around m I that is error.

    Raises:
        ValueError: no samples.
    """
    x = np.asarray(centred, dtype=np.float64)
    if x.ndim != 2 or not len(x):
        raise ValueError(f"ledoit_wolf needs samples (N, D), got shape {x.shape}")
    n, d = x.shape
    sample = x.T @ x / n
    mean = float(np.trace(sample)) / d
    dispersion = float(((sample - mean * np.eye(d)) ** 2).sum()) / d
    # The sum over samples of |x x' - S|^2 is that of |x|^4 less n |S|^2.
    error = (float(((x**2).sum(axis=1) ** 2).sum()) / n - float((sample**2).sum())) / (n * d)
    shrinkage = 1.0 if dispersion <= 0 else float(np.clip(error / dispersion, 0.0, 1.0))
    return (1 - shrinkage) * sample + shrinkage * mean * np.eye(d), shrinkage
