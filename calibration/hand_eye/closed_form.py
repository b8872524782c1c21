"""First answers to hand-eye calibration, by OpenCV's closed forms, not led astray by a few wrong views."""

from __future__ import annotations

from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

_METHODS = (
    cv2.CALIB_HAND_EYE_PARK,
    cv2.CALIB_HAND_EYE_DANIILIDIS,
    cv2.CALIB_HAND_EYE_HORAUD,
    cv2.CALIB_HAND_EYE_TSAI,
)
# Subsets of so many views are tried, at most so many of them.
_SUBSET, _MOST_SUBSETS = 4, 24
# How far a turn by one radian counts, metres: about the distance of a board.
_ARM_M = 0.5


def closed_form(mount_from_carrier: Float, camera_from_board: Float, seed: int = 0) -> tuple[Float, Float]:
    """Return camera_from_mount and carrier_from_board, each (4, 4), that fit most views.

    Park and Martin 1994, Daniilidis 1999, Horaud and Dornaika 1995 and Tsai and Lenz 1989 on all views and on small
    subsets; the answer whose median error over all views is smallest wins (least median of squares, Rousseeuw 1984).

    Args:
        mount_from_carrier: (V, 4, 4).
        camera_from_board: (V, 4, 4).
        seed: chooses the subsets.
    """
    count = len(mount_from_carrier)
    subsets = [tuple(range(count))]
    if count > _SUBSET:
        several = list(combinations(range(count), _SUBSET)) if count <= 12 else []
        rng = np.random.default_rng(seed)
        for _ in range(_MOST_SUBSETS):
            if several:
                subsets.append(several[int(rng.integers(len(several)))])
            else:
                subsets.append(tuple(rng.choice(count, _SUBSET, replace=False).tolist()))
    best: tuple[float, Float, Float] | None = None
    for subset in subsets:
        chosen = list(subset)
        for method in _METHODS if len(subset) == count else _METHODS[:1]:
            camera = _camera(mount_from_carrier[chosen], camera_from_board[chosen], method)
            if camera is None:
                continue
            # camera_from_board = C A Y, so Y = inverse(C A) camera_from_board.
            each = np.linalg.inv(camera @ mount_from_carrier) @ camera_from_board
            board = mean_pose(each[chosen])
            error = float(np.median(_distances(camera @ mount_from_carrier @ board, camera_from_board)))
            if best is None or error < best[0]:
                best = error, camera, board
    if best is None:
        return np.eye(4), mean_pose(np.linalg.inv(mount_from_carrier) @ camera_from_board)
    return best[1], best[2]


def _camera(mount_from_carrier: Float, camera_from_board: Float, method: int) -> Float | None:
    carrier = np.linalg.inv(mount_from_carrier)
    try:
        turn, shift = cv2.calibrateHandEye(
            [m[:3, :3] for m in carrier],
            [m[:3, 3] for m in carrier],
            [m[:3, :3] for m in camera_from_board],
            [m[:3, 3] for m in camera_from_board],
            method=method,
        )
    except cv2.error:
        return None
    if not (np.isfinite(turn).all() and np.isfinite(shift).all()) or abs(np.linalg.det(turn) - 1.0) > 1e-3:
        return None
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = turn, shift.ravel()
    return np.asarray(np.linalg.inv(pose), np.float64)


def mean_pose(poses: Float) -> Float:
    """Return the middle (4, 4) of poses (N, 4, 4): median shift, chordal mean of turns (Hartley et al. 2013)."""
    left, _, right = np.linalg.svd(poses[:, :3, :3].mean(axis=0))
    found = np.eye(4)
    found[:3, :3] = left @ np.diag([1.0, 1.0, np.linalg.det(left @ right)]) @ right
    found[:3, 3] = np.median(poses[:, :3, 3], axis=0)
    return found


def _distances(one: Float, other: Float) -> Float:
    """Return how far poses (N, 4, 4) are apart, metres."""
    shift = np.linalg.norm(one[:, :3, 3] - other[:, :3, 3], axis=1)
    cosine = (np.einsum("nij,nij->n", one[:, :3, :3], other[:, :3, :3]) - 1.0) / 2.0
    return np.asarray(shift + _ARM_M * np.arccos(np.clip(cosine, -1.0, 1.0)))
