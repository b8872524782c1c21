"""What all methods of re-weighting share: checks, weights of mean 1, and how many samples they are worth."""

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
