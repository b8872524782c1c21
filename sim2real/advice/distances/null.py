"""What a distance between two sets says when both come from one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sim2real.advice.arrays import Floats
from sim2real.statistics import CONFIDENCE


@dataclass(frozen=True)
class Null:
    """Distances between random halves of one set.

    Attributes:
        mean: over the splits.
        low: lower end of the central 95 %.
        high: upper end.
        splits: how many there were.
    """

    mean: float
    low: float
    high: float
    splits: int


def halves_null(features: Floats, distance: Callable[[Floats, Floats, int], float], seed: int, splits: int) -> Null:
    """Return the null of a distance: it is measured between random halves of one set, again and again.

    Args:
        features: (N, D).
        distance: of two sets; the third argument is a seed.
        seed: of the splits.
        splits: how many.

    Raises:
        ValueError: fewer than four frames, or no split.
    """
    if len(features) < 4 or splits < 1:
        raise ValueError(f"a null needs 4 or more frames and 1 or more splits, got {len(features)} and {splits}")
    rng = np.random.default_rng([seed, 43])
    found = []
    for k in range(splits):
        order = rng.permutation(len(features))
        half = len(order) // 2
        found.append(distance(features[order[:half]], features[order[half:]], seed + 1 + k))
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(found, [tail, 100 - tail])
    return Null(float(np.mean(found)), float(low), float(high), splits)
