"""LogME: the evidence that a linear model of the features gives to the labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from sim2real.advice.arrays import Floats, paired

# The ratio of the two precisions is looked for between these, relative to the largest squared singular value: beyond
# them the evidence does not change, or the labels are fitted to rounding.
_LOWEST, _HIGHEST, _STARTS = 1e-10, 1e10, 81
_ITERATIONS, _TOLERANCE = 10_000, 1e-13


def log_me(features: ArrayLike, labels: ArrayLike) -> float:
    """Return the largest log evidence per sample of a Bayesian linear regression, in nats, mean over label columns.

    Weights w ~ N(0, 1/alpha) and noise of precision beta; both are those of the largest evidence, found by MacKay's
    fixed point from the best of a grid of starts, since the evidence can have several maxima (You et al. 2021,
    "LogME"). There is no intercept: centre features and labels to have one. Scaling or
    rotating features changes nothing; labels times c change it by -log c.

    Args:
        features: (N, D).
        labels: (N, L) or (N,).

    Raises:
        ValueError: other shapes, fewer than two rows, or values that are not finite.
    """
    f, y = paired(features, labels)
    u, s, _ = np.linalg.svd(f, full_matrices=False)
    squared = s**2
    if squared[0] == 0:
        squared, u = np.ones(1), np.zeros((len(f), 1))
    return float(np.mean([_best_evidence(squared, u.T @ column, column) for column in y.T]) / len(f))


def log_evidence(ratio: float, squared: Floats, along: Floats, labels: Floats) -> float:
    """Return the log evidence at a ratio alpha / beta, with beta at its best for that ratio.

    Args:
        ratio: alpha / beta, above 0.
        squared: squared singular values of the features.
        along: labels along the left singular vectors.
        labels: (N,).
    """
    n = len(labels)
    residual = _energy(ratio, squared, along, labels)
    spread = np.log1p(squared / ratio).sum()
    return float(-0.5 * n * (np.log(2 * np.pi * residual / n) + 1) - 0.5 * spread)


def _energy(ratio: float, squared: Floats, along: Floats, labels: Floats) -> float:
    """Return y' (I + F F' / ratio)^-1 y, never 0."""
    outside = max(float(labels @ labels - along @ along), 0.0)
    inside = float((along**2 * ratio / (ratio + squared)).sum())
    return max(outside + inside, float(np.finfo(np.float64).tiny))


def _best_evidence(squared: Floats, along: Floats, labels: Floats) -> float:
    low, high = _LOWEST * squared.max(), _HIGHEST * squared.max()
    starts = np.geomspace(low, high, _STARTS)
    ratio = float(starts[np.argmax([log_evidence(t, squared, along, labels) for t in starts])])
    best = log_evidence(ratio, squared, along, labels)
    for _ in range(_ITERATIONS):
        # gamma, the number of weights that the data determine; the precisions that follow from it.
        gamma = float((squared / (ratio + squared)).sum())
        weights = float((along**2 * squared / (ratio + squared) ** 2).sum())
        outside = max(float(labels @ labels - along @ along), 0.0)
        residual = outside + float((along**2 * (ratio / (ratio + squared)) ** 2).sum())
        if weights <= 0 or gamma >= len(labels):
            break
        ratio = float(np.clip(gamma / weights * residual / (len(labels) - gamma), low, high))
        found = log_evidence(ratio, squared, along, labels)
        if abs(found - best) <= _TOLERANCE * max(1.0, abs(found)):
            return max(found, best)
        best = max(found, best)
    return best
