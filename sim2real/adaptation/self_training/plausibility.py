"""Which keypoints could be true, by the station's geometry: a filter for pseudo-labels."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibration.bodies import Range
from calibration.kinematics import frame_matrices, joint_matrices, nominal_world
from calibration.lifting import body_pose, keypoints_in, lift, lift_joints
from calibration.rig import Placement, Rig
from calibration.view import CameraView

Points = NDArray[np.float64]


@dataclass(frozen=True)
class PlausibilityLimits:
    """What is still believed.

    Attributes:
        shape_px: how far keypoints may be from the nearest ones that body or arm can show at all.
        sigmas: how many standard deviations of the camera's pose and focal length keypoints may be from the nearest
            ones that the rig's placements allow.
        camera_std_px: that standard deviation, in pixels of the view; None: from the rig's camera. Give a smaller one
            for a camera that was aligned or refitted.
    """

    shape_px: float = 4.0
    sigmas: float = 3.0
    camera_std_px: float | None = None


def plausible(
    rig: Rig, view: CameraView, pixels: ArrayLike, limits: PlausibilityLimits | None = None
) -> NDArray[np.bool_]:
    """Return which of N frames have keypoints that could be true, (N,).

    Two distances are bounded: to the nearest keypoints that the rigid body or the arm within its joints' limits can
    show, and to the nearest that the rig's placements allow. Keypoints that are not finite are not plausible. A rig
    without placements bounds only the first.

    Args:
        rig: the station.
        view: its camera at the size of the pictures in which the pixels are.
        pixels: (N, K, 2).
        limits: default: those of `PlausibilityLimits`.
    """
    bounds = limits or PlausibilityLimits()
    std = camera_std_px(rig, view) if bounds.camera_std_px is None else bounds.camera_std_px
    reach = max(bounds.sigmas * std, bounds.shape_px)
    shape, placed = distances_px(rig, view, pixels)
    return np.asarray((shape <= bounds.shape_px) & (placed <= reach))


def distances_px(rig: Rig, view: CameraView, pixels: ArrayLike) -> tuple[Points, Points]:
    """Return how far keypoints (N, K, 2) are from what is possible at all, and from what the placements allow.

    Both are (N,), the largest distance of a frame's keypoints in pixels; infinite where a keypoint is not finite or
    nothing explains it. For lift "plane" the first is 0 where the keypoint's ray meets the plane in front of the
    camera.
    """
    uv = np.asarray(pixels, dtype=np.float64)
    distance = {"plane": _plane_distances, "pnp": _pnp_distances, "joints": _joint_distances}[rig.label.lift]
    found = [distance(rig, view, frame) if np.isfinite(frame).all() else (np.inf, np.inf) for frame in uv]
    table = np.array(found, dtype=np.float64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def camera_std_px(rig: Rig, view: CameraView) -> float:
    """Return how uncertain the rig's camera leaves where a point is seen, one standard deviation in pixels of the view.

    Position and direction move pixels by what they are in radians times the focal length, the position at the distance
    of the placements' middle, or else of the keypoints; the focal length moves them most at a quarter of the width from
    the middle.
    """
    focal = view.intrinsics.fx_px
    points = keypoints_in(rig, frame_matrices(rig, nominal_world(rig)))
    distance = float(np.linalg.norm(points.mean(axis=0) - view.world_from_camera.position_m))
    camera = rig.camera
    parts = (
        focal * camera.rotation_std_rad,
        focal * camera.position_std_m / max(distance, 1e-6),
        camera.focal_std * view.intrinsics.width_px / 4,
    )
    return float(np.linalg.norm(parts))


def _plane_distances(rig: Rig, view: CameraView, uv: Points) -> tuple[float, float]:
    point = rig.world_from_label_frame().apply(lift(rig, view, uv))
    # A ray that does not reach the plane is bent down to it, and then does not come back to its pixel.
    shape = _farthest(view, np.asarray(point)[None], uv[:1])
    keypoint = rig.keypoints[0]
    placement = _placement_of(rig, keypoint.frame)
    if placement is None:
        return shape, shape
    allowed = _nearest_placed(rig, placement, np.asarray(point), float(np.linalg.norm(keypoint.point_m)))
    return shape, _farthest(view, allowed[None], uv[:1])


def _pnp_distances(rig: Rig, view: CameraView, uv: Points) -> tuple[float, float]:
    found = body_pose(rig, view, uv)
    if found is None:
        return np.inf, np.inf
    turn, shift = found
    body = np.array([k.point_m for k in rig.keypoints])
    in_camera = body @ turn.T + shift
    points = np.asarray(view.world_from_camera.apply(in_camera))
    shape = _farthest(view, points, uv)
    placement = _placement_of(rig, rig.keypoints[0].frame)
    if placement is None:
        return shape, shape
    centre = np.asarray(view.world_from_camera.apply(shift))
    return shape, _farthest(view, points + _nearest_placed(rig, placement, centre, 0.0) - centre, uv)


def _joint_distances(rig: Rig, view: CameraView, uv: Points) -> tuple[float, float]:
    found = lift_joints(rig, view, uv)
    shape = _farthest(view, keypoints_in(rig, joint_matrices(rig, found)), uv)
    ranges = {p.joint: p.range for p in rig.placements if p.joint is not None and p.range is not None}
    # The best joints of all are also the best within the placements where they lie in them.
    if all(ranges[name][0] <= value <= ranges[name][1] for name, value in found.items() if name in ranges):
        return shape, shape
    joints = tuple(
        dataclasses.replace(j, limits=_overlap(j.limits, ranges[j.name])) if j.name in ranges else j for j in rig.joints
    )
    placed = lift_joints(dataclasses.replace(rig, joints=joints), view, uv)
    return shape, _farthest(view, keypoints_in(rig, joint_matrices(rig, placed)), uv)


def _overlap(limits: Range, placed: Range) -> Range:
    return max(limits[0], placed[0]), min(limits[1], placed[1])


def _placement_of(rig: Rig, body: str) -> Placement | None:
    return next((p for p in rig.placements if p.body == body), None)


def _nearest_placed(rig: Rig, placement: Placement, point_world: Points, slack_m: float) -> Points:
    """Return the nearest world point (3,) that is within `slack_m` of a placement's box, along its axes."""
    frames = frame_matrices(rig, nominal_world(rig))
    parent = frames[rig.body(str(placement.body)).parent]
    inverse = np.linalg.inv(parent)
    own = inverse[:3, :3] @ point_world + inverse[:3, 3]
    assert placement.x_m is not None
    assert placement.y_m is not None
    assert placement.z_m is not None
    low, high = np.array([placement.x_m, placement.y_m, placement.z_m]).T
    return np.asarray(parent[:3, :3] @ np.clip(own, low - slack_m, high + slack_m) + parent[:3, 3])


def _farthest(view: CameraView, points_world: Points, uv: Points) -> float:
    """Return the largest distance of projected points from pixels; infinite behind the camera."""
    apart = np.linalg.norm(view.project(points_world) - uv, axis=1)
    return float(np.nan_to_num(apart, nan=np.inf).max())
