"""Whether advice orders things as their realised errors do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from calibration.estimate import Estimate
from sim2real.advice.arrays import Floats, paired
from sim2real.statistics import CONFIDENCE

_RESAMPLES = 1000


@dataclass(frozen=True)
class RankAgreement:
    """Rank correlations between scores and outcomes, -1 to 1; None where all of one side are equal."""

    kendall_tau_b: Estimate | None
    spearman_rho: Estimate | None


def rank_agreement(scores: ArrayLike, outcomes: ArrayLike, seed: int = 0) -> RankAgreement:
    """Return Kendall's tau-b (ties count, Kendall 1945) and Spearman's rho, each with a percentile bootstrap interval.

    Bring both to one direction first: a score where more is better and an error where less is agree at -1.

    Args:
        scores: (N,), what advice says of each thing.
        outcomes: (N,), such as realised errors.
        seed: of the resampling of things; resamples in which one side is constant are left out.

    Raises:
        ValueError: other shapes, fewer than three things, or values that are not finite.
    """
    first, second = paired(scores, outcomes, 3)
    if first.shape[1] != 1 or second.shape[1] != 1:
        raise ValueError(f"scores and outcomes must be (N,), got {np.shape(scores)} and {np.shape(outcomes)}")
    a, b = first[:, 0], second[:, 0]
    if (a == a[0]).all() or (b == b[0]).all():
        return RankAgreement(None, None)
    weights = np.random.default_rng(seed).multinomial(len(a), np.full(len(a), 1 / len(a)), size=_RESAMPLES)
    tau, rho = stats.kendalltau(a, b).statistic, stats.spearmanr(a, b).statistic
    return RankAgreement(
        _estimate(float(tau), weighted_taus(a, b, weights), len(a)),
        _estimate(float(rho), weighted_rhos(a, b, weights), len(a)),
    )


def weighted_taus(a: Floats, b: Floats, weights: NDArray[np.int64]) -> Floats:
    """Return tau-b of things that occur `weights` (R, N) times each, (R,); NaN where one side is constant."""
    sign_a, sign_b = (np.sign(x[:, None] - x) for x in (a, b))
    agree, untied_a, untied_b = (_pairs(m, weights) for m in (sign_a * sign_b, np.abs(sign_a), np.abs(sign_b)))
    return _ratio(agree, np.sqrt(untied_a * untied_b))


def weighted_rhos(a: Floats, b: Floats, weights: NDArray[np.int64]) -> Floats:
    """Return Spearman's rho of things that occur `weights` (R, N) times each, (R,); NaN where one side is constant."""
    ranks = []
    for x in (a, b):
        below = (x[:, None] < x).astype(np.float64) + 0.5 * (x[:, None] == x)
        rank = weights @ below
        ranks.append(rank - (weights * rank).sum(axis=1, keepdims=True) / weights.sum(axis=1, keepdims=True))
    together, own_a, own_b = (
        (weights * x * y).sum(axis=1) for x, y in ((ranks[0], ranks[1]), (ranks[0],) * 2, (ranks[1],) * 2)
    )
    return _ratio(together, np.sqrt(own_a * own_b))


def _pairs(values: Floats, weights: NDArray[np.int64]) -> Floats:
    return np.asarray(((weights @ values) * weights).sum(axis=1))


def _ratio(over: Floats, under: Floats) -> Floats:
    return np.asarray(np.divide(over, under, out=np.full(len(over), np.nan), where=under > 1e-9))


def _estimate(value: float, resampled: Floats, count: int) -> Estimate:
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.nanpercentile(resampled, [tail, 100 - tail])
    method = "percentile bootstrap"
    return Estimate(value, min(float(low), value), max(float(high), value), CONFIDENCE, count, "1", method)
