"""What happens to a picture on its way to the sensor: shading, vignetting, haze, blur, colour fringes."""

from __future__ import annotations

import math
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.camera import CameraIntrinsics
from calibration.optics import SensorParams
from envs.sensing.light import Float
from envs.sensing.normal import Stream, fill_log_normal, key_of

VEIL = 0.6
_COARSE = (4, 5)
# Of a step from black to white it is a fortieth of a grey level.
_LEAST_TAP = 1e-4
_LOG2_E = 1.4426950408889634


def uneven_grid(strength: float, seed: int) -> Float:
    """Return the gains (4, 5) of uneven light on a coarse grid: log-normal, `strength` is the logarithm's deviation."""
    values = np.empty(32, np.float32)
    fill_log_normal(values, np.float32(strength * _LOG2_E), *key_of(seed, Stream.SHADING))
    return values[: _COARSE[0] * _COARSE[1]].reshape(_COARSE)


def uneven_light(height: int, width: int, grid: Float) -> Float:
    """Return a smooth gain (H, W, 3), alike in all channels, around 1: cubic between the values of a grid."""
    return _three_channels(cubic(height, grid.shape[0]) @ grid @ cubic(width, grid.shape[1]).T)


def blur_taps(std_px: float) -> Float:
    """Return half a Gaussian kernel, from its middle on, as far as it matters to a grey level; its sum in full is 1."""
    if std_px <= 0:
        return np.ones(1, np.float32)
    reach = math.ceil(4 * std_px)
    weights = [math.exp(-0.5 * (k / std_px) ** 2) for k in range(reach + 1)]
    total = 2 * sum(weights) - 1
    while weights[-1] < _LEAST_TAP * total:
        weights.pop()
    total = 2 * sum(weights) - 1
    return np.array([w / total for w in weights], np.float32)


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
        display += np.float32(VEIL * sensor.haze)
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
def cubic(length: int, knots: int) -> Float:
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
