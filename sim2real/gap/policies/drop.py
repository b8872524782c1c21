"""Loss of success from the source to the held-out simulation, and what fewer episodes would have shown of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.estimate import Estimate
from policies.evaluation import success_rate
from sim2real.statistics import CONFIDENCE, mean_estimate

Bools = NDArray[np.bool_]
_FEWER = (10, 25, 75)
_DRAWS = 200


def drop(source: Bools, target: Bools) -> Estimate:
    """Return source less target success with an interval over starts and stations.

    Student's t of crossed random effects (`sim2real.statistics.mean_estimate`) on the differences of the same start,
    and at least as wide as Newcombe's interval for paired proportions (1998, method 10): where all episodes ended
    alike, spread knows no doubt.

    Args:
        source: successes (E,) of E starts.
        target: successes (S, E) at S stations from the same starts.

    Raises:
        ValueError: other numbers of starts.
    """
    if source.ndim != 1 or target.ndim != 2 or target.shape[1] != len(source):
        raise ValueError(f"target must be (stations, {len(source)}) beside source (starts,), got {target.shape}")
    return _paired(np.broadcast_to(source, target.shape), target, _newcombe(source, target))


def change(one: Bools, other: Bools) -> Estimate:
    """Return the mean of `one` less that of `other`, successes (S, E) of the same stations and starts, as `drop`.

    Raises:
        ValueError: other stations or starts.
    """
    if one.ndim != 2 or one.shape != other.shape:
        raise ValueError(f"successes must be of the same (stations, starts), got {one.shape} and {other.shape}")
    return _paired(one, other, _newcombe(one.ravel(), other.reshape(1, -1)))


def _paired(one: Bools, other: Bools, least: tuple[float, float]) -> Estimate:
    """Return the mean difference with the wider of Student's interval and another one."""
    spread = mean_estimate(one.astype(np.float64) - other, "1", signed=True)
    low, high = least
    return Estimate(
        spread.value,
        max(min(spread.low, low), -1.0),
        min(max(spread.high, high), 1.0),
        CONFIDENCE,
        other.size,
        "1",
        "Student's t over starts and stations, at least Newcombe's for paired proportions",
    )


def _newcombe(source: Bools, target: Bools) -> tuple[float, float]:
    one, two = success_rate(int(source.sum()), source.size), success_rate(int(target.sum()), target.size)
    each = target.mean(axis=0)
    varies = source.std() > 0 and each.std() > 0
    together = float(np.corrcoef(source, each)[0, 1]) if varies else 0.0

    def off(a: float, b: float) -> float:
        return float(np.sqrt(max(a * a - 2 * together * a * b + b * b, 0.0)))

    change = one.value - two.value
    return (
        change - off(one.value - one.low, two.high - two.value),
        change + off(one.high - one.value, two.value - two.low),
    )


@dataclass(frozen=True)
class Fewer:
    """What a number of episodes would have shown.

    Attributes:
        episodes: in the source and at each station.
        source_half: half the width of the interval of success in the source, mean over draws.
        drop_half: the same of the drop.
        told: share of the draws in which the interval of the drop excludes 0.
        draws: of that many of the measured starts; 1 where they are all.
    """

    episodes: int
    source_half: float
    drop_half: float
    told: float
    draws: int


def with_fewer(source: Bools, target: Bools, seed: int, counts: Sequence[int] = _FEWER) -> list[Fewer]:
    """Return what fewer of the measured starts would have shown, and what all of them do.

    Args:
        source: as of `drop`.
        target: as of `drop`.
        seed: of the draws, which are without replacement.
        counts: of episodes; those that are more than there are do not count.
    """
    rng, all_starts = np.random.default_rng([seed, 4801]), len(source)
    found = []
    for count in [*(c for c in counts if c < all_starts), all_starts]:
        whole = count == all_starts
        draws = [np.arange(count)] if whole else [rng.permutation(all_starts)[:count] for _ in range(_DRAWS)]
        rates = [success_rate(int(source[d].sum()), count) for d in draws]
        drops = [drop(source[d], target[:, d]) for d in draws]
        found.append(
            Fewer(
                count,
                float(np.mean([(r.high - r.low) / 2 for r in rates])),
                float(np.mean([(d.high - d.low) / 2 for d in drops])),
                float(np.mean([d.low > 0 or d.high < 0 for d in drops])),
                len(draws),
            )
        )
    return found
