"""The one conversion from OpenCV cameras to OpenGL matrices."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calibration.camera import CameraIntrinsics
from calibration.pose import Pose

# OpenCV's camera looks along +z with y down, OpenGL's along -z with y up.
_GL_FROM_CV = np.diag([1.0, -1.0, -1.0, 1.0])


def view_matrix(world_from_camera: Pose) -> NDArray[np.float64]:
    """Return OpenGL's view matrix (4, 4), row-major; PyBullet wants its transpose, flattened."""
    return np.asarray(_GL_FROM_CV @ world_from_camera.inverse().matrix())


def projection_matrix(
    camera: CameraIntrinsics, near_m: float, far_m: float, sample_px: float = 0.0
) -> NDArray[np.float64]:
    """Return OpenGL's projection matrix (4, 4), row-major, of a pinhole camera; distortion is not in it.

    Args:
        camera: pixel (0, 0) is the centre of the top-left pixel.
        near_m: nearest depth that is drawn.
        far_m: farthest depth that is drawn.
        sample_px: where in a pixel the renderer samples, from its centre, to the right and up: 0 for a
            renderer that samples centres, -0.5 for one that samples lower left corners (TinyRenderer).
    """
    width, height = camera.width_px, camera.height_px
    # Buffers run from the bottom row up: what is left of a pixel's centre in x is below it in y.
    cx, cy = camera.cx_px + 0.5 + sample_px, camera.cy_px + 0.5 - sample_px
    return np.array(
        [
            [2 * camera.fx_px / width, 0.0, 1.0 - 2.0 * cx / width, 0.0],
            [0.0, 2 * camera.fy_px / height, 2.0 * cy / height - 1.0, 0.0],
            [0.0, 0.0, -(far_m + near_m) / (far_m - near_m), -2.0 * far_m * near_m / (far_m - near_m)],
            [0.0, 0.0, -1.0, 0.0],
        ]
    )


def depth_from_buffer(buffer: NDArray[np.float32], near_m: float, far_m: float) -> NDArray[np.float32]:
    """Return metres along z for OpenGL depth values 0 to 1; infinity where nothing was drawn."""
    depth = far_m * near_m / (far_m - (far_m - near_m) * buffer.astype(np.float64))
    return np.where(buffer >= 1.0, np.inf, depth).astype(np.float32)
