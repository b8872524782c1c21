"""What all methods of re-weighting share: checks, weights of mean 1, how many samples they are worth, flattening."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def effective_sample_size(weights: ArrayLike) -> float:
    """Return how many equally weighted samples the weights are worth: (sum w)^2 / sum w^2 (Kong 1992).

    Raises:
        ValueError: a negative or non-finite weight, or none above 0.
    """
    w = np.asarray(weights, dtype=np.float64)
    if w.ndim != 1 or not np.isfinite(w).all() or (w < 0).any() or not w.sum() > 0:
        raise ValueError("effective_sample_size needs a list of finite weights of 0 or more, at least one above 0")
    scaled = w / w.max()
    return float(scaled.sum() ** 2 / (scaled**2).sum())


def checked(
    method: str, source: ArrayLike, target: ArrayLike, least: int = 2
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return samples (N, D) and (M, D) as float64.

    Raises:
        ValueError: other shapes, fewer than `least` rows, or a value that is not finite.
    """
    x, y = np.asarray(source, dtype=np.float64), np.asarray(target, dtype=np.float64)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or min(len(x), len(y)) < least:
        raise ValueError(
            f"{method} needs samples (N, D) and (M, D) with at least {least} rows each, got {x.shape} and {y.shape}"
        )
    for name, z in (("source", x), ("target", y)):
        if not np.isfinite(z).all():
            row = int(np.argmin(np.isfinite(z).all(axis=1)))
            raise ValueError(f"{method} needs finite values, got {z[row].tolist()} in row {row} of the {name}")
    return x, y


def with_mean_one(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return weights of 0 or more with mean 1; all 1 where none is above 0, since then nothing was learned."""
    positive = np.maximum(weights, 0.0)
    top = positive.max()
    if not top > 0:
        return np.ones_like(positive)
    scaled: NDArray[np.float64] = positive / top
    return scaled / float(scaled.mean())


def flattened(weights: ArrayLike, least: float) -> NDArray[np.float64]:
    """Return weights of mean 1 that are worth at least `least` samples: a power of the given ones, as high as goes.

    The power lies between 0, where all are equal, and 1, where nothing changes (Shimodaira 2000). Ratios of
    densities that hardly overlap otherwise leave a single sample to learn from. What weighs nothing counts as 1e-12 of
    the largest, so that it can come back.

    Args:
        weights: (N,), 0 or more, at least one above 0.
        least: effective sample size, at most N.

    Raises:
        ValueError: weights that `effective_sample_size` refuses, or `least` above N.
    """
    w = np.asarray(weights, dtype=np.float64)
    if effective_sample_size(w) >= least:
        return with_mean_one(w)
    if not least <= len(w):
        raise ValueError(f"flattened needs least of at most {len(w)}, the number of weights, got {least}")
    logs = np.log(np.maximum(w / w.max(), 1e-12))
    low, high = 0.0, 1.0
    # The effective sample size falls as the power grows.
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if effective_sample_size(np.exp(middle * logs)) >= least else (low, middle)
    return with_mean_one(np.exp(low * logs))
