"""The cross-entropy method (Rubinstein 1999): draw candidates, keep the best, draw the next about them.

For policies: Mannor, Rubinstein and Gat 2003. A floor under the spread keeps it from settling too early (Szita and
Lorincz 2006).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

# Share of the candidates that the next are drawn about, of the old mean and spread that stay, and least spread.
_ELITE, _STAYS, _FLOOR = 0.25, 0.2, 0.02


@dataclass(frozen=True, eq=False)
class SearchState:
    """A normal distribution over the unit cube.

    Attributes:
        mean: (D,).
        std: (D,), each number by itself.
    """

    mean: Float
    std: Float


def propose(state: SearchState, count: int, rng: np.random.Generator) -> Float:
    """Return candidates (count, D) in the unit cube; the first is the mean itself."""
    drawn = state.mean + state.std * rng.standard_normal((count, len(state.mean)))
    drawn[0] = state.mean
    return np.clip(drawn, 0.0, 1.0)


def improve(state: SearchState, candidates: Float, scores: Float) -> SearchState:
    """Return the next distribution, about the candidates (N, D) with the highest scores (N,)."""
    best = candidates[np.argsort(-scores, kind="stable")[: max(2, round(_ELITE * len(candidates)))]]
    mean = _STAYS * state.mean + (1.0 - _STAYS) * best.mean(axis=0)
    std = _STAYS * state.std + (1.0 - _STAYS) * best.std(axis=0) + _FLOOR
    return SearchState(mean, std)
