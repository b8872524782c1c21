"""How much two pictures are alike."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def ssim(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Return the mean structural similarity of two pictures (H, W, 3), on their luminance: 1 for the same picture.

    Wang, Bovik, Sheikh & Simoncelli 2004, with their window (Gaussian, 11 pixels, 1.5 px) and constants.
    """
    x, y = (cv2.cvtColor(p, cv2.COLOR_RGB2GRAY).astype(np.float64) for p in (a, b))

    def mean(v: NDArray[np.float64]) -> NDArray[np.float64]:
        blurred = cv2.GaussianBlur(v, (11, 11), 1.5)
        return np.asarray(blurred[5:-5, 5:-5], np.float64)

    mx, my = mean(x), mean(y)
    vx, vy, vxy = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return float((((2 * mx * my + c1) * (2 * vxy + c2)) / ((mx * mx + my * my + c1) * (vx + vy + c2))).mean())
