"""Where every body is, seen from the camera."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calibration.kinematics import frame_matrices, urdf_names
from calibration.rig import Rig
from calibration.view import CameraView
from calibration.world import WorldParams
from envs.labels.placement import camera_from_world

Matrix = NDArray[np.float64]


def camera_from_frames(rig: Rig, world: WorldParams, view: CameraView) -> dict[str, Matrix]:
    """Return camera_from_body (4, 4), metres, of every present body, and of base ("robot") and links of a URDF arm.

    A body's frame has its origin in the middle of the body and its axes along the body's own.
    """
    frames = frame_matrices(rig, world)
    names = [b.name for b in world.bodies if b.present]
    if rig.robot is not None and "robot" in names:
        names += sorted(urdf_names(rig)[0] - set(names))
    camera = camera_from_world(view)
    return {name: camera @ frames[name] for name in names}
