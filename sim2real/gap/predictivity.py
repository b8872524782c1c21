"""Whether success in a simulator tells which policies succeed in the target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from calibration.estimate import Estimate
from sim2real.statistics import CONFIDENCE

Float = NDArray[np.float64]
_RESAMPLES = 1000
_FEWEST = 3


@dataclass(frozen=True)
class Predictivity:
    """How success in the source goes with success in the target, over policies.

    Attributes:
        policies: how many.
        mmrv: mean maximum rank violation, 0 (the order is the same) to 1; in success rate of the target.
        pearson: linear correlation, -1 to 1; None where all policies are equal on one side.
        spearman: the same of ranks.
        drop: mean over policies of source minus target success.
    """

    policies: int
    mmrv: Estimate
    pearson: Estimate | None
    spearman: Estimate | None
    drop: Estimate


def predictivity(source: ArrayLike, target: ArrayLike, seed: int = 0) -> Predictivity:
    """Return the agreement of two simulators, or of one and the real station, on the quality of policies.

    Intervals are percentile bootstraps over policies and, where episodes are given, over each policy's episodes too.
    They are of small numbers of policies and therefore wide; a rank violation can only grow by the noise of few
    episodes, so its interval lies above its value rather than about it.

    Args:
        source: (P,) success rates of P policies, or (P, E) successes of their episodes.
        target: the same of the same policies; it may have another number of episodes.
        seed: of the resampling.

    Raises:
        ValueError: fewer than three policies, other policies on both sides, or a rate outside 0 to 1.
    """
    one, two = _outcomes(source, "source"), _outcomes(target, "target")
    if len(one) != len(two) or len(one) < _FEWEST:
        raise ValueError(f"source and target must have the same {_FEWEST} or more policies, got {len(one)}, {len(two)}")
    rng = np.random.default_rng(seed)
    draws = [_resampled(one, two, rng) for _ in range(_RESAMPLES)]
    rates = one.mean(axis=1), two.mean(axis=1)

    def estimate(statistic: Callable[[Float, Float], float], unit: str) -> Estimate | None:
        value = statistic(*rates)
        if not np.isfinite(value):
            return None
        tail = 50 * (1 - CONFIDENCE)
        found = np.array([statistic(*draw) for draw in draws])
        low, high = np.percentile(found[np.isfinite(found)], [tail, 100 - tail])
        low, high = min(float(low), value), max(float(high), value)
        return Estimate(value, low, high, CONFIDENCE, len(one), unit, "percentile bootstrap over policies and episodes")

    mmrv, drop = estimate(mean_maximum_rank_violation, "1"), estimate(_drop, "1")
    assert mmrv is not None
    assert drop is not None
    return Predictivity(len(one), mmrv, estimate(pearson, "1"), estimate(spearman, "1"), drop)


def mean_maximum_rank_violation(source: ArrayLike, target: ArrayLike) -> float:
    """Return MMRV (Li et al. 2024, SIMPLER, equation 1), of policies (P,), in the unit of the target.

    Two policies that the source orders otherwise than the target count by how much they differ in the target; each
    policy has the worst of its pairs, and the mean over policies is taken. It is not symmetric. Of two that are equal
    in the source and not in the target, the worse one in the target has the violation.
    """
    s, t = np.asarray(source, np.float64), np.asarray(target, np.float64)
    violated = (s[:, None] < s[None, :]) != (t[:, None] < t[None, :])
    return float((violated * np.abs(t[:, None] - t[None, :])).max(axis=1).mean())


def pearson(source: ArrayLike, target: ArrayLike) -> float:
    """Return the linear correlation of rates (P,); NaN where one side is constant."""
    s, t = np.asarray(source, np.float64), np.asarray(target, np.float64)
    s, t = s - s.mean(), t - t.mean()
    scale = float(np.sqrt((s @ s) * (t @ t)))
    return float(s @ t) / scale if scale > 1e-12 else float("nan")


def spearman(source: ArrayLike, target: ArrayLike) -> float:
    """Return the correlation of ranks of rates (P,), ties with their mean rank; NaN where one side is constant."""
    return pearson(rankdata(source), rankdata(target))


def _drop(source: Float, target: Float) -> float:
    return float((source - target).mean())


def _outcomes(values: ArrayLike, name: str) -> Float:
    """Return outcomes as (P, E); rates have one column."""
    found = np.asarray(values, np.float64)
    found = found[:, None] if found.ndim == 1 else found
    if found.ndim != 2 or found.size == 0:
        raise ValueError(f"{name} must be (P,) rates or (P, E) successes, got shape {np.shape(values)}")
    if not ((found >= 0.0) & (found <= 1.0)).all():
        raise ValueError(f"{name} must lie between 0 and 1, got {found.min():g} to {found.max():g}")
    return found


def _resampled(one: Float, two: Float, rng: np.random.Generator) -> tuple[Float, Float]:
    """Return rates (P,) of policies and episodes drawn with replacement."""
    chosen = rng.integers(len(one), size=len(one))
    rates = []
    for side in (one[chosen], two[chosen]):
        episodes = rng.integers(side.shape[1], size=side.shape)
        rates.append(np.take_along_axis(side, episodes, axis=1).mean(axis=1))
    return rates[0], rates[1]
