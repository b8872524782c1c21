"""Linear least squares on the torque equation, and what it can tell apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.dynamics.filtering import FilterSettings, moving_joints, torque_equations
from calibration.dynamics.logs import MotionLog
from calibration.dynamics.model import ArmModel, Float, Mask

_WEAKEST = 0.01
_HUBER = 2.0


@dataclass(frozen=True)
class TorqueBlock:
    """The torque equation of one run: `torques` (N, J) = `matrix` (N, J, P) @ parameters.

    Attributes:
        matrix: the regressor.
        torques: N m.
        moving: (J,), whether a joint moves; one that stands is held by dry friction of an unknown size.
    """

    matrix: Float
    torques: Float
    moving: tuple[bool, ...]


@dataclass(frozen=True)
class LinearFit:
    """A fit of the torque equation.

    Attributes:
        parameters: (P,); along what the data cannot tell they stay at the prior.
        torque_std: (J,), of the residual, N m.
        condition: of the regressor with columns of unit length, over the excited parameters.
        not_excited: names of parameters that had next to no effect on any torque.
        not_separable: groups of names that acted in fixed proportion.
    """

    parameters: Float
    torque_std: Float
    condition: float
    not_excited: tuple[str, ...]
    not_separable: tuple[tuple[str, ...], ...]

    @property
    def not_told(self) -> tuple[str, ...]:
        """All names that the data did not tell."""
        return (*self.not_excited, *(name for group in self.not_separable for name in group))


def stacked(model: ArmModel, logs: Sequence[MotionLog], settings: FilterSettings) -> tuple[TorqueBlock, ...]:
    """Return the torque equation of each run, thinned to what its cut-off leaves.

    Raises:
        InputError: a log has other joints than the model.
    """
    blocks = []
    for log in logs:
        matrix, torques = torque_equations(model, log, settings)
        thin = settings.thinning(log.step_s)
        moving = tuple(moving_joints(log, settings).tolist())
        blocks.append(TorqueBlock(matrix[::thin], torques[::thin], moving))
    return tuple(blocks)


def noise_of(blocks: Sequence[TorqueBlock]) -> Float:
    """Return the standard deviation (J,) of what an unweighted fit of each joint leaves of its torque, N m."""
    out = []
    for joint in range(len(blocks[0].moving)):
        parts = [b for b in blocks if b.moving[joint]] or list(blocks)
        matrix = np.concatenate([b.matrix[:, joint] for b in parts])
        torque = np.concatenate([b.torques[:, joint] for b in parts])
        left = torque - matrix @ np.linalg.lstsq(matrix, torque, rcond=1e-6)[0]
        out.append(max(float(np.std(left)), 1e-6))
    return np.array(out)


def solve_linear(model: ArmModel, blocks: Sequence[TorqueBlock], prior: Float) -> LinearFit:
    """Return the weighted least-squares fit with Huber's loss, and what it could not tell apart.

    Joints weigh by their residuals; equations of a joint that stands in a run are left out. Of the regressor with
    columns of unit length, directions with a singular value below 1 % of the largest stay at the prior (truncated
    singular value decomposition; the rank-revealing step of Gautier 1991).

    Args:
        model: names the parameters.
        blocks: of `stacked`.
        prior: (P,), where undetermined directions stay.
    """
    std = noise_of(blocks)
    rows = [(b.matrix[:, j] / std[j], b.torques[:, j] / std[j]) for b in blocks for j, on in enumerate(b.moving) if on]
    if not rows:
        every = model.names
        return LinearFit(prior.copy(), std, np.inf, every, ())
    matrix = np.concatenate([m for m, _ in rows])
    target = np.concatenate([t for _, t in rows]) - matrix @ prior
    excited = _excited(model, blocks)
    length = np.linalg.norm(matrix, axis=0)
    scaled = matrix[:, excited] / length[excited]
    values, axes = np.linalg.svd(scaled, full_matrices=False)[1:]
    kept = values > _WEAKEST * values[0]
    weights = np.ones(len(target))
    change = np.zeros(len(axes))
    for _ in range(8):
        reduced = scaled @ axes[kept].T
        change = axes[kept].T @ np.linalg.lstsq(reduced * weights[:, None], target * weights, rcond=None)[0]
        left = np.abs(target - scaled @ change)
        limit = _HUBER * 1.4826 * max(float(np.median(left)), 1e-12)
        weights = np.sqrt(np.minimum(1.0, limit / np.maximum(left, 1e-12)))
    parameters = prior.copy()
    parameters[excited] += change / length[excited]
    names = np.array(model.names)
    groups = _groups(names[excited], np.abs(axes[~kept]))
    final = noise_of(blocks)
    condition = float(values[0] / values[-1]) if values[-1] > 0 else float("inf")
    return LinearFit(parameters, final, condition, tuple(names[~excited].tolist()), groups)


def _groups(names: NDArray[np.str_], weights: Float) -> tuple[tuple[str, ...], ...]:
    """Return the names (P,) that directions (D, P) hold a part of; directions with a name in common make one group."""
    out: list[set[str]] = []
    for weight in weights:
        group = set(names[weight > 0.1].tolist())
        for other in [o for o in out if o & group]:
            out.remove(other)
            group |= other
        out.append(group)
    return tuple(tuple(n for n in names.tolist() if n in group) for group in out)


def _excited(model: ArmModel, blocks: Sequence[TorqueBlock]) -> Mask:
    """Return which parameters (P,) act on the torque of a joint that moves."""
    out = np.zeros(len(model.parts), dtype=bool)
    for b in blocks:
        acts = np.sqrt(np.mean(b.matrix[:, list(b.moving)] ** 2, axis=0)).max(axis=0, initial=0.0)
        friction = np.array([kind not in ("inertia", "moment", "rotor") for kind, _ in model.parts])
        # A column below this is noise: 0.1 rad/s^2 of acceleration, or a joint that stands.
        own = np.array([b.moving[k] for _, k in model.parts])
        out |= (acts > 0.05) & (own | ~friction)
    return out
