"""Nearest neighbours of photographs in a model's features: among simulated frames, and among other photographs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim2real.advice.arrays import Floats, rows
from sim2real.advice.distances.kernel_distance import squared_distances


@dataclass(frozen=True)
class Neighbour:
    """A photograph and what is nearest to it, in units of the null.

    Attributes:
        photograph: its index.
        simulated: index of the nearest simulated frame.
        simulated_distance: to it.
        real: index of the nearest other photograph; None where there is no other.
        real_distance: to it.
    """

    photograph: int
    simulated: int
    simulated_distance: float
    real: int | None
    real_distance: float | None


@dataclass(frozen=True)
class Neighbours:
    """Nearest neighbours, with what distances are usual.

    Attributes:
        null: median distance from a simulated frame to the nearest other simulated one, in standardized features.
        found: one a photograph asked for, in that order.
    """

    null: float
    found: tuple[Neighbour, ...]


def neighbours(simulated: ArrayLike, real: ArrayLike, asked: ArrayLike) -> Neighbours:
    """Return the nearest simulated frame and the nearest other photograph of each photograph asked for.

    Features are brought to mean 0 and spread 1 of the simulated ones by column, so that no channel decides by its
    scale; distances are Euclidean and divided by the null, so that 1 is how near simulated frames are to each other.
    Where most of those are the same, as of a network that sees nothing, the null is 0 and nothing is divided.

    Args:
        simulated: features (N, D), two or more rows.
        real: features (M, D) of all photographs.
        asked: indices (P,) of photographs.

    Raises:
        ValueError: other shapes, values that are not finite, or no such photograph.
    """
    ours, theirs = rows(simulated, "simulated features", 2), rows(real, "features of photographs")
    wanted: NDArray[np.int64] = np.asarray(asked, np.int64).ravel()
    if ours.shape[1] != theirs.shape[1]:
        raise ValueError(f"both sets must have the same columns, got {ours.shape[1]} and {theirs.shape[1]}")
    if wanted.size and not (wanted.min() >= 0 and wanted.max() < len(theirs)):
        raise ValueError(f"asked must be indices below {len(theirs)}, got {wanted.tolist()}")
    spread = ours.std(axis=0)
    scale = np.where(spread > 0, spread, np.inf)
    centre = ours.mean(axis=0)
    ours, theirs = (ours - centre) / scale, (theirs - centre) / scale
    null = float(np.median(_distances(ours, ours, own=np.arange(len(ours))).min(axis=1)))
    unit = null if null > 0 else 1.0
    to_simulated = _distances(theirs[wanted], ours) / unit
    to_real = _distances(theirs[wanted], theirs, own=wanted) / unit
    found = []
    for k, photograph in enumerate(wanted.tolist()):
        near, other = int(to_simulated[k].argmin()), int(to_real[k].argmin())
        alone = len(theirs) < 2
        found.append(
            Neighbour(
                photograph,
                near,
                float(to_simulated[k, near]),
                None if alone else other,
                None if alone else float(to_real[k, other]),
            )
        )
    return Neighbours(null, tuple(found))


def _distances(first: Floats, second: Floats, own: NDArray[np.int64] | None = None) -> Floats:
    """Return Euclidean distances (N, M); infinity from each row to `own` of it."""
    found = np.sqrt(squared_distances(first, second))
    if own is not None:
        found[np.arange(len(first)), own] = np.inf
    return found
