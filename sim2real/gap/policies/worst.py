"""What each hidden cause of one station costs a policy when it is alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from calibration.estimate import Estimate
from envs.standin.station import Station
from sim2real.gap.policies.drop import drop
from sim2real.gap.policies.playing.pieces import Episodes


@dataclass(frozen=True)
class CauseAlone:
    """One cause of a station.

    Attributes:
        cause: its name.
        size: that it has there; 1 is what a station with no calibration may have.
        values: that are hidden, by path of the world.
        loss: success with nothing hidden less success with this cause alone, starts paired.
    """

    cause: str
    size: float
    values: Mapping[str, Any]
    loss: Estimate


def alone(station: Station, cause: str) -> Station:
    """Return the station at which one cause has the hidden values that it has at a station, and all else none."""
    return Station.planted([cause], station.sizes()[cause], station.seed)


def causes_alone(
    station: Station,
    hidden: Mapping[str, Mapping[str, Any]],
    play: Callable[[Station, str], Episodes],
    nothing: Episodes,
) -> list[CauseAlone]:
    """Return what each cause costs, the one that costs most first; of several the one of the larger size.

    Args:
        station: with all causes.
        hidden: values by cause, of those that are to be told.
        play: returns the episodes at a station, given it and the cause's name.
        nothing: episodes from the same starts where nothing is hidden.
    """
    before, sizes = nothing.succeeded(), station.sizes()
    found = []
    for cause, values in hidden.items():
        after = play(alone(station, cause), cause).succeeded()
        found.append(CauseAlone(cause, sizes[cause], values, drop(before, after[np.newaxis])))
    return sorted(found, key=lambda c: (-c.loss.value, -c.size))


def loss_of_engine(source: Episodes, nothing: Episodes) -> Estimate:
    """Return success in the source less success in the held-out simulation with nothing hidden, starts paired.

    Engine and renderer are others there, so that this is what no value of the rig can mend.

    Args:
        source: episodes in the source.
        nothing: episodes where nothing is hidden, from the same first start; one of both may have more.
    """
    count = min(len(source.seeds), len(nothing.seeds))
    return drop(source.succeeded()[:count], nothing.succeeded()[np.newaxis, :count])
