"""Fit parameters so that simulated windows follow the recorded motion: multiple shooting."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.dynamics.model import ArmModel, Float
from calibration.dynamics.simulate import simulate
from calibration.dynamics.windows import Windows
from calibration.errors import InputError

_ITERATIONS = 15
_HUBER = 2.0
_SAMPLES = 50


@dataclass(frozen=True)
class ShootingFit:
    """A fit to motion.

    Attributes:
        parameters: (P,).
        score: (W, P), the gradient of each window at the optimum.
        information: (W, P, P), its Gauss-Newton Hessian.
        rms_rad: of positions about the simulated ones, whose first states are fitted.
        converged: whether the last step was small against the uncertainty.
    """

    parameters: Float
    score: Float
    information: Float
    rms_rad: float
    converged: bool


def shoot(model: ArmModel, windows: Windows, parameters: Float) -> ShootingFit:
    """Return the parameters whose simulated windows follow the recorded positions best.

    Multiple shooting (Bock 1983) by Levenberg and Marquardt's method: each window starts in a state of its own, which
    is eliminated by a projection (Golub and Pereyra 1973). The noise of positions enters as it was measured; in the
    torque equation it is differentiated twice, which pulls inertias towards zero. Windows weigh by Huber's loss.

    Args:
        model: names the parameters.
        windows: recorded.
        parameters: (P,) to start from.

    Raises:
        InputError: the motion simulated with the first parameters is not finite.
    """
    x = tried = np.asarray(parameters, dtype=np.float64)
    start = tried_start = np.concatenate([windows.start_positions, windows.start_velocities], axis=1)
    damping, best, converged = 1e-6, np.inf, False
    kept: tuple[Float, Float, Float] | None = None
    score, information = np.zeros((1, len(x))), np.zeros((1, len(x), len(x)))
    for _ in range(_ITERATIONS):
        left, slopes = _linearised(model, windows, tried, tried_start)
        fine = bool(np.isfinite(left).all() and np.isfinite(slopes).all())
        cost = float(np.mean(np.sqrt(np.mean(left**2, axis=1)))) if fine else np.inf
        if fine and cost <= best * 1.001:
            kept = left, slopes, np.linalg.qr(slopes[..., len(x) :])[0]
            best, x, start, damping = cost, tried, tried_start, damping / 10
        else:
            damping, converged = max(damping * 30, 1e-3), False
        if kept is None:
            raise InputError("the motion simulated at first must be finite; give the fit lengths and runs that agree")
        if converged:
            break
        left, slopes, basis = kept
        matrix, rest = _project(basis, slopes[..., : len(x)]), _project(basis, left[..., None])[..., 0]
        size = np.sqrt(np.mean(rest**2, axis=1))
        weight = np.minimum(1.0, _HUBER * np.median(size) / np.maximum(size, 1e-300))
        information = np.einsum("w,wnp,wnq->wpq", weight, matrix, matrix)
        score = np.einsum("w,wnp,wn->wp", weight, matrix, rest)
        total = information.sum(0)
        scale = 1 / np.sqrt(np.maximum(np.diag(total), 1e-300))
        normal = total * np.outer(scale, scale) + damping * np.eye(len(x))
        step = scale * np.linalg.solve(normal, scale * score.sum(0))
        inverse = scale[:, None] * np.linalg.inv(normal) * scale
        spread = np.sqrt(np.diag(inverse @ (score.T @ score) @ inverse))
        converged = bool(np.all(np.abs(step) <= 0.1 * spread + 1e-12)) and damping < 1e-3
        tried = x + step
        own = slopes[..., len(x) :]
        gap = left - np.einsum("wnp,p->wn", slopes[..., : len(x)], step)
        tried_start = start + np.einsum("wsn,wn->ws", np.linalg.pinv(own), gap)
    return ShootingFit(x, score, information, float(np.sqrt(np.mean(rest**2))), converged)


def _project(basis: Float, values: Float) -> Float:
    """Return values (W, N, K) without what the first states (W, N, S) can explain."""
    return np.asarray(values - basis @ (basis.transpose(0, 2, 1) @ values))


def _linearised(model: ArmModel, windows: Windows, x: Float, start: Float) -> tuple[Float, Float]:
    """Return residuals (W, N) and the slopes (W, N, P + 2 J) of the simulated positions, by differences."""
    joints, count = model.joints, len(x)
    every = max(1, len(windows.positions) // _SAMPLES)
    widths = np.concatenate([np.maximum(np.abs(x), 1e-2) * 1e-4, np.full(2 * joints, 1e-5)])
    parameters = np.tile(x, (len(widths) + 1, 1, 1))
    states = np.tile(start, (len(widths) + 1, 1, 1))
    for k, width in enumerate(widths):
        if k < count:
            parameters[k + 1, 0, k] += width
        else:
            states[k + 1, :, k - count] += width
    with np.errstate(over="ignore", invalid="ignore"):
        simulated = simulate(
            model, parameters, states[..., :joints], states[..., joints:], windows.torques[:, None], windows.step_s
        )[0][::every]
        slopes = (simulated[:, 1:] - simulated[:, :1]) / widths[:, None, None]
    left = (windows.positions[::every] - simulated[:, 0]).transpose(1, 0, 2)
    wide = slopes.transpose(2, 0, 3, 1)
    return left.reshape(len(left), -1), wide.reshape(len(left), -1, len(widths))
