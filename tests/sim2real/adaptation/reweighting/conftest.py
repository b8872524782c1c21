from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

Samples = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


@pytest.fixture
def gaussians() -> Callable[..., Samples]:
    """Return samples (N, 1) of N(0, 1) and (M, 1) of N(mean, std^2), and their densities' ratio (N,) at the first."""

    def samples(mean: float, std: float, n: int = 400, m: int = 300, seed: int = 0) -> Samples:
        rng = np.random.default_rng(seed)
        x, y = rng.normal(0, 1, (n, 1)), rng.normal(mean, std, (m, 1))
        ratio = np.exp(0.5 * x[:, 0] ** 2 - 0.5 * ((x[:, 0] - mean) / std) ** 2) / std
        return x, y, ratio

    return samples
