"""How much something moves between two time stamps, as pictures or a log show it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibration.errors import InputError
from calibration.timing.stamps import check_stamps

Array = NDArray[np.float64]
_SMALL_PX = 160


@dataclass(frozen=True, eq=False)
class Motion:
    """Amounts of motion between stamps.

    Attributes:
        name: of the stream, for errors and findings.
        stamps_s: strictly increasing (N,), seconds.
        amount: of motion (N - 1,) between one stamp and the next, in a unit of its own.
    """

    name: str
    stamps_s: Array
    amount: Array

    def path(self) -> Array:
        """Return the motion (N,) since the first stamp."""
        return np.concatenate([[0.0], np.cumsum(self.amount)])


def track_motion(stamps_s: ArrayLike, values: ArrayLike, name: str) -> Motion:
    """Return the motion of a track: lengths of the steps between its points.

    Args:
        stamps_s: when (N,), seconds; of rows with the same stamp the first is used.
        values: positions (N,) or (N, D), such as joint angles, a keypoint's pixels, or an object's position.
        name: of the stream, for errors.

    Raises:
        InputError: empty, not as many values as stamps, not finite, or the clock goes back.
    """
    stamps, points = paired(stamps_s, values, name)
    return Motion(name, stamps, np.linalg.norm(np.diff(points, axis=0), axis=1))


def picture_motion(stamps_s: ArrayLike, pictures: Sequence[NDArray[np.uint8]], name: str) -> Motion:
    """Return the motion that pictures show: mean size of the change of brightness, in levels of 255.

    Pictures are reduced to 160 pixels width, and the median change of a picture is taken off, so that a lamp that
    flickers or an exposure that changes is not taken for motion.

    Args:
        stamps_s: when each was taken (N,), seconds.
        pictures: (H, W, 3) each, of one size.
        name: of the stream, for errors.

    Raises:
        InputError: none, not as many as stamps, of different sizes, or the clock goes back.
    """
    stamps = check_stamps(stamps_s, name)
    if len(pictures) != len(stamps):
        raise InputError(f"{name}: there must be a picture for each of {len(stamps)} stamps, got {len(pictures)}")
    if len({p.shape for p in pictures}) > 1:
        raise InputError(f"{name}: pictures must have one size, got {sorted({p.shape for p in pictures})}")
    keep = np.concatenate([[True], np.diff(stamps) > 0])
    small = [_small(p) for p, kept in zip(pictures, keep, strict=True) if kept]
    changes = (after - before for before, after in itertools.pairwise(small))
    amount = [float(np.mean(np.abs(change - np.median(change)))) for change in changes]
    return Motion(name, stamps[keep], np.array(amount))


def paired(stamps_s: ArrayLike, values: ArrayLike, name: str) -> tuple[Array, Array]:
    """Return strictly increasing stamps (N,) and their values (N, D).

    Raises:
        InputError: empty, not as many values as stamps, not finite, or the clock goes back.
    """
    stamps = check_stamps(stamps_s, name)
    points = np.asarray(values, dtype=np.float64)
    if len(points) != len(stamps):
        raise InputError(f"{name}: there must be a value for each of {len(stamps)} stamps, got {len(points)}")
    points = points.reshape(len(points), -1)
    if not np.isfinite(points).all():
        row = int(np.argmin(np.isfinite(points).all(axis=1)))
        raise InputError(f"{name}, row {row}: values must be finite, got {points[row].tolist()}; remove the row")
    keep = np.concatenate([[True], np.diff(stamps) > 0])
    return stamps[keep], points[keep]


def _small(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    scale = min(1.0, _SMALL_PX / grey.shape[1])
    return cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(np.float32)
