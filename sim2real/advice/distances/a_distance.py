"""Proxy A-distance: how well a linear classifier tells two domains apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize

from sim2real.advice.arrays import Floats, two_samples
from sim2real.advice.distances.null import Null, halves_null

_FOLDS = 5
_SPLITS = 20


@dataclass(frozen=True)
class ADistance:
    """A proxy A-distance.

    Attributes:
        value: 2 (1 - 2 e) of the cross-validated error e: 0 where the domains look alike, 2 where every frame is told;
            below 0 by chance.
        error: e, mean of the two domains' error rates, so that their sizes do not matter.
        null: the same measured between halves of the first domain.
    """

    value: float
    error: float
    null: Null


def a_distance(
    source: ArrayLike, target: ArrayLike, seed: int = 0, penalty: float = 1.0, splits: int = _SPLITS
) -> ADistance:
    """Return the proxy A-distance of two sets of features, with the one between halves of the source beside it.

    The classifier is logistic regression with an L2 penalty on standardised features, both domains weighing the same;
    its error is cross-validated in five folds (Ben-David et al. 2007, after whom `value` is 2 (1 - 2 e)).

    Args:
        source: (N, D).
        target: (M, D).
        seed: of folds and halves.
        penalty: on the squared weights, relative to the mean loss of 1 / N a frame.
        splits: how many times the source is halved for the null.

    Raises:
        ValueError: other shapes, values that are not finite, fewer than four source frames or two of the target.
    """
    a, b = two_samples(source, target)
    error = classifier_error(a, b, seed, penalty)
    null = halves_null(a, lambda x, y, k: 2 * (1 - 2 * classifier_error(x, y, k, penalty)), seed, splits)
    return ADistance(2 * (1 - 2 * error), error, null)


def classifier_error(source: ArrayLike, target: ArrayLike, seed: int, penalty: float = 1.0) -> float:
    """Return the cross-validated error rate of telling source (N, D) from target (M, D), mean of both domains.

    There are five folds, or as many as the smaller domain has frames.
    """
    a, b = two_samples(source, target)
    rng = np.random.default_rng([seed, 41])
    folds = min(_FOLDS, len(a), len(b))
    fold_a, fold_b = _folds(len(a), folds, rng), _folds(len(b), folds, rng)
    wrong_a = wrong_b = 0
    for k in range(folds):
        side = _fit(a[fold_a != k], b[fold_b != k], penalty)
        wrong_a += int((side(a[fold_a == k]) >= 0).sum())
        wrong_b += int((side(b[fold_b == k]) < 0).sum())
    return (wrong_a / len(a) + wrong_b / len(b)) / 2


def _folds(count: int, folds: int, rng: np.random.Generator) -> NDArray[np.int64]:
    return np.asarray(rng.permutation(np.arange(count) % folds), np.int64)


class _Side:
    """Which side of a plane features lie on: below 0 the source's, else the target's."""

    def __init__(self, mean: Floats, scale: Floats, weights: Floats, intercept: float) -> None:
        self._mean, self._scale, self._weights, self._intercept = mean, scale, weights, intercept

    def __call__(self, features: Floats) -> Floats:
        return np.asarray((features - self._mean) / self._scale @ self._weights + self._intercept)


def _fit(a: Floats, b: Floats, penalty: float) -> _Side:
    x = np.concatenate([a, b])
    mean, scale = x.mean(axis=0), x.std(axis=0)
    scale = np.where(scale > 1e-12 * max(float(np.abs(x).max()), 1.0), scale, np.inf)
    standard = (x - mean) / scale
    # A plane with an L2 penalty lies in what the rows span, which has fewer dimensions than the features often have.
    u, s, vt = np.linalg.svd(standard, full_matrices=False)
    inner = u * s
    sign = np.concatenate([-np.ones(len(a)), np.ones(len(b))])
    weight = np.concatenate([np.full(len(a), 0.5 / len(a)), np.full(len(b), 0.5 / len(b))])
    strength = penalty / len(x)

    def loss(w: Floats) -> tuple[float, Floats]:
        margin = sign * (inner @ w[:-1] + w[-1])
        slope = -sign * weight * np.exp(-np.logaddexp(0.0, margin))
        value = float(weight @ np.logaddexp(0.0, -margin) + 0.5 * strength * (w[:-1] @ w[:-1]))
        return value, np.append(inner.T @ slope + strength * w[:-1], slope.sum())

    found = minimize(loss, np.zeros(inner.shape[1] + 1), jac=True, method="L-BFGS-B", options={"maxiter": 200}).x
    return _Side(mean, scale, vt.T @ found[:-1], float(found[-1]))
