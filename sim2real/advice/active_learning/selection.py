"""Which frames to label next: those unlike the labelled ones, of which the model is unsure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from sim2real.advice.arrays import Floats, rows
from sim2real.advice.distances.kernel_distance import squared_distances

# Frames nearer than this share of the largest distance are one frame seen twice.
_SAME = 1e-3


@dataclass(frozen=True)
class Pick:
    """A frame to label.

    Attributes:
        index: of the frame.
        distance: to the nearest frame that is labelled or picked before, as a share of the largest distance between
            any two frames; for the first of all, to the frame farthest from it.
        nearest: index of that frame.
        uncertainty: 0 for the surest frame to 1.
        score: what it was picked for.
    """

    index: int
    distance: float
    nearest: int
    uncertainty: float
    score: float


def pick_frames(
    features: ArrayLike, uncertainty: ArrayLike, already: Sequence[int], count: int, weight: float = 0.5
) -> list[Pick]:
    """Return the frames to label next, best first; fewer than `count` where the rest repeat frames that are taken.

    Greedy k-centre (Sener and Savarese 2018): each time the frame with the largest distance to all labelled and
    picked ones, here times 1 + weight * uncertainty. Features are brought to mean 0 and spread 1 by column; they are
    not whitened, which would make any N frames of more than N features equally far apart. With nothing labelled,
    the first is the frame whose farthest frame is nearest (and which is uncertain). Equal scores go to the lower index.

    Args:
        features: (N, D).
        uncertainty: (N,), any scale; brought to 0 to 1.
        already: frames that are labelled or not to be picked.
        count: how many to pick.
        weight: of uncertainty; 0 is plain k-centre.

    Raises:
        ValueError: other shapes, values that are not finite, an index that does not exist, or a negative number.
    """
    f, u = rows(features, "features"), rows(uncertainty, "uncertainty")[:, 0]
    if len(u) != len(f):
        raise ValueError(f"uncertainty must be ({len(f)},), got shape {np.shape(uncertainty)}")
    if any(not 0 <= k < len(f) for k in already):
        raise ValueError(f"already must be indices below {len(f)}, got {list(already)}")
    if count < 0 or weight < 0:
        raise ValueError(f"count and weight must be 0 or more, got {count} and {weight}")
    spread = float(np.ptp(u))
    unsure = (u - u.min()) / spread if spread > 0 else np.zeros(len(u))
    distance = np.sqrt(squared_distances(*(2 * [_standard(f)])))
    distance /= distance.max() or 1.0
    taken = list(already)
    picks: list[Pick] = []
    factor = 1.0 + weight * unsure
    while len(picks) < count and len(taken) < len(f):
        if taken:
            near = distance[:, taken].min(axis=1)
            score = np.where(near > _SAME, near * factor, 0.0)
            score[taken] = 0.0
            best = int(np.argmax(score))
            if score[best] <= 0:
                break
            nearest = taken[int(np.argmin(distance[best, taken]))]
        else:
            score = factor / (_SAME + distance.max(axis=1))
            best = int(np.argmax(score))
            nearest = int(np.argmax(distance[best]))
        picks.append(Pick(best, float(distance[best, nearest]), nearest, float(unsure[best]), float(score[best])))
        taken.append(best)
    return picks


def covering_radius(features: ArrayLike, chosen: Sequence[int]) -> float:
    """Return the largest distance of any frame to its nearest chosen one, in `pick_frames`' unit.

    Raises:
        ValueError: nothing chosen.
    """
    if not chosen:
        raise ValueError("a covering radius needs a chosen frame, got none")
    distance = np.sqrt(squared_distances(*(2 * [_standard(rows(features, "features"))])))
    return float(distance[:, list(chosen)].min(axis=1).max() / (distance.max() or 1.0))


def _standard(features: Floats) -> Floats:
    centred = features - features.mean(axis=0)
    spread = centred.std(axis=0)
    # A column that differs by rounding alone says nothing.
    varies = spread > 1e-9 * np.abs(features).max(axis=0)
    return np.asarray(centred / np.where(varies, spread, np.inf))
