"""Find a box near where it should be, by the edges that it adds to the empty station."""

from __future__ import annotations

from itertools import product

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.rig import Rig
from calibration.view import CameraView

Float = NDArray[np.float64]
Picture = NDArray[np.uint8]

# How far a box may be from its label, in radii of its picture, and the steps of the two searches, pixels and degrees.
_REACH, _STEPS_PX, _STEPS_DEG = 1.0, (2.0, 0.5), (7.5, 2.5)
_SAMPLES = 12
# Edges of a box, as pairs of its corners; corner 4 i + 2 j + k has the signs of i, j, k on x, y, z.
_EDGES = [(a, b) for a, b in product(range(8), range(8)) if a < b and (a ^ b) in (1, 2, 4)]
# A box is found when its edges are this many times stronger than those of the typical place that was tried.
_CLEAR = 2.0


def box_pixel(rig: Rig, view: CameraView, point: Float, picture: Picture, empty: Picture) -> Float:
    """Return where the first keypoint (2,) is seen; NaN when no box stands out, or the border cuts it off.

    Model-based matching of edges (Harris and Stennett 1990) by exhaustive search: the box's visible edges are laid over
    the gradient of the difference from the empty station, at all shifts, turns about the vertical and sizes within the
    rig's uncertainty; the strongest mean gradient across the edges wins.

    Args:
        rig: the station; its first keypoint belongs to the box.
        view: of the camera, at the size of the pictures.
        point: the keypoint (3,) in the world by the label, metres.
        picture: with the box (H, W, 3).
        empty: without it.
    """
    nothing = np.full(2, np.nan)
    body = rig.body(rig.keypoints[0].frame)
    lab, lab_empty = (cv2.cvtColor(p, cv2.COLOR_RGB2LAB).astype(np.float32) for p in (picture, empty))
    added = cv2.GaussianBlur(lab - lab_empty - np.median(lab - lab_empty, axis=(0, 1)), (0, 0), 1.0)
    gradient = np.stack([cv2.Sobel(added, cv2.CV_32F, 1, 0), cv2.Sobel(added, cv2.CV_32F, 0, 1)], axis=-1)
    here = view.project(point)[0]
    radius = float(np.linalg.norm(view.project(_corners(point, body.half_extents_m(), 0.0)) - here, axis=1).max())
    if not np.isfinite(radius):
        return nothing
    shifts, turns = _grid(_REACH * radius, _STEPS_PX[0]), np.arange(-45.0, 45.0, _STEPS_DEG[0])
    spread = body.size_uncertainty
    scales = np.array([1.0 - spread, 1.0, 1.0 + spread]) if spread else np.array([1.0])
    half = np.array(body.half_extents_m())
    scores = _search(view, point, half, gradient, shifts, turns, scales)
    if scores[0] < _CLEAR * scores[3] or scores[0] <= 0:
        return nothing
    middle, turn, scale = scores[1], scores[2][0], scores[2][1]
    fine_turns = turn + np.arange(-_STEPS_DEG[0], _STEPS_DEG[0] + 0.1, _STEPS_DEG[1])
    fine_scales = scale * np.array([0.97, 1.0, 1.03])
    found = _search(view, point, half, gradient, middle + _grid(_STEPS_PX[0], _STEPS_PX[1]), fine_turns, fine_scales)
    corners = view.project(_corners(point, half * found[2][1], found[2][0])) + found[1]
    height, width = picture.shape[:2]
    if (corners < 1).any() or (corners[:, 0] > width - 2).any() or (corners[:, 1] > height - 2).any():
        return nothing
    return np.asarray(here + found[1], np.float64)


def _corners(point: Float, half: Float | tuple[float, float, float], turn_deg: float) -> Float:
    signs = np.array(list(product((-1.0, 1.0), repeat=3))) * np.asarray(half)
    cosine, sine = np.cos(np.deg2rad(turn_deg)), np.sin(np.deg2rad(turn_deg))
    x, y, z = signs.T
    rotated = np.column_stack([cosine * x - sine * y, sine * x + cosine * y, z])
    return np.asarray(point + rotated, np.float64)


def _grid(reach: float, step: float) -> Float:
    line = np.arange(-reach, reach + step / 2, step)
    return np.array(np.meshgrid(line, line)).reshape(2, -1).T


def _search(
    view: CameraView,
    point: Float,
    half: Float,
    gradient: NDArray[np.float32],
    shifts: Float,
    turns: Float,
    scales: Float,
) -> tuple[float, Float, tuple[float, float], float]:
    """Return the best score, its shift (2,), its turn (degrees) and scale, and the median of the best of each shift."""
    height, width = gradient.shape[:2]
    best: tuple[float, Float, tuple[float, float]] = (-1.0, np.zeros(2), (0.0, 1.0))
    top = np.zeros(len(shifts))
    for turn, scale in product(turns.tolist(), scales.tolist()):
        corners = view.project(_corners(point, half * scale, turn))
        eye = np.asarray(view.world_from_camera.position_m)
        points, normals = [], []
        for a, b in _visible_edges(point, half * scale, turn, eye):
            way = corners[b] - corners[a]
            length = float(np.linalg.norm(way))
            if length < 2:
                continue
            points.append(corners[a] + way * ((np.arange(_SAMPLES) + 0.5) / _SAMPLES)[:, None])
            normals.append(np.tile([-way[1] / length, way[0] / length], (_SAMPLES, 1)))
        if not points:
            continue
        samples, across = np.concatenate(points), np.concatenate(normals)
        at = np.round(samples[None] + shifts[:, None]).astype(int)
        x, y = np.clip(at[..., 0], 0, width - 1), np.clip(at[..., 1], 0, height - 1)
        strength = np.linalg.norm((gradient[y, x] * across[None, :, None]).sum(axis=-1), axis=-1)
        # The root keeps one strong edge from outvoting the others.
        score = np.sqrt(strength).mean(axis=1)
        top = np.maximum(top, score)
        k = int(score.argmax())
        if score[k] > best[0]:
            best = float(score[k]), shifts[k], (turn, scale)
    return (*best, float(np.median(top)))


def _visible_edges(point: Float, half: Float, turn_deg: float, eye: Float) -> list[tuple[int, int]]:
    """Return the edges of faces that look at the eye."""
    cosine, sine = np.cos(np.deg2rad(turn_deg)), np.sin(np.deg2rad(turn_deg))
    x, y, z = eye - point
    local = np.array([cosine * x + sine * y, -sine * x + cosine * y, z])
    seen = set()
    for axis, bit in ((0, 4), (1, 2), (2, 1)):
        for sign in (0, 1):
            if (local[axis] if sign else -local[axis]) > half[axis]:
                face = {c for c in range(8) if bool(c & bit) == bool(sign)}
                seen |= {(a, b) for a, b in _EDGES if a in face and b in face}
    return sorted(seen)
