"""One timestamped image with its camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from calibration.camera import CameraIntrinsics
from calibration.pose import Pose

Domain = Literal["simulation", "held-out simulation", "real photographs"]


@dataclass(frozen=True, eq=False)
class Frame:
    """One image and what is known of how it was taken.

    Attributes:
        rgb: uint8 (H, W, 3); made read-only.
        camera: intrinsics for exactly this image size.
        world_from_camera: None when not calibrated.
        time_s: seconds since the start of the recording.
        domain: where the pixels come from.
        depth_m: float32 (H, W) along z, NaN where there is no reading.
    """

    rgb: NDArray[np.uint8]
    camera: CameraIntrinsics
    world_from_camera: Pose | None
    time_s: float
    domain: Domain
    depth_m: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        """Check the shapes and lock the arrays."""
        expected = (self.camera.height_px, self.camera.width_px, 3)
        if self.rgb.shape != expected or self.rgb.dtype != np.uint8:
            raise ValueError(f"rgb must be uint8 {expected}, got {self.rgb.dtype} {self.rgb.shape}")
        if self.depth_m is not None and self.depth_m.shape != expected[:2]:
            raise ValueError(f"depth_m must be {expected[:2]}, got {self.depth_m.shape}")
        self.rgb.flags.writeable = False
        if self.depth_m is not None:
            self.depth_m.flags.writeable = False
