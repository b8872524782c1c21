"""Labels of simulated pictures, from the true state."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.bodies import Body
from calibration.kinematics import frame_matrices
from calibration.lifting import keypoints_in, label_point_in
from calibration.rig import Rig
from calibration.view import CameraView
from calibration.world import WorldParams
from envs.rendering.renderer import Images


@dataclass(frozen=True, eq=False)
class Labels:
    """What is true in N pictures.

    Attributes:
        keypoints_px: float64 (N, K, 2); NaN behind the camera.
        visible: float64 (N, K), share of the keypoint's body that is seen: 1 whole, 0 hidden or out of the
            picture.
        points_m: float64 (N, 3), the label point in the label's frame.
    """

    keypoints_px: NDArray[np.float64]
    visible: NDArray[np.float64]
    points_m: NDArray[np.float64]


def label_images(rig: Rig, worlds: list[WorldParams], images: Images) -> Labels:
    """Return the labels of rendered worlds."""
    pixels, visible, points = [], [], []
    for k, world in enumerate(worlds):
        view, frames = images.views[k], frame_matrices(rig, world)
        pixels.append(view.project(keypoints_in(rig, frames)))
        shares = [_visible_share(rig, world, frames, view, images.segmentation[k], p.frame) for p in rig.keypoints]
        visible.append(shares)
        points.append(label_point_in(rig, frames))
    return Labels(np.array(pixels), np.array(visible, dtype=np.float64), np.array(points))


def _visible_share(
    rig: Rig,
    world: WorldParams,
    frames: dict[str, NDArray[np.float64]],
    view: CameraView,
    segmentation: NDArray[np.int16],
    frame: str,
) -> float:
    """Return seen pixels of a body over the area of its outline; 1 for what has no outline."""
    names = [b.name for b in world.bodies]
    if frame not in names or (frame == "robot" and rig.robot is not None):
        return 1.0
    index = names.index(frame)
    if not world.bodies[index].present:
        return 0.0
    local = _outline_points(rig.body(frame)) * world.bodies[index].size_scale
    pixels = view.project(local @ frames[frame][:3, :3].T + frames[frame][:3, 3])
    if not np.isfinite(pixels).all():
        return 0.0
    area = float(cv2.contourArea(cv2.convexHull(pixels.astype(np.float32))))
    return min(1.0, float((segmentation == index).sum()) / max(area, 1.0))


def _outline_points(body: Body) -> NDArray[np.float64]:
    """Return points (N, 3) of the body whose convex hull is the body."""
    hx, hy, hz = body.half_extents_m()
    if body.shape == "box":
        signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
        return np.asarray(signs * (hx, hy, hz))
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    ring = np.column_stack([np.cos(angle), np.sin(angle)])
    if body.shape == "cylinder":
        return np.vstack([np.column_stack([ring * hx, np.full(24, z)]) for z in (-hz, hz)])
    rings = [np.column_stack([ring * hx * np.cos(t), np.full(24, hx * np.sin(t))]) for t in np.linspace(-1.5, 1.5, 9)]
    return np.vstack(rings)
