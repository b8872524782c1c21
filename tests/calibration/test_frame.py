import numpy as np
import pytest

from calibration.camera import CameraIntrinsics
from calibration.frame import Frame

CAMERA = CameraIntrinsics(4, 3, 5.0, 5.0, 1.5, 1.0)


def test_a_frame_locks_its_pixels() -> None:
    frame = Frame(np.zeros((3, 4, 3), np.uint8), CAMERA, None, 0.0, "simulation", np.ones((3, 4), np.float32))
    with pytest.raises(ValueError, match="read-only"):
        frame.rgb[0, 0] = 1
    assert frame.depth_m is not None
    with pytest.raises(ValueError, match="read-only"):
        frame.depth_m[0, 0] = 1


def test_pixels_that_do_not_fit_the_camera() -> None:
    with pytest.raises(ValueError, match=r"rgb must be uint8 \(3, 4, 3\), got uint8 \(4, 3, 3\)"):
        Frame(np.zeros((4, 3, 3), np.uint8), CAMERA, None, 0.0, "simulation")
    with pytest.raises(ValueError, match=r"rgb must be uint8 \(3, 4, 3\), got float64 \(3, 4, 3\)"):
        Frame(np.zeros((3, 4, 3)), CAMERA, None, 0.0, "simulation")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"depth_m must be \(3, 4\), got \(4, 3\)"):
        Frame(np.zeros((3, 4, 3), np.uint8), CAMERA, None, 0.0, "simulation", np.ones((4, 3), np.float32))
