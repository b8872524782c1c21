"""What a depth sensor makes of true depth: noise, whole steps of disparity, missing readings."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.camera import CameraIntrinsics
from calibration.errors import InputError
from calibration.optics import DepthParams
from envs.sensing.light import Float
from envs.sensing.normal import gaussian

_NEUTRAL = DepthParams()
# An edge is where 1 / z bends by more, relative and times the focal length, than where two surfaces meet that are
# turned 56 degrees away from the camera on either side.
_EDGE_SLOPES = 3.0


def measure_depth(
    depth_m: NDArray[np.floating], params: DepthParams, camera: CameraIntrinsics, seed: int
) -> NDArray[np.float32]:
    """Return the readings (H, W) of a depth sensor, metres along z; NaN where there is none.

    In this order: a reading is that of a pixel displaced by `lateral_px` (Nguyen, Izadi & Lovell 2012); it has normal
    noise of standard deviation `noise_m + noise_per_m * z^2` (the same); it comes in whole steps of 1 / z, which are
    `step_per_m * z^2` apart (Khoshelham & Elberink 2012); it is missing at random, along edges with a share that falls
    linearly from 1 at the edge to 0 at `edge_px`; and it is missing outside `near_m` and `far_m`. Along a plane 1 / z
    does not bend, so a slanted one has no edge.

    Args:
        depth_m: true depth (H, W); infinity or NaN where nothing is, which is no reading.
        params: all errors are off in the default.
        camera: of the depth image.
        seed: of the noise and of what is missing.

    Raises:
        InputError: a depth image that is not the camera's size.
    """
    if depth_m.shape != (camera.height_px, camera.width_px):
        raise InputError(
            f"depth must be {camera.width_px} x {camera.height_px} as its camera, got an array of shape "
            f"{depth_m.shape}; give the camera that drew it"
        )
    z = np.array(depth_m, np.float32)
    z[~np.isfinite(z) | (z <= 0)] = np.nan
    if params == _NEUTRAL:
        return z
    rng = np.random.default_rng(seed)
    missing = np.zeros(z.shape, np.bool_)
    if params.edge_px > 0:
        missing |= rng.random(z.shape, dtype=np.float32) < _near_edges(z, camera.fx_px, params.edge_px)
    if params.dropout > 0:
        missing |= rng.random(z.shape, dtype=np.float32) < params.dropout
    if params.lateral_px > 0:
        z = _displaced(z, params.lateral_px, rng)
    if params.noise_m > 0 or params.noise_per_m > 0:
        z = z + gaussian(z.shape, rng) * (np.float32(params.noise_m) + np.float32(params.noise_per_m) * z * z)
    with np.errstate(divide="ignore", invalid="ignore"):
        if params.step_per_m > 0:
            z = np.float32(1.0) / (np.round(np.float32(1.0 / params.step_per_m) / z) * np.float32(params.step_per_m))
        missing |= ~(np.isfinite(z) & (z > 0) & (z >= params.near_m))
        if params.far_m > 0:
            missing |= z > params.far_m
    return np.asarray(np.where(missing, np.float32(np.nan), z), np.float32)


def _displaced(z: Float, std_px: float, rng: np.random.Generator) -> Float:
    """Return for each pixel the depth at another one, a normal distance away, inside the image."""
    height, width = z.shape
    by = np.round(gaussian((2, height, width), rng) * np.float32(std_px)).astype(np.intp)
    rows = np.clip(np.arange(height)[:, None] + by[0], 0, height - 1)
    columns = np.clip(np.arange(width)[None, :] + by[1], 0, width - 1)
    return np.asarray(z[rows, columns], np.float32)


def _near_edges(z: Float, focal_px: float, width_px: float) -> Float:
    """Return the share (H, W) of readings that an edge takes."""
    inverse = np.nan_to_num(np.float32(1.0) / z, nan=0.0)
    nearest = cv2.dilate(inverse, np.ones((3, 3), np.uint8))
    least = nearest * np.float32(_EDGE_SLOPES / focal_px)
    bend = np.zeros_like(inverse)
    bend[:, 1:-1] = np.abs(np.diff(inverse, 2, axis=1))
    bend[1:-1] = np.maximum(bend[1:-1], np.abs(np.diff(inverse, 2, axis=0)))
    flat = np.asarray((bend <= least) | (nearest <= 0), np.uint8)
    if flat.all():
        return np.zeros_like(inverse)
    # The edge lies between two pixels, each of which is half a pixel away.
    distance = cv2.distanceTransform(flat, cv2.DIST_L2, 5) + np.float32(0.5)
    return np.asarray(np.clip(1.0 - distance / np.float32(width_px), 0.0, 1.0), np.float32)
