"""RuLSIF: a relative density ratio by least squares, in closed form."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim2real.adaptation.reweighting.kernels import gaussian, median_bandwidth
from sim2real.adaptation.reweighting.weights import checked, with_mean_one

FACTORS = (0.2, 0.35, 0.5, 0.7, 1.0, 1.5)
RIDGES = (1e-3, 1e-2, 1e-1, 1.0)
# Kernel values of the source and of the target in each fold.
Parts = list[tuple[NDArray[np.float64], NDArray[np.float64]]]


def rulsif_weights(
    source: ArrayLike,
    target: ArrayLike,
    alpha: float = 0.1,
    bandwidth: float | None = None,
    ridge: float | None = None,
    centres: int = 100,
    folds: int = 5,
    factors: Sequence[float] = FACTORS,
    ridges: Sequence[float] = RIDGES,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Return weights (N,) of the source, mean 1: p_target / (alpha p_target + (1 - alpha) p_source) at its rows.

    Yamada et al. 2013 (RuLSIF): r = sum_l theta_l k(., c_l) with centres among the target's rows and theta = (H +
    ridge I)^-1 h, H = alpha mean_j k_j k_j^T over the target + (1 - alpha) mean_i k_i k_i^T over the source and h =
    mean_j k_j over the target. Negative values of r become 0.

    Args:
        source: (N, D).
        target: (M, D).
        alpha: 0 (the plain ratio, uLSIF of Kanamori et al. 2009) to below 1; a weight is at most 1 / alpha before it
            is divided by the mean.
        bandwidth: s in exp(-||x - y||^2 / (2 s^2)); None: the multiple of the median distance that is best in
            cross-validation.
        ridge: above 0; None: the best in cross-validation.
        centres: how many target rows are centres at most; drawn from the seed where there are more.
        folds: of the cross-validation, 2 or more and no more than the rows of either domain.
        factors: multiples of the median distance to choose from.
        ridges: to choose from.
        seed: of centres and folds.

    Raises:
        ValueError: other shapes, values that are not finite, or a setting out of range.
    """
    x, y = checked("rulsif_weights", source, target)
    fewest = min(len(x), len(y))
    positive = all(v is None or v > 0 for v in (bandwidth, ridge))
    if not 0 <= alpha < 1 or not positive or centres < 1 or not 2 <= folds <= fewest:
        raise ValueError(
            f"rulsif_weights needs 0 <= alpha < 1, bandwidth and ridge above 0, centres 1 or more and 2 to {fewest} "
            f"folds, got {alpha}, {bandwidth}, {ridge}, {centres} and {folds}"
        )
    rng = np.random.default_rng(seed)
    at = y[rng.permutation(len(y))[:centres]]
    source_fold, target_fold = (rng.permutation(np.arange(len(z)) % folds) for z in (x, y))
    median = median_bandwidth(x, y, seed)
    scored = []
    for width in [f * median for f in factors] if bandwidth is None else [bandwidth]:
        of_source, of_target = gaussian(x, at, width), gaussian(y, at, width)
        parts = [(of_source[source_fold == k], of_target[target_fold == k]) for k in range(folds)]
        strengths = ridges if ridge is None else [ridge]
        scored += [(_held_out_loss(parts, alpha, strength), width, strength) for strength in strengths]
    _, width, strength = min(scored)
    of_source = gaussian(x, at, width)
    return with_mean_one(of_source @ _solve(of_source, gaussian(y, at, width), alpha, strength))


def _moments(
    of_source: NDArray[np.float64], of_target: NDArray[np.float64], alpha: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    second = alpha * of_target.T @ of_target / len(of_target) + (1 - alpha) * of_source.T @ of_source / len(of_source)
    return second, of_target.mean(axis=0)


def _solve(
    of_source: NDArray[np.float64], of_target: NDArray[np.float64], alpha: float, ridge: float
) -> NDArray[np.float64]:
    second, first = _moments(of_source, of_target, alpha)
    return np.asarray(np.linalg.solve(second + ridge * np.eye(len(first)), first), dtype=np.float64)


def _held_out_loss(parts: Parts, alpha: float, ridge: float) -> float:
    """Return theta^T H theta / 2 - h^T theta with H and h of the folds that theta was not fitted on, in the mean."""
    losses = []
    for k, (held_source, held_target) in enumerate(parts):
        rest = [p for j, p in enumerate(parts) if j != k]
        fitted: list[NDArray[np.float64]] = [np.concatenate([p[side] for p in rest]) for side in (0, 1)]
        theta = _solve(fitted[0], fitted[1], alpha, ridge)
        second, first = _moments(held_source, held_target, alpha)
        losses.append(float(0.5 * theta @ second @ theta - first @ theta))
    return float(np.mean(losses))
