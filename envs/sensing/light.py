"""Between display values and light: the transfer function of sRGB, as tables."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

_LAST = 65535


def _decoded(display: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(display <= 0.04045, display / 12.92, ((display + 0.055) / 1.055) ** 2.4)


def _encoded(light: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


_STEPS = np.arange(_LAST + 1) / _LAST
# The steepest part of the curve moves by 0.05 grey levels from one entry to the next.
_LIGHT = _decoded(_STEPS).astype(np.float32)
_DISPLAY = _encoded(_STEPS).astype(np.float32)
_LEVELS = np.round(_encoded(_STEPS) * 255).astype(np.uint8)
_LIGHT_OF_LEVEL = _decoded(np.arange(256) / 255).astype(np.float32)


def light_of_levels(rgb: NDArray[np.uint8]) -> Float:
    """Return the light, 0 to 1, of grey levels: the inverse transfer function of sRGB (IEC 61966-2-1)."""
    return np.asarray(cv2.LUT(rgb, _LIGHT_OF_LEVEL), np.float32).reshape(rgb.shape)


def levels_of_light(light: Float) -> NDArray[np.uint8]:
    """Return the grey levels of light; outside 0 to 1 it clips."""
    return _LEVELS.take(to_16_bits(light))


def light_of_display(display: Float) -> Float:
    """Return the light, 0 to 1, of display values; outside 0 to 1 they clip."""
    return _LIGHT.take(to_16_bits(display))


def display_of_16_bits(light: NDArray[np.uint16]) -> Float:
    """Return display values, 0 to 1, of light in steps of 1 / 65535."""
    return _DISPLAY.take(light)


def to_16_bits(values: Float) -> NDArray[np.uint16]:
    """Return values, 0 to 1, in steps of 1 / 65535; outside they clip."""
    scaled = values * np.float32(_LAST)
    scaled += np.float32(0.5)
    return np.clip(scaled, 0.0, np.float32(_LAST), out=scaled).astype(np.uint16)
