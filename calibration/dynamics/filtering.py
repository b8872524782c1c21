"""Velocities and accelerations from measured positions, and the same low-pass for torques, without delay."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import butter, sosfiltfilt

from calibration.dynamics.logs import MotionLog
from calibration.dynamics.model import ArmModel, Float, Mask
from calibration.dynamics.regressor import torque_regressor
from calibration.errors import InputError

_ORDER = 4
_STILL_RAD_S = 0.05


@dataclass(frozen=True)
class FilterSettings:
    """Cut-off frequencies.

    Attributes:
        motion_hz: of positions, before they are differentiated. About eight times the fundamental: dry friction puts
            odd harmonics into the motion that the friction term needs.
        torque_hz: of both sides of the torque equation (Gautier's parallel filter). An acceleration's noise grows with
            the square of frequency and biases the inertias towards zero, so it lies at about twice the fundamental.
        edge_s: dropped at both ends, where a two-sided filter has one side only.
    """

    motion_hz: float = 10.0
    torque_hz: float = 3.0
    edge_s: float = 0.2

    def thinning(self, step_s: float) -> int:
        """Return of how many rows of the torque equation, sampled at a step, one is enough for its cut-off."""
        return max(1, int(1 / (8 * self.torque_hz * step_s)))


@dataclass(frozen=True)
class Motion:
    """Filtered motion; all (N, J), in radians and seconds."""

    positions: Float
    velocities: Float
    accelerations: Float


def low_pass(values: Float, cut_hz: float, step_s: float) -> Float:
    """Return values (N, ...) without what is faster than a frequency, and without delay.

    A Butterworth filter of fourth order, forwards and backwards (Gustafsson 1996).

    Raises:
        InputError: the samples are too few or too slow for it.
    """
    if not 0 < cut_hz < 0.5 / step_s:
        raise InputError(f"cut-off must lie between 0 and {0.5 / step_s:g} Hz, half the sample rate, got {cut_hz:g}")
    pad = min(len(values) - 1, int(3 / (cut_hz * step_s)))
    return np.asarray(sosfiltfilt(butter(_ORDER, 2 * cut_hz * step_s, output="sos"), values, axis=0, padlen=pad))


def differentiate(positions: Float, step_s: float, cut_hz: float) -> Motion:
    """Return smooth positions, velocities and accelerations of measured positions (N, J), radians.

    Central differences of second order after `low_pass`; their own error at the cut-off is below
    `(2 pi cut_hz step_s)^2 / 6`.
    """
    smooth = low_pass(positions, cut_hz, step_s)
    velocities = np.gradient(smooth, step_s, axis=0, edge_order=2)
    return Motion(smooth, velocities, np.gradient(velocities, step_s, axis=0, edge_order=2))


def torque_equations(model: ArmModel, log: MotionLog, settings: FilterSettings) -> tuple[Float, Float]:
    """Return the regressor (N, J, P) and torques (N, J) of a run, filtered alike.

    The torques go through both filters, as what they are compared with did (Khalil and Dombre 2002, section 12.5).

    Raises:
        InputError: the log has other joints than the model, or is shorter than the filter's edges.
    """
    if log.positions.shape[1] != model.joints:
        raise InputError(f"{log.name} must have {model.joints} joints as lengths_m has, got {log.positions.shape[1]}")
    edge = round(settings.edge_s / log.step_s)
    if len(log.positions) < 4 * edge:
        raise InputError(f"{log.name} must be longer than {4 * settings.edge_s:g} s, got {log.seconds:.3g} s")
    motion = differentiate(log.positions, log.step_s, settings.motion_hz)
    matrix = torque_regressor(model, motion.positions, motion.velocities, motion.accelerations)
    torques = low_pass(low_pass(log.torques, settings.motion_hz, log.step_s), settings.torque_hz, log.step_s)
    inner = slice(edge, len(torques) - edge)
    return low_pass(matrix, settings.torque_hz, log.step_s)[inner], torques[inner]


def moving_joints(log: MotionLog, settings: FilterSettings) -> Mask:
    """Return which joints (J,) move at all."""
    speed = differentiate(log.positions, log.step_s, settings.motion_hz).velocities
    return np.asarray(np.sqrt(np.mean(speed**2, axis=0)) > _STILL_RAD_S)
