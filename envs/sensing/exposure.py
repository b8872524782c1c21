"""Brightness and colour: exposure, white balance, their automatics, hue, contrast and the tone curve."""

from __future__ import annotations

import math

import cv2
import numpy as np

from calibration.optics import SensorParams, Vector3
from envs.sensing.light import Float

MIDDLE = 0.5
# An automatic goes no further than this in either direction.
_MOST_EXPOSURE, _MOST_BALANCE = 8.0, 4.0


def has_automatic(sensor: SensorParams) -> bool:
    """Return whether the gains depend on the picture."""
    return bool(sensor.auto_exposure or sensor.auto_white_balance)


def gains(means: Vector3, sensor: SensorParams) -> tuple[float, Vector3]:
    """Return the gain of exposure, and the gains of white balance, for display values whose channels have these means.

    Exposure doubles display values for each stop. The automatics look at the picture first, `exposure_ev` and
    `white_balance` come on top, as a photographer's corrections do: auto exposure brings the mean to 0.5 at most three
    stops away, auto white balance makes the means of the channels alike (grey world, Buchsbaum 1980), at most by a
    factor of four. At strengths between 0 and 1 a gain is raised to that power. The means are read for them only.
    """
    exposure: float = 2.0**sensor.exposure_ev
    if not has_automatic(sensor):
        return exposure, sensor.white_balance
    red, green, blue = (max(float(m), 1 / 255) for m in means)
    mean = (red + green + blue) / 3
    exposure *= _within(MIDDLE / mean, _MOST_EXPOSURE) ** sensor.auto_exposure
    r, g, b = (_within(mean / m, _MOST_BALANCE) ** sensor.auto_white_balance for m in (red, green, blue))
    return exposure, (sensor.white_balance[0] * r, sensor.white_balance[1] * g, sensor.white_balance[2] * b)


def colour_matrix(sensor: SensorParams, exposure: float, balance: Vector3) -> tuple[Vector3, Vector3, Vector3]:
    """Return the matrix of gains, then saturation and hue: colours turn about the grey axis and move away from it."""
    cosine = sensor.saturation * math.cos(sensor.hue_rad) / 3
    sine = sensor.saturation * math.sin(sensor.hue_rad) / math.sqrt(3)
    same, after, before = 1 / 3 + 2 * cosine, 1 / 3 - cosine - sine, 1 / 3 - cosine + sine
    r, g, b = exposure * balance[0], exposure * balance[1], exposure * balance[2]
    return (
        (same * r, after * g, before * b),
        (before * r, same * g, after * b),
        (after * r, before * g, same * b),
    )


def knee_of(shoulder: float) -> float:
    """Return the display value above which highlights are compressed; 1 without a shoulder."""
    return 1.0 - 0.5 * min(max(shoulder, 0.0), 1.0)


def toned(display: Float, sensor: SensorParams, exposure: float, balance: Vector3) -> Float:
    """Return display values (H, W, 3), 0 to 1, after gains, saturation and hue, contrast, shoulder and gamma."""
    matrix = np.array(colour_matrix(sensor, exposure, balance), np.float32)
    x = np.asarray(cv2.transform(display, matrix), np.float32)
    x -= np.float32(MIDDLE)
    x *= np.float32(sensor.contrast)
    x += np.float32(MIDDLE)
    if sensor.shoulder > 0:
        x = _rolled_off(x, np.float32(knee_of(sensor.shoulder)))
    np.clip(x, 0.0, 1.0, out=x)
    if sensor.gamma != 1.0:
        np.power(x, np.float32(sensor.gamma), out=x)
    return x


def _rolled_off(x: Float, knee: np.float32) -> Float:
    """Return values that above the knee near 1 exponentially, smoothly, instead of clipping there."""
    room = np.float32(1.0) - knee
    above = np.maximum(x - knee, np.float32(0.0))
    above /= -room
    np.exp(above, out=above)
    return np.asarray(np.minimum(x, knee) + room * (np.float32(1.0) - above), np.float32)


def _within(gain: float, most: float) -> float:
    return min(max(gain, 1 / most), most)
