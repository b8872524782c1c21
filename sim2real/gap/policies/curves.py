"""Robustness: success against the size of one hidden cause at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from calibration.errors import InputError
from calibration.estimate import Estimate
from envs.standin.causes import CAUSES
from envs.standin.station import Station
from policies.evaluation import SuccessRate, success_rate
from sim2real.gap.policies.drop import drop
from sim2real.gap.policies.playing.pieces import Episodes

SIZES = (0.0, 0.25, 0.5, 1.0)
NONE = "none"
# A station has something planted; of this size it is nothing.
_NOTHING = 1e-9


@dataclass(frozen=True)
class Point:
    """Success at one size of a cause.

    Attributes:
        size: of the cause; 1 is what a station with no calibration may have.
        rate: of success.
    """

    size: float
    rate: SuccessRate


@dataclass(frozen=True)
class Curve:
    """A policy's robustness to a cause.

    Attributes:
        cause: its name.
        points: by size.
        loss: success without the cause less success at its largest size, starts paired.
        values: what the cause changes at size 1, by path of the world.
    """

    cause: str
    points: tuple[Point, ...]
    loss: Estimate
    values: Mapping[str, Any]


def chosen_causes(given: tuple[str, ...]) -> tuple[str, ...]:
    """Return the causes that have a curve.

    Raises:
        InputError: one that the family does not have, one twice, or "none" beside others.
    """
    if given in ((NONE,), ()):
        return ()
    for name in given:
        if name not in CAUSES:
            raise InputError(f"--curves takes causes, {', '.join(CAUSES)}, or {NONE} alone; got '{name}'")
    if len(set(given)) != len(given):
        raise InputError(f"--curves must name each cause once, got {', '.join(given)}")
    return given


def nothing_hidden() -> Station:
    """Return the held-out simulation of the world that the rig file describes."""
    return Station.planted(["mass"], _NOTHING)


def planted(cause: str, size: float) -> Station:
    """Return the station of a point; size 0 is the same for every cause."""
    return Station.planted([cause], size) if size else nothing_hidden()


def curve_of(cause: str, episodes: Mapping[float, Episodes], values: Mapping[str, Any]) -> Curve:
    """Return the curve of a cause.

    Args:
        cause: its name.
        episodes: at each size, from the same starts.
        values: of the world at size 1.
    """
    rates = [
        Point(size, success_rate(int(own.succeeded().sum()), len(own.success)))
        for size, own in sorted(episodes.items())
    ]
    first, last = episodes[min(episodes)].succeeded(), episodes[max(episodes)].succeeded()
    return Curve(cause, tuple(rates), drop(first, last[np.newaxis]), values)
