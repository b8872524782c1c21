"""The Fréchet distance between Gaussians, as of FID."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from sim2real.advice.arrays import Floats, rows, two_samples


@dataclass(frozen=True)
class FrechetDistance:
    """A Fréchet distance of two sets of features.

    Attributes:
        value: squared 2-Wasserstein distance of the Gaussians fitted to them, 0 or more.
        warning: why it is too large, None where there are enough frames.
    """

    value: float
    warning: str | None


def fid(first: ArrayLike, second: ArrayLike) -> FrechetDistance:
    """Return |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^1/2) of two sets of features (Heusel et al. 2017).

    It is biased upwards with few frames, by an amount that depends on the features (Chong and Forsyth 2020); use `kid`
    for such sets. The name is FID only with Inception's features.

    Args:
        first: (N, D).
        second: (M, D).

    Raises:
        ValueError: other shapes, fewer than two frames, or values that are not finite.
    """
    a, b = two_samples(first, second)
    value = _frechet(a.mean(axis=0), _root(a), b.mean(axis=0), _root(b))
    fewest, needed = min(len(a), len(b)), 10 * a.shape[1]
    warning = None
    if fewest < needed:
        warning = f"biased upwards: {fewest} frames for {a.shape[1]} features, {needed} or more are needed"
    return FrechetDistance(value, warning)


def frechet_distance(mean1: ArrayLike, covariance1: ArrayLike, mean2: ArrayLike, covariance2: ArrayLike) -> float:
    """Return the squared Fréchet distance of two Gaussians (Dowson and Landau 1982).

    Args:
        mean1: (D,).
        covariance1: (D, D), symmetric, no eigenvalue below 0 but for rounding; it may be singular.
        mean2: (D,).
        covariance2: (D, D).

    Raises:
        ValueError: other shapes, or no covariance.
    """
    roots = []
    for covariance in (covariance1, covariance2):
        c = rows(covariance, "covariance")
        if c.shape[0] != c.shape[1] or not np.allclose(c, c.T, rtol=1e-6, atol=1e-9 * np.abs(c).max()):
            raise ValueError(f"covariance must be symmetric (D, D), got shape {c.shape}")
        values, vectors = np.linalg.eigh((c + c.T) / 2)
        if values[0] < -1e-6 * max(values[-1], 0.0):
            raise ValueError(f"covariance must have no eigenvalue below 0, got {values[0]:.3g}")
        roots.append(np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T)
    return _frechet(np.asarray(mean1, np.float64), roots[0], np.asarray(mean2, np.float64), roots[1])


def _root(features: Floats) -> Floats:
    """Return A of which A' A is the covariance, divided by N - 1."""
    return np.asarray((features - features.mean(axis=0)) / np.sqrt(len(features) - 1))


def _frechet(mean1: Floats, root1: Floats, mean2: Floats, root2: Floats) -> float:
    # With C1 = A'A and C2 = B'B, the eigenvalues of C1 C2 are the squared singular values of A B': no matrix square
    # root, which fails where a covariance is singular, as with fewer frames than features.
    together = np.linalg.svd(root1 @ root2.T, compute_uv=False).sum()
    value = ((mean1 - mean2) ** 2).sum() + (root1**2).sum() + (root2**2).sum() - 2 * together
    return max(float(value), 0.0)
