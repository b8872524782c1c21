"""Density ratios from a classifier of the domains."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import expit

from sim2real.adaptation.reweighting.weights import checked, with_mean_one


def classifier_weights(
    source: ArrayLike,
    target: ArrayLike,
    ridge: float = 1.0,
    degree: Literal[1, 2] = 1,
    folds: int = 5,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Return weights (N,) of the source, mean 1: the odds of "target" by a logistic regression on other rows.

    Bickel, Brueckner and Scheffer 2007; Sugiyama, Suzuki and Kanamori 2012, chapter 4. Cross-fitting keeps a
    classifier that knows its training rows by heart from giving each of them a weight of 0.

    Args:
        source: (N, D).
        target: (M, D).
        ridge: above 0; times half the squared coefficients of standardized inputs it is added to the summed log-loss.
        degree: 1: the log-ratio is linear, as between Gaussians of one covariance. 2: quadratic, as between any two
            Gaussians; there are then D (D + 3) / 2 inputs.
        folds: of each domain, 2 or more and no more than its rows.
        seed: of the folds.

    Raises:
        ValueError: other shapes, values that are not finite, or a setting out of range.
    """
    x, y = checked("classifier_weights", source, target)
    if ridge <= 0 or folds < 2 or folds > min(len(x), len(y)) or degree not in (1, 2):
        raise ValueError(
            f"classifier_weights needs ridge above 0, degree 1 or 2 and 2 to {min(len(x), len(y))} folds, "
            f"got {ridge}, {degree} and {folds}"
        )
    if degree == 2:
        x, y = _with_products(x), _with_products(y)
    both = np.concatenate([x, y])
    spread = both.std(axis=0)
    x, y = ((z - both.mean(axis=0)) / np.where(spread > 0, spread, 1.0) for z in (x, y))
    rng = np.random.default_rng(seed)
    source_fold, target_fold = (rng.permutation(np.arange(len(z)) % folds) for z in (x, y))
    log_odds = np.empty(len(x))
    for fold in range(folds):
        held = source_fold == fold
        fitted = fit_logistic(x[~held], y[target_fold != fold], ridge)
        log_odds[held] = x[held] @ fitted[:-1] + fitted[-1]
    return with_mean_one(np.exp(log_odds - log_odds.max()))


def fit_logistic(source: NDArray[np.float64], target: NDArray[np.float64], ridge: float) -> NDArray[np.float64]:
    """Return coefficients and intercept (D + 1,) of the log-ratio of target to source.

    Each domain weighs half of all rows, whatever its size; the intercept is not shrunk.
    """
    x = np.concatenate([source, target])
    is_target = np.repeat([0.0, 1.0], [len(source), len(target)])
    half = len(x) / 2
    weight = np.where(is_target > 0, half / len(target), half / len(source))

    def loss(b: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        z = x @ b[:-1] + b[-1]
        value = weight @ (np.logaddexp(0.0, z) - is_target * z) + 0.5 * ridge * (b[:-1] @ b[:-1])
        slope = weight * (expit(z) - is_target)
        return float(value), np.append(x.T @ slope + ridge * b[:-1], slope.sum())

    options = {"maxiter": 1000, "ftol": 1e-12, "gtol": 1e-8}
    found = minimize(loss, np.zeros(x.shape[1] + 1), jac=True, method="L-BFGS-B", options=options)
    coefficients: NDArray[np.float64] = found.x
    return coefficients


def _with_products(x: NDArray[np.float64]) -> NDArray[np.float64]:
    rows, columns = np.triu_indices(x.shape[1])
    return np.concatenate([x, x[:, rows] * x[:, columns]], axis=1)
