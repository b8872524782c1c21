"""Motions that tell the parameters of an arm well: finite Fourier series within limits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from calibration.dynamics.model import ArmModel, Float
from calibration.dynamics.regressor import torque_regressor
from calibration.errors import InputError


@dataclass(frozen=True)
class MotionLimits:
    """What a motion must keep; one number a joint.

    Attributes:
        position_rad: largest angle either way.
        velocity_rad_s: largest speed.
        torque_n_m: largest torque by the parameters known so far.
    """

    position_rad: tuple[float, ...]
    velocity_rad_s: tuple[float, ...]
    torque_n_m: tuple[float, ...]


@dataclass(frozen=True)
class Excitation:
    """A periodic motion; the parameter-linear Fourier series of Swevers et al. (1997).

    Attributes:
        period_s: of the fundamental.
        coefficients: (J, H, 2), of sine and cosine of each harmonic of the velocity's phase, radians.
        log_det: of the information matrix of the torques, per sample, with unit noise.
    """

    period_s: float
    coefficients: Float
    log_det: float

    def motion(self, times_s: Float) -> tuple[Float, Float, Float]:
        """Return positions, velocities and accelerations (N, J) at times (N,)."""
        return _motion(self.coefficients, self.period_s, times_s)


def design_excitation(
    model: ArmModel, parameters: Float, limits: MotionLimits, period_s: float, seed: int, harmonics: int = 4
) -> Excitation:
    """Return a motion within limits whose torques tell the parameters best (D-optimal).

    The logarithm of the determinant of the information matrix is maximised from the best of several random starts; a
    motion that breaks a limit is made smaller as a whole until it keeps it (torques of an arm that hangs grow with the
    size of its motion), so every candidate is within limits.

    Args:
        model: names the parameters.
        parameters: (P,), what is known so far; for torques.
        limits: of each joint.
        period_s: of the fundamental.
        seed: of the starts.
        harmonics: of each joint.

    Raises:
        InputError: limits are not one number above 0 a joint, or friction alone is above a torque limit.
    """
    for name in ("position_rad", "velocity_rad_s", "torque_n_m"):
        values = getattr(limits, name)
        if len(values) != model.joints or not min(values) > 0:
            raise InputError(
                f"{name} must be {model.joints} numbers above 0, got {', '.join(map(str, values)) or 'none'}"
            )
    times = np.linspace(0.0, period_s, 40 * harmonics, endpoint=False)
    shape = (model.joints, harmonics, 2)

    def within(flat: Float) -> Float:
        return _shrunk(model, parameters, limits, period_s, times, flat.reshape(shape))

    def loss(flat: Float) -> float:
        return -_log_det(model, within(flat), period_s, times)

    random = np.random.default_rng(seed)
    starts = [random.normal(size=model.joints * harmonics * 2) for _ in range(20)]
    best = min(starts, key=loss)
    found = minimize(loss, best, method="Powell", options={"maxiter": 2, "maxfev": 500}).x
    chosen = within(min((best, found), key=loss))
    return Excitation(period_s, chosen, _log_det(model, chosen, period_s, times))


def _motion(coefficients: Float, period_s: float, times: Float) -> tuple[Float, Float, Float]:
    rate = 2 * np.pi / period_s * np.arange(1, coefficients.shape[1] + 1)
    sine, cosine = np.sin(times[:, None] * rate), np.cos(times[:, None] * rate)
    a, b = coefficients[..., 0].T, coefficients[..., 1].T
    return (
        sine @ a + cosine @ b,
        (cosine * rate) @ a - (sine * rate) @ b,
        -(sine * rate**2) @ a - (cosine * rate**2) @ b,
    )


def _shrunk(
    model: ArmModel, parameters: Float, limits: MotionLimits, period_s: float, times: Float, coefficients: Float
) -> Float:
    """Return the coefficients times the largest factor that keeps the limits, by bisection."""
    q, v, _ = _motion(coefficients, period_s, times)
    ratios = [np.abs(x).max(0) / np.array(m) for x, m in ((q, limits.position_rad), (v, limits.velocity_rad_s))]
    high, low = 1.0 / max(float(np.max(ratios)), 1e-12), 0.0

    def keeps(factor: float) -> bool:
        torques = torque_regressor(model, *_motion(factor * coefficients, period_s, times)) @ parameters
        return bool(np.all(np.abs(torques) <= np.array(limits.torque_n_m)))

    if keeps(high):
        return high * coefficients
    if not keeps(0.0):
        raise InputError("torque_n_m must be above what holds the arm still")
    for _ in range(12):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if keeps(middle) else (low, middle)
    return low * coefficients


def _log_det(model: ArmModel, coefficients: Float, period_s: float, times: Float) -> float:
    matrix = torque_regressor(model, *_motion(coefficients, period_s, times)).reshape(-1, len(model.parts))
    information = matrix.T @ matrix / len(times)
    return float(np.linalg.slogdet(information + 1e-12 * np.eye(len(information)))[1])
