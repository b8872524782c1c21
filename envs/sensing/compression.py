"""Lossy compression of a picture."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from envs.sensing.cosine import STRIDE
from envs.sensing.jpeg import round_trip
from envs.sensing.light import Float

# Steps of brightness and colour at quality 50: ITU-T T.81, tables K.1 and K.2.
_BRIGHTNESS = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_COLOUR = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8,) * 4,
)


def compress(planes: NDArray[np.uint8], quality: float) -> None:
    """Put planes (3, H, W), red, green and blue, through JPEG of quality 1 to 99 in place; from 100 on they stay."""
    if quality >= 100:
        return
    height, width = planes.shape[1:]
    half_height, half_width = _eights((height + 1) // 2), _eights((width + 1) // 2)
    round_trip(
        planes,
        np.empty((_eights(height), _eights(width)), np.uint8),
        np.empty((2, half_height, half_width), np.uint8),
        _steps(max(1, round(quality))),
        np.empty(8 * STRIDE + half_width + 1, np.int32),
        np.empty((2, 2 * half_width), np.uint8),
    )


def _eights(count: int) -> int:
    return -(-count // 8) * 8


@lru_cache(maxsize=99)
def _steps(quality: int) -> Float:
    """Return the steps of coefficients and 1 / 8 of their inverse at a quality, as `round_trip` takes them."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    whole = np.clip((np.array([_BRIGHTNESS, _COLOUR]) * percent + 50) // 100, 1, 255)
    repeated = np.tile(whole, (1, 1, STRIDE // 8))
    return np.ascontiguousarray(np.stack([repeated, 1 / (8 * repeated)], 2), np.float32)
