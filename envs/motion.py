"""A world a moment later, from the velocities that it carries."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from calibration.view import CameraView
from calibration.world import BodyParams, CameraParams, JointParams, Vector3, WorldParams


def world_after(world: WorldParams, dt_s: float) -> WorldParams:
    """Return the world `dt_s` seconds later: bodies, joints and camera moved at their constant velocities.

    Bodies move in the frame of their parent; the camera moves along and about the axes that it has now.
    """
    return replace(
        world,
        bodies=tuple(_body_after(b, dt_s) for b in world.bodies),
        joints=tuple(JointParams(j.name, j.position + j.velocity * dt_s, j.velocity) for j in world.joints),
        camera=_camera_after(world.camera, dt_s),
    )


def view_after(view: CameraView, camera: CameraParams, dt_s: float) -> CameraView:
    """Return the view `dt_s` seconds later, for the camera's velocities in `camera`."""
    x, y, z = (v * dt_s for v in camera.velocity_m_s)
    a, b, c = (v * dt_s for v in camera.angular_velocity_rad_s)
    return view.moved(CameraParams((x, y, z), (a, b, c)))


def _body_after(body: BodyParams, dt_s: float) -> BodyParams:
    if not any(body.velocity_m_s) and not any(body.angular_velocity_rad_s):
        return body
    position = _sum(body.position_m, np.asarray(body.velocity_m_s) * dt_s)
    if not any(body.angular_velocity_rad_s):
        return replace(body, position_m=position)
    turn = Rotation.from_rotvec(np.asarray(body.angular_velocity_rad_s) * dt_s)
    rpy = (turn * Rotation.from_euler("xyz", body.rpy_rad)).as_euler("xyz")
    return replace(body, position_m=position, rpy_rad=_sum((0.0, 0.0, 0.0), rpy))


def _camera_after(camera: CameraParams, dt_s: float) -> CameraParams:
    if not any(camera.velocity_m_s) and not any(camera.angular_velocity_rad_s):
        return camera
    tilt = Rotation.from_rotvec(camera.tilt_rad)
    shift = _sum(camera.shift_m, tilt.apply(np.asarray(camera.velocity_m_s) * dt_s))
    turned = (tilt * Rotation.from_rotvec(np.asarray(camera.angular_velocity_rad_s) * dt_s)).as_rotvec()
    return replace(camera, shift_m=shift, tilt_rad=_sum((0.0, 0.0, 0.0), turned))


def _sum(a: Vector3, b: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Vector3:
    x, y, z = (float(p + q) for p, q in zip(a, b, strict=True))
    return x, y, z
