"""Keypoints, how much of their bodies is seen, and the label point: what training reads of every frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.rig import Rig
from calibration.view import CameraView
from calibration.world import WorldParams
from envs.labels.outlines import is_arm, outline_points, shape_of
from envs.labels.placement import cameras_from_world, frames_of, moved
from envs.rendering.renderer import Images

Points = NDArray[np.float64]


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


def label_images(rig: Rig, worlds: Sequence[WorldParams], images: Images) -> Labels:
    """Return the labels of rendered worlds; those of a picture do not depend on the others."""
    names = [k.frame for k in rig.keypoints]
    wanted = list(dict.fromkeys([*names, *([rig.label.point_frame] if rig.label.point_frame else [])]))
    frames = [frames_of(rig, world, wanted) for world in worlds]
    local = np.array([k.point_m for k in rig.keypoints])[:, None, :]
    matrices = np.array([[f[name] for name in names] for f in frames]).reshape(-1, len(names), 4, 4)
    points = moved(matrices, local)[:, :, 0]
    cameras = cameras_from_world(images.views)
    pixels = project(images.views, moved(cameras, points))
    visible = np.array(
        [
            _shares(rig, world, found, camera, view, segmentation, names)
            for world, found, camera, view, segmentation in zip(
                worlds, frames, cameras, images.views, images.segmentation, strict=True
            )
        ]
    ).reshape(len(worlds), len(names))
    return Labels(pixels, visible, _label_points(rig, frames, points))


def project(views: Sequence[CameraView], points_camera: Points) -> Points:
    """Return pixels (N, P, 2) of points (N, P, 3), each row in the frame of its own camera; NaN where there is none."""
    if not all(v.intrinsics.is_straight for v in views):
        shape = (*points_camera.shape[:2], 2)
        return np.array([v.intrinsics.project(p) for v, p in zip(views, points_camera, strict=True)]).reshape(shape)
    c = [(v.intrinsics.fx_px, v.intrinsics.fy_px, v.intrinsics.cx_px, v.intrinsics.cy_px) for v in views]
    lens = np.array(c).reshape(-1, 1, 4)
    depth = np.where(points_camera[..., 2:] > 1e-9, points_camera[..., 2:], np.nan)
    return np.asarray(points_camera[..., :2] / depth * lens[..., :2] + lens[..., 2:])


def _label_points(rig: Rig, frames: Sequence[dict[str, Points]], keypoints_m: Points) -> Points:
    """Return the label points (N, 3) in the label's frame."""
    if rig.label.lift == "plane":
        points = keypoints_m[:, :1]
    else:
        owner = str(rig.label.point_frame)
        points = moved(np.array([f[owner] for f in frames]).reshape(-1, 4, 4), np.asarray(rig.label.point_m)[None])
    label_from_world = rig.world_from_label_frame().inverse().matrix()
    return moved(label_from_world, points)[:, 0]


def _shares(
    rig: Rig,
    world: WorldParams,
    frames: dict[str, Points],
    camera: Points,
    view: CameraView,
    segmentation: NDArray[np.int16],
    names: Sequence[str],
) -> list[float]:
    numbers = {b.name: k for k, b in enumerate(world.bodies)}
    known: dict[str, float] = {}
    for name in names:
        if name not in known:
            index = numbers.get(name)
            known[name] = (
                1.0
                if index is None or is_arm(rig, name)
                else visible_share(rig, world, index, _chained(camera, frames[name]), view, segmentation)
            )
    return [known[name] for name in names]


def _chained(camera_from_world: Points, world_from_body: Points) -> Points:
    return np.asarray(camera_from_world @ world_from_body)


def visible_share(
    rig: Rig,
    world: WorldParams,
    index: int,
    camera_from_body: Points,
    view: CameraView,
    segmentation: NDArray[np.int16],
    seen_px: int | None = None,
) -> float:
    """Return the seen pixels of a body over the area of its whole outline, 0 to 1.

    1 for a URDF arm, which has no simple outline; 0 for a body that is absent or reaches behind the camera.

    Args:
        rig: the station.
        world: that the picture shows.
        index: of the body in `world.bodies`.
        camera_from_body: (3 or 4, 4).
        view: the camera.
        segmentation: (H, W).
        seen_px: pixels of the body in `segmentation`, when they have been counted.
    """
    params = world.bodies[index]
    shape = shape_of(rig, params)
    if not params.present:
        return 0.0
    if shape is None:
        return 1.0
    seen = int(np.count_nonzero(segmentation == index)) if seen_px is None else seen_px
    if seen == 0:
        return 0.0
    eye = -camera_from_body[:3, 3] @ camera_from_body[:3, :3]
    outline = outline_points(shape, eye, bent=not view.intrinsics.is_straight)
    if outline is None:
        return 0.0
    pixels = project([view], moved(camera_from_body, outline)[None])[0]
    if not np.isfinite(pixels).all():
        return 0.0
    area = cv2.contourArea(cv2.convexHull(pixels.astype(np.float32)))
    return min(1.0, seen / max(area, 1.0))
