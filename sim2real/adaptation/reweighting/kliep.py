"""KLIEP: a density ratio that brings the source nearest to the target in Kullback-Leibler divergence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize

from sim2real.adaptation.reweighting.kernels import gaussian, median_bandwidth
from sim2real.adaptation.reweighting.weights import checked, with_mean_one

FACTORS = (0.1, 0.2, 0.35, 0.5, 0.7, 1.0, 1.5)
_SMALL = 1e-10


def kliep_weights(
    source: ArrayLike,
    target: ArrayLike,
    bandwidth: float | None = None,
    centres: int = 100,
    folds: int = 5,
    factors: Sequence[float] = FACTORS,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Return weights (N,) of the source, mean 1: the sum of Gaussians that makes the target most likely.

    Sugiyama et al. 2008: maximize mean_j log(r(y_j)) with r = sum_l alpha_l k(., c_l), alpha >= 0 and mean_i r(x_i) =
    1.

    Args:
        source: (N, D).
        target: (M, D).
        bandwidth: s in exp(-||x - y||^2 / (2 s^2)); None: the multiple of the median distance with the largest
            likelihood in cross-validation over the target.
        centres: how many target rows are centres at most; drawn from the seed where there are more.
        folds: of the cross-validation, 2 or more and no more than the target's rows.
        factors: multiples of the median distance to choose from.
        seed: of centres and folds.

    Raises:
        ValueError: other shapes, values that are not finite, or a setting out of range.
    """
    x, y = checked("kliep_weights", source, target)
    if (bandwidth is not None and bandwidth <= 0) or centres < 1 or not 2 <= folds <= len(y):
        raise ValueError(
            f"kliep_weights needs bandwidth above 0, centres 1 or more and 2 to {len(y)} folds, got {bandwidth}, "
            f"{centres} and {folds}"
        )
    rng = np.random.default_rng(seed)
    at = y[rng.permutation(len(y))[:centres]]
    width = bandwidth
    if width is None:
        fold = rng.permutation(np.arange(len(y)) % folds)
        median = median_bandwidth(x, y, seed)
        scored = [(_likelihood(x, y, at, factor * median, fold), factor * median) for factor in factors]
        width = max(scored)[1]
    of_source = gaussian(x, at, width)
    return with_mean_one(of_source @ _fit(of_source, gaussian(y, at, width)))


def _fit(of_source: NDArray[np.float64], of_target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return alpha (L,).

    mean log(K alpha) - b^T alpha has the constrained maximum as its free one, since scaling alpha up by its optimal
    factor makes b^T alpha = 1.
    """
    # A centre that no source row is near would have an unbounded share.
    mean = np.maximum(of_source.mean(axis=0), _SMALL)

    def loss(share: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        ratio = design @ share + _SMALL
        return float(share.sum() - np.log(ratio).mean()), 1.0 - design.T @ (1 / ratio) / len(ratio)

    design = of_target / mean
    start = np.full(len(mean), 1 / len(mean))
    options = {"maxiter": 500, "ftol": 1e-12, "gtol": 1e-8}
    found = minimize(loss, start, jac=True, bounds=[(0.0, None)] * len(mean), method="L-BFGS-B", options=options)
    alpha: NDArray[np.float64] = found.x / mean
    return alpha


def _likelihood(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    at: NDArray[np.float64],
    width: float,
    fold: NDArray[np.int64],
) -> float:
    of_source, of_target = gaussian(x, at, width), gaussian(y, at, width)
    scores = []
    for k in range(int(fold.max()) + 1):
        alpha = _fit(of_source, of_target[fold != k])
        # Held-out rows count by the ratio that is normalized on the source.
        mean = max(float((of_source @ alpha).mean()), _SMALL)
        scores.append(np.log(of_target[fold == k] @ alpha / mean + _SMALL).mean())
    return float(np.mean(scores))
