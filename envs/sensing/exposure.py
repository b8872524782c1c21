"""Brightness and colour: exposure, white balance, their automatics, hue, contrast and the tone curve."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.optics import SensorParams
from envs.sensing.light import Float

_MIDDLE = 0.5
# Projections onto the grey axis and off it, and the cross product with it.
_GREY = np.full((3, 3), 1 / 3)
_COLOUR = np.eye(3) - _GREY
_ABOUT_GREY = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)
# An automatic goes no further than this in either direction.
_MOST_EXPOSURE, _MOST_BALANCE = 8.0, 4.0


def gains(display: Float, sensor: SensorParams) -> tuple[np.float32, Float]:
    """Return the gain of exposure, and the gains (3,) of white balance, for display values (H, W, 3).

    Exposure doubles display values for each stop. The automatics look at the picture first, `exposure_ev` and
    `white_balance` come on top, as a photographer's corrections do: auto exposure brings the mean to 0.5 at most three
    stops away, auto white balance makes the means of the channels alike (grey world, Buchsbaum 1980), at most by a
    factor of four. At strengths between 0 and 1 a gain is raised to that power.
    """
    exposure = np.float32(2.0**sensor.exposure_ev)
    balance = np.asarray(sensor.white_balance, np.float32)
    if sensor.auto_exposure or sensor.auto_white_balance:
        means = np.maximum(np.array(cv2.mean(display)[:3]), 1 / 255)
        needed = min(max(_MIDDLE / float(means.mean()), 1 / _MOST_EXPOSURE), _MOST_EXPOSURE)
        exposure *= np.float32(needed**sensor.auto_exposure)
        alike = np.clip(means.mean() / means, 1 / _MOST_BALANCE, _MOST_BALANCE)
        balance = balance * (alike**sensor.auto_white_balance).astype(np.float32)
    return exposure, balance


def toned(display: Float, sensor: SensorParams, gain: Float) -> Float:
    """Return display values (H, W, 3), 0 to 1, after gains (3,), saturation and hue, contrast, shoulder and gamma."""
    matrix = _hue_saturation(sensor.hue_rad, sensor.saturation) * gain[None, :]
    x = np.asarray(cv2.transform(display, matrix.astype(np.float32)), np.float32)
    x -= np.float32(_MIDDLE)
    x *= np.float32(sensor.contrast)
    x += np.float32(_MIDDLE)
    if sensor.shoulder > 0:
        x = _rolled_off(x, sensor.shoulder)
    np.clip(x, 0.0, 1.0, out=x)
    if sensor.gamma != 1.0:
        np.power(x, np.float32(sensor.gamma), out=x)
    return x


def _rolled_off(x: Float, strength: float) -> Float:
    """Return values that above 1 - strength / 2 near 1 exponentially, smoothly, instead of clipping there."""
    knee = np.float32(1.0 - 0.5 * min(strength, 1.0))
    room = np.float32(1.0) - knee
    above = np.maximum(x - knee, np.float32(0.0))
    above /= -room
    np.exp(above, out=above)
    return np.asarray(np.minimum(x, knee) + room * (np.float32(1.0) - above), np.float32)


def _hue_saturation(hue_rad: float, saturation: float) -> NDArray[np.float64]:
    """Return the matrix (3, 3) that turns colours about the grey axis and scales their distance from it."""
    turn = math.cos(hue_rad) * _COLOUR + math.sin(hue_rad) * _ABOUT_GREY
    return np.asarray(_GREY + saturation * turn)
