"""Gaussian kernels exp(-||x - y||^2 / (2 s^2)) on arrays, and the usual choice of their bandwidth s."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist, pdist

# Of the rows among which the median distance is sought, at most so many are used.
_ROWS = 1000


def gaussian(x: NDArray[np.float64], y: NDArray[np.float64], bandwidth: float) -> NDArray[np.float64]:
    """Return the kernel matrix (N, M) of samples (N, D) and (M, D)."""
    squared: NDArray[np.float64] = cdist(x, y, "sqeuclidean")
    return np.exp(-squared / (2 * bandwidth**2))


def median_bandwidth(x: NDArray[np.float64], y: NDArray[np.float64], seed: int = 0) -> float:
    """Return the median distance between two different rows of both samples together; 1 where all are equal."""
    both = np.concatenate([x, y])
    if len(both) > _ROWS:
        both = both[np.random.default_rng(seed).choice(len(both), _ROWS, replace=False)]
    distances = pdist(both)
    distances = distances[distances > 0]
    return float(np.median(distances)) if len(distances) else 1.0
