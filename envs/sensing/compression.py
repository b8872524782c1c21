"""Lossy compression of a picture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def compressed(rgb: NDArray[np.uint8], quality: float) -> NDArray[np.uint8]:
    """Return the picture (H, W, 3) after JPEG (ITU-T T.81) of quality 1 to 99; from 100 on it is left as it is."""
    if quality >= 100:
        return rgb
    settings = [cv2.IMWRITE_JPEG_QUALITY, max(1, round(quality))]
    decoded = cv2.imdecode(cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), settings)[1], cv2.IMREAD_COLOR)
    assert decoded is not None
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)
