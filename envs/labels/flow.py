"""Optical flow from depth, segmentation and motion: no estimate, the truth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calibration.kinematics import frame_matrices
from calibration.rig import Rig
from calibration.view import CameraView
from calibration.world import WorldParams
from envs.labels.outlines import is_arm
from envs.labels.placement import camera_from_world, inverse, moved
from envs.motion import view_after, world_after


def optical_flow(
    rig: Rig,
    world: WorldParams,
    view: CameraView,
    depth_m: NDArray[np.float32],
    segmentation: NDArray[np.int16],
    dt_s: float,
) -> NDArray[np.float32]:
    """Return the flow (H, W, 2), in pixels: where what a pixel shows is `dt_s` seconds later, less where it is.

    Each pixel's point is carried along by its body, rigidly, and projected into the camera as it has moved by then.
    Whether something else covers it there is not asked, nor in which row the shutter opens when.

    NaN where no body is, where the point leaves the space before the camera, and on a URDF arm with a moving joint:
    the segmentation does not say which link a pixel shows. An arm whose base alone moves has its flow.

    Args:
        rig: the station.
        world: with the velocities of bodies, joints and camera.
        view: the camera at the start.
        depth_m: (H, W), along z; infinity where nothing is.
        segmentation: (H, W), index into the world's bodies.
        dt_s: seconds; negative for the flow into the past.
    """
    height, width = segmentation.shape
    flow = np.full((height, width, 2), np.nan, np.float32)
    rows, columns = np.nonzero((segmentation >= 0) & np.isfinite(depth_m))
    if len(rows) == 0:
        return flow
    owners = segmentation[rows, columns]
    pixels = np.column_stack([columns, rows]).astype(np.float64)
    points = view.intrinsics.unproject(pixels) * depth_m[rows, columns].astype(np.float64)[:, None]
    now, then = frame_matrices(rig, world), frame_matrices(rig, world_after(world, dt_s))
    camera_now, camera_then = camera_from_world(view), camera_from_world(view_after(view, world.camera, dt_s))
    carried = np.full_like(points, np.nan)
    for index in np.unique(owners).tolist():
        name = world.bodies[index].name
        if is_arm(rig, name) and any(j.velocity for j in world.joints):
            continue
        its = owners == index
        motion = camera_then @ then[name] @ inverse(camera_now @ now[name])
        carried[its] = moved(motion, points[its])
    known = np.isfinite(carried).all(axis=1)
    found = view.intrinsics.project(carried[known]) - pixels[known]
    flow[rows[known], columns[known]] = found
    return flow
