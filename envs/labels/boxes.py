"""Boxes around bodies: of what is seen, of the whole outline, and in space.

A box in the picture is left, top, right, bottom in pixels, where the centre of the top-left pixel is (0, 0): a body
that covers that pixel alone has the box -0.5, -0.5, 0.5, 0.5. NaN stands for no box.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from calibration.camera import CameraIntrinsics
from envs.labels.outlines import Shape, outline_points
from envs.labels.placement import moved

Points = NDArray[np.float64]

# Bodies that reach behind the camera are cut at this depth.
_NEAR_M = 1e-3


def modal_boxes(segmentation: NDArray[np.int16], count: int) -> Points:
    """Return boxes (count, 4) around the seen pixels of each body; NaN for one that is not seen."""
    boxes = np.full((count, 4), np.nan)
    for k, found in enumerate(find_objects(segmentation.astype(np.int32) + 1, count)):
        if found is not None:
            rows, columns = found
            boxes[k] = columns.start - 0.5, rows.start - 0.5, columns.stop - 0.5, rows.stop - 0.5
    return boxes


def amodal_box(shape: Shape, camera_from_body: Points, camera: CameraIntrinsics) -> Points:
    """Return the box (4,) around the whole outline, seen or not; it may reach beyond the picture.

    Of a body that reaches behind the camera, the part in front counts; of one around the camera, everything
    (infinite). NaN for a body behind the camera. A lens with distortion draws no points far beyond its picture;
    the box is around those that it draws.
    """
    eye = -camera_from_body[:3, 3] @ camera_from_body[:3, :3]
    outline = outline_points(shape, eye, bent=not camera.is_straight)
    if outline is None:
        return np.array([-np.inf, -np.inf, np.inf, np.inf])
    points = moved(camera_from_body, outline)
    if camera.model == "pinhole":
        points = _in_front(points)
    pixels = camera.project(points)
    pixels = pixels[np.isfinite(pixels).all(axis=1)]
    if len(pixels) == 0:
        return np.full(4, np.nan)
    return np.concatenate([pixels.min(axis=0), pixels.max(axis=0)])


def clipped(box: Points, width_px: int, height_px: int) -> Points:
    """Return the part (4,) of a box within the picture; NaN when there is none."""
    low = np.maximum(box[:2], -0.5)
    high = np.minimum(box[2:], (width_px - 0.5, height_px - 0.5))
    return np.concatenate([low, high]) if (low < high).all() else np.full(4, np.nan)


def corners_px(corners_m: Points, camera_from_body: Points, camera: CameraIntrinsics) -> Points:
    """Return pixels (8, 2) of the corners (8, 3) of a body's own bounding box; NaN where there is none."""
    return camera.project(moved(camera_from_body, corners_m))


def _in_front(points: Points) -> Points:
    """Return points (P, 3) whose hull is the part of the points' hull in front of the camera."""
    ahead = points[:, 2] > _NEAR_M
    if ahead.all() or not ahead.any():
        return points[ahead]
    near, far = points[~ahead], points[ahead]
    share = (far[:, None, 2] - _NEAR_M) / (far[:, None, 2] - near[None, :, 2])
    crossing = far[:, None] + share[..., None] * (near[None] - far[:, None])
    return np.concatenate([far, crossing.reshape(-1, 3)])
