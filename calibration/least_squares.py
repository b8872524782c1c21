"""Nonlinear least squares on poses and numbers, with a robust loss: one solver for every calibration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

Float = NDArray[np.float64]
State = TypeVar("State")


@dataclass(frozen=True, eq=False)
class Solution(Generic[State]):
    """Where the sum of squares is smallest.

    Attributes:
        state: there.
        residuals: (R, d), weighted by nothing but their own scale.
        weights: (R,), of the robust loss; 1 for what fits.
        jacobian: (R d, P) at the end, without weights.
        information: (P, P), weighted.
        cost: half the robust sum of squares.
        steps: that were taken.
    """

    state: State
    residuals: Float
    weights: Float
    jacobian: Float
    information: Float
    cost: float
    steps: int


def solve(
    start: State,
    evaluate: Callable[[State], tuple[Float, Float]],
    moved: Callable[[State, Float], State],
    huber: float = np.inf,
    prior: Callable[[State], tuple[Float, Float]] | None = None,
    iterations: int = 60,
) -> Solution[State]:
    """Return the minimum near a start: Levenberg-Marquardt with Huber's loss (Triggs et al. 2000, bundle adjustment).

    Args:
        start: where to begin.
        evaluate: returns residuals (R, d) in standard deviations, and their derivatives (R d, P) with respect to the
            step that `moved` takes.
        moved: returns the state after a step (P,).
        huber: norm of a residual from which it counts linearly.
        prior: residuals (Q,) and derivatives (Q, P) that are not robust.
        iterations: at most.
    """
    state, damping = start, 1e-4
    residuals, jacobian, weights, extra, cost = _at(state, evaluate, huber, prior)
    taken = 0
    for _ in range(iterations):
        information, gradient = _normal(residuals, jacobian, weights, extra)
        scale = np.maximum(np.diag(information), 1e-12 * max(np.diag(information).max(initial=1e-300), 1e-300))
        improved = False
        for _ in range(12):
            step = -np.asarray(np.linalg.solve(information + damping * np.diag(scale), gradient), np.float64)
            trial = moved(state, step)
            found = _at(trial, evaluate, huber, prior)
            if np.isfinite(found[4]) and found[4] <= cost:
                gain = cost - found[4]
                state, (residuals, jacobian, weights, extra, cost) = trial, found
                damping, improved = max(damping / 5, 1e-12), True
                taken += 1
                break
            damping *= 4
        if not improved or gain < 1e-9 * max(cost, 1e-12):
            break
    information, _ = _normal(residuals, jacobian, weights, extra)
    return Solution(state, residuals, weights, jacobian, information, cost, taken)


_Extra = tuple[Float, Float] | None


def _at(
    state: State,
    evaluate: Callable[[State], tuple[Float, Float]],
    huber: float,
    prior: Callable[[State], tuple[Float, Float]] | None,
) -> tuple[Float, Float, Float, _Extra, float]:
    residuals, jacobian = evaluate(state)
    size = np.linalg.norm(residuals, axis=1)
    weights = np.minimum(1.0, huber / np.maximum(size, 1e-300)) if np.isfinite(huber) else np.ones(len(size))
    small = size <= huber
    cost = float(np.where(small, 0.5 * size**2, huber * size - 0.5 * huber**2 if np.isfinite(huber) else 0.0).sum())
    extra = None if prior is None else prior(state)
    if extra is not None:
        cost += 0.5 * float((extra[0] ** 2).sum())
    return residuals, jacobian, weights, extra, cost


def _normal(residuals: Float, jacobian: Float, weights: Float, extra: _Extra) -> tuple[Float, Float]:
    each = np.repeat(weights, residuals.shape[1])
    weighted = jacobian * each[:, None]
    information, gradient = weighted.T @ jacobian, weighted.T @ residuals.ravel()
    if extra is not None:
        information, gradient = information + extra[1].T @ extra[1], gradient + extra[1].T @ extra[0]
    return information, gradient


def turned(matrix: Float, step: Float) -> Float:
    """Return exp(step) @ matrix for a pose (4, 4) and a step (6,): shift, then rotation vector, in the parent's axes.

    The derivative of a point p = matrix @ q with respect to the step is [I, -[p]x] at zero.
    """
    out = matrix.copy()
    turn = Rotation.from_rotvec(step[3:]).as_matrix()
    out[:3, :3] = turn @ matrix[:3, :3]
    out[:3, 3] = turn @ matrix[:3, 3] + step[:3]
    return out


def of_step(points: Float) -> Float:
    """Return the derivative (N, 3, 6) of points (N, 3) with respect to the step of `turned`."""
    out = np.zeros((len(points), 3, 6))
    out[:, 0, 0] = out[:, 1, 1] = out[:, 2, 2] = 1.0
    x, y, z = points.T
    out[:, 0, 4], out[:, 0, 5] = z, -y
    out[:, 1, 3], out[:, 1, 5] = -z, x
    out[:, 2, 3], out[:, 2, 4] = y, -x
    return out
