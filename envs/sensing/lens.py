"""What happens to a picture on its way to the sensor: shading, vignetting, haze, blur, colour fringes."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.camera import CameraIntrinsics
from calibration.optics import SensorParams
from envs.sensing.light import Float

_COARSE = (4, 5)
_VEIL = 0.6


def uneven_light(height: int, width: int, strength: float, rng: np.random.Generator) -> Float:
    """Return a smooth gain (H, W, 3), alike in all channels, around 1: cubic between the values of a random grid.

    The grid's values are log-normal; `strength` is the standard deviation of their logarithm.
    """
    grid = np.exp(strength * rng.standard_normal(_COARSE, dtype=np.float32))
    down, across = _cubic(height, _COARSE[0]), _cubic(width, _COARSE[1])
    return _three_channels(down @ grid @ across.T)


def through_glass(display: Float, sensor: SensorParams) -> Float:
    """Return display values (H, W, 3) with vignetting, haze and blur, in this order; the given ones may be changed.

    Vignetting takes the share `vignetting` of the light in the corners and falls with the square of the distance from
    the centre, as in Goldman 2010 to its first order. Haze lays a flat grey veil over the picture (Koschmieder 1924 at
    one distance). Blur is Gaussian, `blur_px` in pixels.
    """
    if sensor.vignetting:
        display *= np.float32(1.0) - np.float32(sensor.vignetting) * _radius_squared(*display.shape[:2])
    if sensor.haze:
        display *= np.float32(1 - sensor.haze)
        display += np.float32(_VEIL * sensor.haze)
    if sensor.blur_px > 0:
        blurred = cv2.GaussianBlur(display, (0, 0), sensor.blur_px, borderType=cv2.BORDER_REFLECT_101)
        display = np.asarray(blurred, np.float32)
    return display


def fringed(rgb: NDArray[np.uint8], camera: CameraIntrinsics, chromatic: float) -> NDArray[np.uint8]:
    """Return the picture (H, W, 3) with lateral chromatic aberration; the given one is unchanged.

    Red is drawn 1 + `chromatic` times as large as green about the principal point and blue 1 - `chromatic` times, which
    is the first order of Mallon & Whelan 2007. What comes in over the edge repeats the outermost pixel.
    """
    if not chromatic:
        return rgb
    channels = list(cv2.split(rgb))
    for k, size in ((0, 1.0 + chromatic), (2, 1.0 - chromatic)):
        source = np.array(
            [
                [1 / size, 0.0, camera.cx_px * (1 - 1 / size)],
                [0.0, 1 / size, camera.cy_px * (1 - 1 / size)],
            ]
        )
        channels[k] = cv2.warpAffine(
            channels[k],
            source,
            (rgb.shape[1], rgb.shape[0]),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
    return np.asarray(cv2.merge(channels), np.uint8)


@lru_cache(maxsize=16)
def _cubic(length: int, knots: int) -> Float:
    """Return the weights (length, knots) of cubic interpolation, as in OpenCV's resize."""
    return np.asarray(cv2.resize(np.eye(knots, dtype=np.float32), (knots, length), interpolation=cv2.INTER_CUBIC))


@lru_cache(maxsize=4)
def _radius_squared(height: int, width: int) -> Float:
    """Return the squared distance (H, W, 3) from the centre, 1 in the corners."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    cy, cx = (height - 1) / 2, (width - 1) / 2
    return _three_channels(((x - cx) ** 2 + (y - cy) ** 2) / max(cx * cx + cy * cy, 1e-9))


def _three_channels(plane: NDArray[np.floating]) -> Float:
    # NumPy multiplies by a plane (H, W, 1) ten times slower than by one that has all channels.
    return np.asarray(cv2.cvtColor(np.asarray(plane, np.float32), cv2.COLOR_GRAY2RGB), np.float32)
