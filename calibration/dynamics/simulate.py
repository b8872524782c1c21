"""Forward dynamics of planar arms, many at once."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from calibration.dynamics.model import ArmModel, Float
from calibration.dynamics.regressor import friction_shape


def accelerations_of(model: ArmModel, parameters: Float, positions: Float, velocities: Float, torques: Float) -> Float:
    """Return joint accelerations (..., J), radians a second squared.

    Args:
        model: names the parameters.
        parameters: (..., P), broadcast against the states; a sample may have parameters of its own.
        positions: (..., J), radians.
        velocities: (..., J), radians a second.
        torques: (..., J), N m.
    """
    joints, angle, rate = model.joints, np.cumsum(positions, -1), np.cumsum(velocities, -1)
    force = torques.copy() if torques.shape == angle.shape else np.broadcast_to(torques, angle.shape).copy()
    mass = np.zeros((*angle.shape, joints))
    moment = np.zeros_like(angle)
    for column, (kind, k) in enumerate(model.parts):
        value = parameters[..., column]
        if kind == "inertia":
            mass[..., k, k] += value
        elif kind == "moment":
            moment[..., k] = value
        elif kind == "rotor":
            mass[..., k, k] += value
            mass[..., k - 1, k - 1] += value
            mass[..., k, k - 1] -= value
            mass[..., k - 1, k] -= value
        else:
            force[..., k] -= value * friction_shape(model, kind, velocities[..., k])
    # A joint's torque turns its link and, the other way, the link before it.
    on_link = force.copy()
    on_link[..., :-1] -= force[..., 1:]
    on_link -= model.gravity_m_s2 * moment * np.sin(angle)
    for i in range(joints):
        for k in range(i + 1, joints):
            size = model.lengths_m[i] * moment[..., k]
            cosine, sine = np.cos(angle[..., i] - angle[..., k]), np.sin(angle[..., i] - angle[..., k])
            mass[..., i, k] += size * cosine
            mass[..., k, i] += size * cosine
            on_link[..., i] -= size * sine * rate[..., k] ** 2
            on_link[..., k] += size * sine * rate[..., i] ** 2
    turned = _solve(mass, on_link)
    return np.diff(turned, axis=-1, prepend=0.0)


def _solve(mass: Float, force: Float) -> Float:
    if force.shape[-1] == 1:
        return np.asarray(force / mass[..., 0])
    if force.shape[-1] == 2:
        a, b, d = mass[..., 0, 0], mass[..., 0, 1], mass[..., 1, 1]
        scale = 1.0 / (a * d - b * b)
        first, second = force[..., 0], force[..., 1]
        return np.stack([(d * first - b * second) * scale, (a * second - b * first) * scale], axis=-1)
    return np.asarray(np.linalg.solve(mass, force[..., None])[..., 0])


def simulate(
    model: ArmModel, parameters: Float, positions: Float, velocities: Float, torques: Float, step_s: float
) -> tuple[Float, Float]:
    """Return positions and velocities (T, ..., J) at the times of the torques; the first are those given.

    Classic Runge-Kutta of fourth order; torques are linear between samples.

    Args:
        model: names the parameters.
        parameters: (..., P).
        positions: (..., J) at first, radians.
        velocities: (..., J) at first, radians a second.
        torques: (T, ..., J), N m, broadcast against the states.
        step_s: between samples.
    """

    def slope(q: Float, v: Float, torque: Float) -> Float:
        return accelerations_of(model, parameters, q, v, torque)

    q, v, h = positions.astype(np.float64), velocities.astype(np.float64), step_s
    all_q, all_v = [q], [v]
    for now, after in itertools.pairwise(torques):
        middle = 0.5 * (now + after)
        a1 = slope(q, v, now)
        v2 = v + 0.5 * h * a1
        a2 = slope(q + 0.5 * h * v, v2, middle)
        v3 = v + 0.5 * h * a2
        a3 = slope(q + 0.5 * h * v2, v3, middle)
        v4 = v + h * a3
        a4 = slope(q + h * v3, v4, after)
        q = q + h / 6 * (v + 2 * v2 + 2 * v3 + v4)
        v = v + h / 6 * (a1 + 2 * a2 + 2 * a3 + a4)
        all_q.append(q)
        all_v.append(v)
    return np.stack(all_q), np.stack(all_v)


def simulator(model: ArmModel, parameters: Float) -> Callable[[Float, Float, Float, float], Float]:
    """Return a callable (positions (W, J), velocities (W, J), torques (T, W, J), step) -> positions (T, W, J)."""

    def run(positions: Float, velocities: Float, torques: Float, step_s: float) -> Float:
        return simulate(model, parameters, positions, velocities, torques, step_s)[0]

    return run
