"""The colour filter over a sensor: each pixel sees one colour, the others are interpolated."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from envs.sensing.light import Float

# The colours of the upper left two by two pixels, row by row.
PATTERNS = {
    "rggb": cv2.COLOR_BayerRGGB2RGB,
    "bggr": cv2.COLOR_BayerBGGR2RGB,
    "grbg": cv2.COLOR_BayerGRBG2RGB,
    "gbrg": cv2.COLOR_BayerGBRG2RGB,
}


def filtered(rgb: Float, pattern: str) -> Float:
    """Return what each pixel (H, W) sees of a picture (H, W, 3) through its filter (Bayer 1976)."""
    raw = np.empty(rgb.shape[:2], np.float32)
    for k, colour in enumerate(pattern):
        rows, columns = slice(k // 2, None, 2), slice(k % 2, None, 2)
        raw[rows, columns] = rgb[rows, columns, "rgb".index(colour)]
    return raw


def demosaiced(raw: NDArray[np.uint16], pattern: str) -> NDArray[np.uint16]:
    """Return the picture (H, W, 3) with the missing colours interpolated bilinearly, as OpenCV does."""
    return np.asarray(cv2.demosaicing(raw, PATTERNS[pattern]), np.uint16)
