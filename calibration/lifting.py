"""Keypoints of a world, and the label that explains keypoints found in a picture."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import least_squares

from calibration.errors import InputError
from calibration.kinematics import frame_matrices, joint_matrices, matrix_of
from calibration.rig import Rig
from calibration.view import CameraView
from calibration.world import WorldParams

Points = NDArray[np.float64]

# A ray that does not reach the plane within this distance is bent down to it: a wrong answer, but a number.
FARTHEST_M = 20.0


def keypoints_world(rig: Rig, world: WorldParams) -> Points:
    """Return the keypoints (K, 3) in the world, metres."""
    return keypoints_in(rig, frame_matrices(rig, world))


def label_point(rig: Rig, world: WorldParams) -> Points:
    """Return the label's point (3,) in the label's frame, metres."""
    return label_point_in(rig, frame_matrices(rig, world))


def label_point_in(rig: Rig, frames: Mapping[str, Points]) -> Points:
    """Return the label's point (3,) in the label's frame, given where the frames of a world are."""
    if rig.label.lift == "plane":
        point = keypoints_in(rig, frames)[0]
    else:
        point = _transform(frames[str(rig.label.point_frame)], np.asarray(rig.label.point_m)[None])[0]
    return rig.world_from_label_frame().inverse().apply(point)


def label_values(rig: Rig, point: ArrayLike) -> Points:
    """Return the scored components of a label point (3,), in the order of `rig.label.columns`."""
    label = rig.label
    order = [(label.point_columns or label.columns).index(column) for column in label.columns]
    return np.asarray(point, dtype=np.float64)[order]


def keypoints_of_label(rig: Rig, point: ArrayLike, joints: Mapping[str, float] | None = None) -> Points:
    """Return the keypoints (K, 3) in the world that belong to a label point (3,) in the label's frame.

    Args:
        rig: the station.
        point: the label, metres.
        joints: measured joint positions; for lift "joints" they are solved from the point when absent.

    Raises:
        InputError: lift "pnp", where a point does not say how the body is turned.
    """
    world_point = rig.world_from_label_frame().apply(point)
    if rig.label.lift == "plane":
        return np.asarray(world_point)[None]
    if rig.label.lift == "pnp":
        raise InputError(f"rig {rig.name}: lift 'pnp' cannot place keypoints from a point label; use lift 'plane'")
    if joints is None:
        joints = joints_of_point(rig, world_point)
    return keypoints_in(rig, joint_matrices(rig, joints))


def joints_of_point(rig: Rig, world_point: ArrayLike) -> dict[str, float]:
    """Return joint positions within their limits that bring the label point to a world point (3,)."""
    offset = np.asarray(rig.label.point_m)[None]
    frame = str(rig.label.point_frame)

    def residual(joints: dict[str, float]) -> Points:
        return np.asarray(_transform(joint_matrices(rig, joints)[frame], offset)[0] - np.asarray(world_point))

    return _solve_joints(rig, residual)


def lift(rig: Rig, view: CameraView, pixels: ArrayLike) -> Points:
    """Return the label point (3,) in the label's frame that explains keypoint pixels (K, 2).

    Lift "plane" cuts the keypoint's ray with a plane of the label's frame; "pnp" finds the rigid body's pose
    (iterative PnP, as in OpenCV); "joints" finds the joint positions with the least squared reprojection
    error.
    """
    uv = np.asarray(pixels, dtype=np.float64).reshape(-1, 2)
    if rig.label.lift == "plane":
        return _lift_plane(rig, view, uv[:1])
    if rig.label.lift == "pnp":
        return _lift_pnp(rig, view, uv)
    return label_point_of_joints(rig, lift_joints(rig, view, uv))


def lift_joints(rig: Rig, view: CameraView, pixels: ArrayLike) -> dict[str, float]:
    """Return the joint positions that explain keypoint pixels (K, 2) best."""
    uv = np.asarray(pixels, dtype=np.float64).reshape(-1, 2)

    def residual(joints: dict[str, float]) -> Points:
        projected = view.project(keypoints_in(rig, joint_matrices(rig, joints)))
        return np.asarray(np.nan_to_num((projected - uv).ravel(), nan=1e4))

    return _solve_joints(rig, residual)


def label_point_of_joints(rig: Rig, joints: Mapping[str, float]) -> Points:
    """Return the label point (3,) in the label's frame for joint positions."""
    return label_point_in(rig, joint_matrices(rig, joints))


def _solve_joints(rig: Rig, residual: object) -> dict[str, float]:
    """Minimise a residual over the joints, starting from the middle of their placements or limits."""
    assert callable(residual)
    ranges = {j.name: j.limits for j in rig.joints}
    start = dict(ranges)
    for placement in rig.placements:
        if placement.joint is not None and placement.range is not None:
            start[placement.joint] = placement.range
    names = list(ranges)
    low, high = (np.array([ranges[n][k] for n in names]) for k in (0, 1))
    middle = np.clip([sum(start[n]) / 2 for n in names], low, high)
    fit = least_squares(
        lambda q: residual(dict(zip(names, q, strict=True))),
        middle,
        bounds=(low, high),
        x_scale=(high - low) / 4,
    )
    return {n: float(v) for n, v in zip(names, fit.x, strict=True)}


def _lift_plane(rig: Rig, view: CameraView, uv: Points) -> Points:
    label_from_world = rig.world_from_label_frame().inverse()
    eye = label_from_world.apply(view.world_from_camera.position_m)
    direction = label_from_world.rotation.apply(view.directions(uv))[0]
    drop = float(rig.label.plane_z_m or 0.0) - eye[2]
    steepness = direction[2] * np.sign(drop)
    distance = abs(drop) / max(steepness, abs(drop) / FARTHEST_M)
    point = eye + direction * distance
    point[2] = rig.label.plane_z_m
    return np.asarray(point)


def _lift_pnp(rig: Rig, view: CameraView, uv: Points) -> Points:
    found = body_pose(rig, view, uv)
    if found is None:
        return np.full(3, np.nan)
    turn, shift = found
    in_camera = turn @ np.asarray(rig.label.point_m) + shift
    return rig.world_from_label_frame().inverse().apply(view.world_from_camera.apply(in_camera))


def body_pose(rig: Rig, view: CameraView, uv: Points) -> tuple[Points, Points] | None:
    """Return rotation (3, 3) and translation (3,), metres, of the keypoints' body in the camera frame; None for none.

    Perspective-n-point by SQPnP (Terzakis and Lourakis 2020), then least squares of the errors in the picture that a
    pinhole without distortion would take, so that it holds for every lens.

    Args:
        rig: with keypoints of one body.
        view: the camera.
        uv: (K, 2) pixels of the keypoints.
    """
    camera = view.intrinsics
    rays = camera.unproject(uv)
    if not np.isfinite(rays).all():
        return None
    focal = np.array([camera.fx_px, camera.fy_px])
    straight, matrix = np.ascontiguousarray(rays[:, :2] * focal), np.diag([*focal, 1.0])
    body = np.array([k.point_m for k in rig.keypoints])
    found, turn, shift = cv2.solvePnP(body, straight, matrix, None, flags=cv2.SOLVEPNP_SQPNP)
    if not found:
        return None
    turn, shift = cv2.solvePnPRefineLM(body, straight, matrix, None, turn, shift)
    return np.asarray(cv2.Rodrigues(turn)[0], np.float64), np.asarray(shift, np.float64).ravel()


def keypoints_in(rig: Rig, frames: Mapping[str, Points]) -> Points:
    """Return the keypoints (K, 3) in the world, given where its frames are."""
    points = []
    for k in rig.keypoints:
        frame = frames.get(k.frame)
        if frame is None:
            body = rig.body(k.frame)
            frame = frames[body.parent] @ matrix_of(body.position_m, body.rpy_rad)
        points.append(_transform(frame, np.asarray(k.point_m)[None])[0])
    return np.array(points)


def _transform(matrix: Points, points: Points) -> Points:
    return np.asarray(points @ matrix[:3, :3].T + matrix[:3, 3])
