"""Noise: of counted electrons, and of no particular origin."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from calibration.optics import SensorParams
from envs.sensing.light import Float

_TABLE = 1 << 20
_LEAST_OFFSETS = 1 << 16
# Below, a normal distribution is too unlike Poisson's.
_FEW_E = 8.0


def gaussian(shape: tuple[int, ...], rng: np.random.Generator) -> Float:
    """Return independent standard normal values of this shape.

    To be quick, they are the sum, over the square root of 2, of two runs of fixed tables, each from a random place on.
    Within one call they are independent; two calls share a run by chance once in 2^16 or more.
    """
    count = int(np.prod(shape))
    most = _TABLE - count
    if most < _LEAST_OFFSETS:
        return np.asarray(rng.standard_normal(shape, dtype=np.float32))
    one, other = _tables()
    a, b = rng.integers(0, most, 2)
    return np.add(one[a : a + count], other[b : b + count]).reshape(shape)


def counted(light: Float, full_well_e: float, read_noise_e: float, rng: np.random.Generator) -> Float:
    """Return light (any shape), 1 at full scale, after it was counted in electrons; below 0 where read noise led there.

    The linear model of EMVA 1288: the count is Poisson with mean light * `full_well_e`, plus normal read noise of
    standard deviation `read_noise_e`. From 8 electrons on, Poisson's distribution is replaced by the normal one of
    the same variance. Its variance grows with the signal, its share of the signal falls.
    """
    electrons = light * np.float32(full_well_e)
    noise = gaussian(light.shape, rng)
    few = electrons < np.float32(_FEW_E)
    exact = None
    if few.any():
        exact = rng.poisson(electrons[few]) + np.float32(read_noise_e) * noise[few]
    noise *= np.sqrt(electrons + np.float32(read_noise_e**2))
    electrons += noise
    if exact is not None:
        electrons[few] = exact
    electrons /= np.float32(full_well_e)
    return np.asarray(electrons, np.float32)


def add_noise(display: Float, sensor: SensorParams, rng: np.random.Generator) -> None:
    """Add Gaussian noise of one pixel, and grain of two pixels width, to display values (H, W, 3), in place."""
    height, width, channels = display.shape
    if sensor.noise > 0:
        fine = gaussian(display.shape, rng)
        fine *= np.float32(sensor.noise / 255)
        display += fine
    if sensor.grain > 0:
        coarse = gaussian(((height + 1) // 2, (width + 1) // 2, channels), rng)
        coarse *= np.float32(sensor.grain / 255)
        display += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST)


@lru_cache(maxsize=1)
def _tables() -> tuple[Float, Float]:
    rng = np.random.default_rng(0)
    half = np.float32(np.sqrt(0.5))
    return rng.standard_normal(_TABLE, dtype=np.float32) * half, rng.standard_normal(_TABLE, dtype=np.float32) * half
