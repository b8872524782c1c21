"""The regressor of a planar serial arm: torques are linear in its base parameters."""

from __future__ import annotations

import numpy as np

from calibration.dynamics.model import ArmModel, Float


def torque_regressor(model: ArmModel, positions: Float, velocities: Float, accelerations: Float) -> Float:
    """Return Y (N, J, P) with joint torques `Y @ parameters`, N m.

    Lagrange's equations of the energies in `calibration.dynamics.model`; a joint's torque is the sum of the moments on
    all links beyond it (virtual work). Friction is viscous plus dry (Armstrong-Helouvry et al. 1994).

    Args:
        model: names the parameters.
        positions: (N, J), radians; each relative to the link before it, all zero when hanging.
        velocities: (N, J), radians a second.
        accelerations: (N, J), radians a second squared.
    """
    angle, rate, acceleration = (np.cumsum(x, axis=1) for x in (positions, velocities, accelerations))
    out = np.zeros((len(angle), model.joints, len(model.parts)))
    for column, (kind, k) in enumerate(model.parts):
        if kind == "inertia":
            out[:, : k + 1, column] = acceleration[:, k, None]
        elif kind == "moment":
            out[:, : k + 1, column] = model.gravity_m_s2 * np.sin(angle[:, k, None])
            for i in range(k):
                cosine, sine = np.cos(angle[:, i] - angle[:, k]), np.sin(angle[:, i] - angle[:, k])
                on_i = model.lengths_m[i] * (cosine * acceleration[:, k] + sine * rate[:, k] ** 2)
                on_k = model.lengths_m[i] * (cosine * acceleration[:, i] - sine * rate[:, i] ** 2)
                out[:, : i + 1, column] += on_i[:, None]
                out[:, : k + 1, column] += on_k[:, None]
        elif kind == "rotor":
            out[:, k, column] = accelerations[:, k]
        else:
            out[:, k, column] = friction_shape(model, kind, velocities[:, k])
    return out


def friction_shape(model: ArmModel, kind: str, velocity: Float) -> Float:
    """Return what one friction parameter is multiplied by at velocities of any shape, radians a second."""
    if kind == "viscous":
        return velocity
    if kind == "offset":
        return np.ones_like(velocity)
    sign = np.tanh(velocity / model.friction_velocity_rad_s)
    if kind == "stribeck":
        return np.asarray(sign * np.exp(-((velocity / model.stribeck_velocity_rad_s) ** 2)))
    return np.asarray(sign)
