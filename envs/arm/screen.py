"""Pictures for people: the goal marked, a window."""

from __future__ import annotations

import os
import sys

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.camera import CameraIntrinsics
from calibration.rig import Rig
from calibration.view import CameraView
from calibration.world import WorldParams

_GOAL_RGB = (40, 200, 60)


def has_screen() -> bool:
    """Return whether a window can be opened."""
    return not sys.platform.startswith("linux") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def picture_with_goals(
    rgb: NDArray[np.uint8],
    camera: CameraIntrinsics,
    rig: Rig,
    world: WorldParams,
    goal: NDArray[np.float64],
) -> NDArray[np.uint8]:
    """Return the picture with a ring at each point of the goal, (3k,) metres in the world."""
    view = CameraView(camera, rig.camera.world_from_camera()).moved(world.camera)
    drawn = rgb.copy()
    for x, y in view.project(goal.reshape(-1, 3)):
        if np.isfinite([x, y]).all() and -1e4 < x < 1e4 and -1e4 < y < 1e4:
            centre = (round(float(x)), round(float(y)))
            cv2.circle(drawn, centre, max(rgb.shape[0] // 60, 3), _GOAL_RGB, 2, cv2.LINE_AA)
    return drawn


def show(rgb: NDArray[np.uint8], title: str) -> None:
    """Show a picture in a window."""
    cv2.imshow(title, np.ascontiguousarray(rgb[..., ::-1]))
    cv2.waitKey(1)
