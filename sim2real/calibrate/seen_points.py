"""Where the labelled object is in photographs, seen without a network: coloured balls, or what differs."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from calibration.alignment import median_picture
from calibration.errors import InputError
from calibration.rig import Rig
from calibration.view import CameraView
from sim2real.calibrate.box_edges import box_pixel
from sim2real.realdata import RealFrame

Float = NDArray[np.float64]
Picture = NDArray[np.uint8]

# A body is coloured when its channels differ by this share of the brightest.
_COLOURED = 0.4
_HUE_DEG, _SATURATION, _DARKEST = 18.0, 0.35, 0.05
# A blob is a ball's when it is as large as the ball should be, within this factor, and not further off than this share
# of the picture's width.
_SIZE_FACTOR, _REACH = 2.5, 0.3


def seen_points(rig: Rig, view: CameraView, frames: Sequence[RealFrame], pictures: dict[str, Picture]) -> Float:
    """Return pixels (N, K, 2) of the keypoints in labelled photographs; NaN where one is not seen.

    Keypoints in the middle of coloured balls are found by their colour. A single keypoint of a box is found by the
    edges that the box has and the median of the photographs has not.

    Args:
        rig: the station.
        view: its camera, at the size of the photographs; it tells which ball is which.
        frames: labelled.
        pictures: of full size, by file; all of them make the median.

    Raises:
        InputError: the rig's keypoints can be found in neither way.
    """
    balls = _balls(rig)
    if balls is not None:
        return np.array([_coloured(view, f.keypoints_world, balls, pictures[f.file]) for f in frames])
    boxes = {b.name for b in rig.bodies if b.shape == "box"}
    if len(rig.keypoints) != 1 or rig.keypoints[0].frame not in boxes:
        raise InputError(
            f"rig {rig.name}: without --model, keypoints must be the middles of coloured balls, or one on the only box "
            "that moves; give --model a model that finds them"
        )
    empty = median_picture(list(pictures.values()))
    return np.array([[box_pixel(rig, view, f.keypoints_world[0], pictures[f.file], empty)] for f in frames])


def _balls(rig: Rig) -> list[tuple[float, tuple[float, float, float]]] | None:
    """Return radius and colour of the ball of each keypoint; None when one is no coloured ball."""
    bodies = {b.name: b for b in rig.bodies}
    found = []
    for keypoint in rig.keypoints:
        body = bodies.get(keypoint.frame)
        if body is None or body.shape != "sphere" or any(keypoint.point_m):
            return None
        if max(body.rgb) - min(body.rgb) < _COLOURED * max(body.rgb):
            return None
        found.append((float(body.half_extents_m()[0]), body.rgb))
    return found


def _coloured(
    view: CameraView, points: Float, balls: list[tuple[float, tuple[float, float, float]]], picture: Picture
) -> Float:
    hsv = cv2.cvtColor(picture.astype(np.float32) / 255.0, cv2.COLOR_RGB2HSV)
    expected = view.project(points)
    depth = view.world_from_camera.inverse().apply(points)[:, 2]
    blobs, sizes = [], []
    for rgb in {rgb for _, rgb in balls}:
        hue = float(cv2.cvtColor(np.array([[rgb]], np.float32), cv2.COLOR_RGB2HSV)[0, 0, 0])
        away = np.abs((hsv[..., 0] - hue + 180.0) % 360.0 - 180.0)
        mask = ((away < _HUE_DEG) & (hsv[..., 1] > _SATURATION) & (hsv[..., 2] > _DARKEST)).astype(np.uint8)
        mask = np.asarray(cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)), np.uint8)
        contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        for contour in contours:
            # Highlights are white, so the outline, filled, is taken and not the coloured pixels alone.
            area = cv2.contourArea(contour)
            if len(contour) < 8 or area < 12:
                continue
            x, y, size = _circle(contour.reshape(-1, 2).astype(np.float64))
            blobs.append((x, y))
            sizes.append(size)
    found = np.full((len(balls), 2), np.nan)
    if not blobs:
        return found
    radii = np.array([r for r, _ in balls]) * view.intrinsics.fx_px / np.maximum(depth, 1e-3)
    ratio = np.abs(np.log(np.array(sizes)[None, :] / radii[:, None]))
    apart = np.linalg.norm(expected[:, None] - np.array(blobs)[None], axis=2)
    cost = apart + 50.0 * ratio
    cost[(ratio > np.log(_SIZE_FACTOR)) | (apart > _REACH * view.intrinsics.width_px)] = 1e6
    for k, blob in zip(*linear_sum_assignment(cost), strict=True):
        if cost[k, blob] < 1e6:
            found[k] = blobs[blob]
    return found


def _circle(points: Float) -> tuple[float, float, float]:
    """Return centre and radius of the circle through most of an outline (N, 2), pixels.

    Algebraic fit (Kasa 1976) with weights that take away what lies off it: a shaft or the dark of a shadow cuts a piece
    off a ball, and an ellipse through all of the outline would move towards the rest.
    """
    weights = np.ones(len(points))
    middle = points.mean(axis=0)
    x, y = (points - middle).T
    for _ in range(12):
        rows = np.column_stack([x, y, np.ones(len(x))]) * weights[:, None]
        (a, b, c), *_ = np.linalg.lstsq(rows, (x * x + y * y) * weights, rcond=None)
        radius = float(np.sqrt(max(c + 0.25 * (a * a + b * b), 1e-6)))
        off = np.abs(np.hypot(x - 0.5 * a, y - 0.5 * b) - radius)
        weights = np.sqrt(1.0 / (1.0 + (off / max(float(np.median(off)), 0.3)) ** 2))
    return float(middle[0] + 0.5 * a), float(middle[1] + 0.5 * b), radius
