"""What a camera makes of the light: exposure, colour, blur, noise, compression.

Simple image-space models, each a standard one: exposure and white balance are gains, tone is a power law,
noise is Gaussian (EMVA 1288 without its signal-dependent part), vignetting is quadratic in the radius.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.optics import SensorParams

_CHANNEL_ORDERS = ("rgb", "bgr", "grb", "gbr", "brg", "rbg")


def measure(rgb: NDArray[np.uint8], sensor: SensorParams, seed: int) -> NDArray[np.uint8]:
    """Return the picture (H, W, 3) as the sensor delivers it; the given one is unchanged.

    Args:
        rgb: what the renderer drew.
        sensor: all effects are off in the default.
        seed: of the noise.

    Raises:
        ValueError: an unknown channel order.
    """
    if sensor == SensorParams():
        return rgb
    if sensor.channels not in _CHANNEL_ORDERS:
        raise ValueError(f"sensor.channels must be one of {', '.join(_CHANNEL_ORDERS)}, got '{sensor.channels}'")
    x = rgb.astype(np.float32) * np.float32(1 / 255)
    rng = np.random.default_rng(seed)
    if sensor.shading > 0:
        x = x * _uneven_light(x.shape[0], x.shape[1], sensor.shading, rng)
    x = _colours(x, sensor)
    if sensor.vignetting:
        x *= _vignette(x.shape[0], x.shape[1], sensor.vignetting)
    if sensor.haze:
        x = x * np.float32(1 - sensor.haze) + np.float32(0.6 * sensor.haze)
    if sensor.blur_px > 0:
        x = cv2.GaussianBlur(x, (0, 0), sensor.blur_px, borderType=cv2.BORDER_REFLECT_101).astype(np.float32)
    if sensor.noise > 0 or sensor.grain > 0:
        x = x + _noise(x.shape, sensor, rng)
    out = np.clip(x * 255.0 + 0.5, 0, 255).astype(np.uint8)
    if sensor.jpeg_quality < 100:
        quality = [cv2.IMWRITE_JPEG_QUALITY, max(1, round(sensor.jpeg_quality))]
        decoded = cv2.imdecode(cv2.imencode(".jpg", out[..., ::-1], quality)[1], cv2.IMREAD_COLOR)
        assert decoded is not None
        out = np.asarray(decoded[..., ::-1], np.uint8)
    order = ["rgb".index(c) for c in sensor.channels]
    return np.ascontiguousarray(out[..., order]).astype(np.uint8)


def _colours(x: NDArray[np.float32], sensor: SensorParams) -> NDArray[np.float32]:
    """Apply exposure and white balance, then saturation and hue, then contrast and the tone curve."""
    gain = np.asarray(sensor.white_balance, np.float32) * np.float32(2.0**sensor.exposure_ev)
    matrix = _hue_saturation(sensor.hue_rad, sensor.saturation) * gain[None, :]
    x = cv2.transform(x, matrix.astype(np.float32)).astype(np.float32)
    x = (x - np.float32(0.5)) * np.float32(sensor.contrast) + np.float32(0.5)
    x = np.clip(x, 0.0, 1.0)
    if sensor.gamma != 1.0:
        x = np.power(x, np.float32(sensor.gamma))
    return x


def _hue_saturation(hue_rad: float, saturation: float) -> NDArray[np.float64]:
    """Return the matrix (3, 3) that turns colours about the grey axis and scales their distance from it."""
    grey = np.full((3, 3), 1 / 3)
    k = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)
    turn = math.cos(hue_rad) * (np.eye(3) - grey) + math.sin(hue_rad) * k
    return np.asarray(grey + saturation * turn)


def _vignette(height: int, width: int, strength: float) -> NDArray[np.float32]:
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    cy, cx = (height - 1) / 2, (width - 1) / 2
    radius2 = ((x - cx) ** 2 + (y - cy) ** 2) / (cx * cx + cy * cy)
    return np.asarray(1.0 - strength * radius2, np.float32)[..., None]


def _uneven_light(height: int, width: int, strength: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return a smooth gain (H, W, 1) around 1 from a random coarse grid."""
    grid = np.exp(strength * rng.standard_normal((4, 5), dtype=np.float32))
    return np.asarray(cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)[..., None]


def _noise(shape: tuple[int, ...], sensor: SensorParams, rng: np.random.Generator) -> NDArray[np.float32]:
    fine = rng.standard_normal(shape, dtype=np.float32) * np.float32(sensor.noise / 255)
    if sensor.grain > 0:
        half = ((shape[0] + 1) // 2, (shape[1] + 1) // 2, shape[2])
        coarse = rng.standard_normal(half, dtype=np.float32) * np.float32(sensor.grain / 255)
        fine += cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_NEAREST)
    return fine
