"""From a drawn picture to the grey levels of a sensor that counts no electrons."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from calibration.optics import SensorParams, Vector3
from envs.sensing.exposure import MIDDLE, colour_matrix, gains, has_automatic, knee_of
from envs.sensing.fused import SCRATCH_ROWS, SPARE, channel_means, develop, finish
from envs.sensing.lens import VEIL, blur_taps, cubic, uneven_grid
from envs.sensing.light import Float
from envs.sensing.normal import Stream, key_of

_NO_GRID = np.empty((0, 5), np.float32)
_NO_KEYS = np.zeros(4, np.uint32)
_NO_MEANS = (0.0, 0.0, 0.0)


def developed(rgb: NDArray[np.uint8], sensor: SensorParams, seed: int) -> NDArray[np.uint8]:
    """Return the planes (3, H, W) of a picture (H, W, 3) after everything but compression and the order of channels.

    In one pass: uneven light, gains, tone, vignetting, haze, blur, noise, grain.
    """
    height, width = rgb.shape[:2]
    rgb = np.ascontiguousarray(rgb)
    grid = uneven_grid(sensor.shading, seed) if sensor.shading > 0 else _NO_GRID
    down, across = cubic(height, 4), _across(width)
    scratch = np.empty((SCRATCH_ROWS, width + SPARE), np.float32)
    means = _NO_MEANS
    if has_automatic(sensor):
        channel_means(rgb, grid, down, across, scratch, found := np.empty(3, np.float64))
        means = (found[0], found[1], found[2])
    taps = blur_taps(sensor.blur_px)
    reach = len(taps) - 1
    planes = np.empty((3, height, width), np.uint8)
    develop(
        rgb,
        planes,
        grid,
        down,
        across,
        _settings(sensor, *gains(means, sensor)),
        taps,
        scratch,
        np.empty((3, width + 2 * reach + SPARE), np.float32),
        np.empty((min(2 * reach + 1, height), 3 * width + SPARE), np.float32),
        _keys(sensor, seed),
    )
    return planes


def noisy_levels(display: Float, sensor: SensorParams, seed: int) -> NDArray[np.uint8]:
    """Return the planes (3, H, W) of display values (H, W, 3) with noise and grain, in grey levels."""
    height, width = display.shape[:2]
    planes = np.empty((3, height, width), np.uint8)
    scratch = np.empty((SCRATCH_ROWS, width + SPARE), np.float32)
    noise, grain = np.float32(sensor.noise), np.float32(sensor.grain)
    finish(np.ascontiguousarray(display), planes, noise, grain, scratch, _keys(sensor, seed))
    return planes


def _settings(sensor: SensorParams, exposure: float, balance: Vector3) -> Float:
    rows = colour_matrix(sensor, exposure * sensor.contrast / 255, balance)
    return np.array(
        (
            *rows[0],
            *rows[1],
            *rows[2],
            MIDDLE - MIDDLE * sensor.contrast,
            knee_of(sensor.shoulder),
            sensor.gamma,
            255 * (1 - sensor.haze),
            255 * VEIL * sensor.haze,
            sensor.vignetting,
            sensor.noise,
            sensor.grain,
        ),
        np.float32,
    )


def _keys(sensor: SensorParams, seed: int) -> NDArray[np.uint32]:
    if sensor.noise <= 0 and sensor.grain <= 0:
        return _NO_KEYS
    return np.array((*key_of(seed, Stream.NOISE), *key_of(seed, Stream.GRAIN)), np.uint32)


@lru_cache(maxsize=16)
def _across(width: int) -> Float:
    return np.ascontiguousarray(cubic(width, 5).T)
