"""Of what a policy loses in the held-out simulation: how much by seeing, how much by moving."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim2real.gap.attribution import Attribution, attribute

Bools = NDArray[np.bool_]
MOVING, SEEING = "moving", "seeing"


@dataclass(frozen=True, eq=False)
class FourWays:
    """Successes of one policy on the same starts.

    Attributes:
        source_state: (E,), the true state in the source.
        source_seen: (E,), through the eye in the source.
        target_state: (S, E), the true state at each station.
        target_seen: (S, E), through the eye at each station.
    """

    source_state: Bools
    source_seen: Bools
    target_state: Bools
    target_seen: Bools


def seeing_and_moving(ways: FourWays, seed: int = 0) -> Attribution:
    """Return the shares of moving and seeing in the loss from the true state in the source to the eye at stations.

    Moving alone is the loss of the true state; seeing last is the rest. Failures of one start are averaged over
    stations, so that intervals are of other starts at the same stations.

    Args:
        ways: successes.
        seed: of the resampling.
    """
    failed = {
        frozenset[str](): 1.0 - ways.source_state,
        frozenset({MOVING}): 1.0 - ways.target_state.mean(axis=0),
        frozenset({SEEING}): 1.0 - ways.source_seen,
        frozenset({MOVING, SEEING}): 1.0 - ways.target_seen.mean(axis=0),
    }
    return attribute((MOVING, SEEING), failed.__getitem__, "1", seed)
