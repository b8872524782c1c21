"""What a rasteriser gives back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Drawing:
    """Pictures of N views.

    Attributes:
        rgb: uint8 (N, H, W, 3).
        depth_m: float32 (N, H, W), along z of the camera; infinity where no body is.
        segment: int16 (N, H, W), the scene's segment numbers; -1 where no body is.
        normal: float32 (N, H, W, 3), unit, in camera axes, 0 where no body is; None unless asked for.
    """

    rgb: NDArray[np.uint8]
    depth_m: NDArray[np.float32]
    segment: NDArray[np.int16]
    normal: NDArray[np.float32] | None
