"""Where frames and cameras are, for many pictures at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from calibration.kinematics import frame_matrices, matrix_of
from calibration.rig import Rig
from calibration.view import CameraView
from calibration.world import WorldParams

Points = NDArray[np.float64]


def frames_of(rig: Rig, world: WorldParams, names: Sequence[str]) -> dict[str, Points]:
    """Return world_from_frame (4, 4) of at least these frames; the whole tree only when one hangs on a joint.

    A body of the rig that the world does not list is where the rig has it.
    """
    bodies = {b.name: b for b in world.bodies}
    found: dict[str, Points] = {}
    for name in names:
        params = bodies.get(name)
        if name == "world":
            found[name] = np.eye(4)
        elif params is not None and _stands_in_world(rig, name, params.role):
            found[name] = matrix_of(params.position_m, params.rpy_rad)
        else:
            found = frame_matrices(rig, world)
            break
    for name in names:
        if name not in found:
            body = rig.body(name)
            found[name] = found[body.parent] @ matrix_of(body.position_m, body.rpy_rad)
    return found


def _stands_in_world(rig: Rig, name: str, role: str) -> bool:
    if role == "distractor":
        return True
    return not (name == "robot" and rig.robot is not None) and rig.body(name).parent == "world"


def cameras_from_world(views: Sequence[CameraView]) -> Points:
    """Return camera_from_world (N, 3, 4) of views."""
    quats = np.array([v.world_from_camera.quat_xyzw for v in views]).reshape(-1, 4)
    places = np.array([v.world_from_camera.position_m for v in views]).reshape(-1, 3)
    x, y, z, w = quats.T
    out = np.empty((len(quats), 3, 4))
    # The transpose of world_from_camera's rotation.
    out[:, 0, :3] = np.stack([1 - 2 * (y * y + z * z), 2 * (x * y + z * w), 2 * (x * z - y * w)], axis=1)
    out[:, 1, :3] = np.stack([2 * (x * y - z * w), 1 - 2 * (x * x + z * z), 2 * (y * z + x * w)], axis=1)
    out[:, 2, :3] = np.stack([2 * (x * z + y * w), 2 * (y * z - x * w), 1 - 2 * (x * x + y * y)], axis=1)
    out[:, :, 3] = -np.matmul(out[:, :, :3], places[:, :, None])[:, :, 0]
    return out


def camera_from_world(view: CameraView) -> Points:
    """Return camera_from_world (4, 4) of a view."""
    out = np.eye(4)
    out[:3] = cameras_from_world([view])[0]
    return out


def moved(matrix: Points, points: Points) -> Points:
    """Return points (..., P, 3) mapped by matrices (..., 3 or 4, 4)."""
    turned = np.matmul(points, np.swapaxes(matrix[..., :3, :3], -1, -2))
    return np.asarray(turned + matrix[..., None, :3, 3])


def inverse(matrix: Points) -> Points:
    """Return the inverse (4, 4) of a rigid transform."""
    out = np.eye(4)
    out[:3, :3] = matrix[:3, :3].T
    out[:3, 3] = -matrix[:3, :3].T @ matrix[:3, 3]
    return out
