"""What every renderer offers, made for batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from calibration.camera import CameraIntrinsics
from calibration.view import CameraView
from calibration.world import WorldParams


@dataclass(frozen=True, eq=False)
class Images:
    """Pictures of N worlds.

    Attributes:
        rgb: uint8 (N, H, W, 3).
        depth_m: float32 (N, H, W), along z of the camera; infinity where no body is.
        segmentation: int16 (N, H, W), index into the world's `bodies`; -1 where no body is.
        views: the camera of each picture.
        normals: float32 (N, H, W, 3), unit, in camera axes, 0 where no body is; None unless asked for.
    """

    rgb: NDArray[np.uint8]
    depth_m: NDArray[np.float32]
    segmentation: NDArray[np.int16]
    views: tuple[CameraView, ...]
    normals: NDArray[np.float32] | None = None


class Renderer(Protocol):
    """Draws worlds of one rig."""

    def render(self, worlds: Sequence[WorldParams], camera: CameraIntrinsics, normals: bool = False) -> Images:
        """Return pictures of the worlds through the rig's camera with these nominal intrinsics.

        One that cannot draw normals leaves them out.
        """
        ...

    def close(self) -> None:
        """Release what the renderer holds; twice is fine."""
        ...
