"""A log as if all joints had been read at one time, and how the torque equation changes with when they were."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.interpolate import CubicSpline

from calibration.dynamics.filtering import FilterSettings, torque_equations
from calibration.dynamics.logs import MotionLog
from calibration.dynamics.model import ArmModel, Float


@dataclass(frozen=True)
class SkewedRun:
    """The torque equation of one run at assumed skews, thinned to what its cut-off leaves, each column about its mean.

    Attributes:
        matrix: (N, J, P).
        torques: (N, J), N m.
        matrix_slopes: (N, J, P, J - 1), change of the matrix a second of skew of each joint but the first.
        torque_slopes: (N, J, J - 1).
        rate_hz: of the rows.
    """

    matrix: Float
    torques: Float
    matrix_slopes: Float
    torque_slopes: Float
    rate_hz: float

    def effect(self, parameters: Float) -> Float:
        """Return what a second of skew adds to the torque that is not explained (N, J, J - 1)."""
        return np.asarray(self.torque_slopes - np.einsum("njps,p->njs", self.matrix_slopes, parameters))


def read_together(log: MotionLog, skews_s: Float) -> MotionLog:
    """Return the log as if every joint had been read when the first one was.

    Position and torque of a joint come in one message of its motor, so both move. Between samples values follow a cubic
    spline; at the ends, where a filter's edge is dropped, the last value stays.

    Args:
        log: as recorded.
        skews_s: (J - 1,), by how much each joint but the first was read after the first.
    """
    if not np.any(skews_s):
        return log
    times = np.arange(len(log.positions)) * log.step_s
    columns = []
    for values in (log.positions, log.torques):
        moved = values.copy()
        for joint, skew in enumerate(skews_s, start=1):
            at = np.clip(times - skew, times[0], times[-1])
            moved[:, joint] = CubicSpline(times, values[:, joint])(at)
        columns.append(moved)
    return replace(log, positions=columns[0], torques=columns[1])


def skewed_run(model: ArmModel, log: MotionLog, skews_s: Float, settings: FilterSettings) -> SkewedRun:
    """Return the torque equation at assumed skews (J - 1,), with its slopes by central differences.

    A constant is taken out of each column: an arm is zeroed where dry friction lets it rest, which is elsewhere in each
    run, and to first order a wrong zero is a constant torque.

    Raises:
        InputError: the log has other joints than the model, or is shorter than the filter's edges.
    """
    thin = settings.thinning(log.step_s)

    def centred(skews: Float) -> tuple[Float, Float]:
        matrix, torques = torque_equations(model, read_together(log, skews), settings)
        matrix, torques = matrix[::thin], torques[::thin]
        return matrix - matrix.mean(0), torques - torques.mean(0)

    matrix, torques = centred(skews_s)
    step = log.step_s
    slopes = []
    for k in range(len(skews_s)):
        change = step * (np.arange(len(skews_s)) == k)
        (more, more_torque), (less, less_torque) = centred(skews_s + change), centred(skews_s - change)
        slopes.append(((more - less) / (2 * step), (more_torque - less_torque) / (2 * step)))
    matrix_slopes = np.stack([m for m, _ in slopes], axis=-1)
    return SkewedRun(matrix, torques, matrix_slopes, np.stack([t for _, t in slopes], -1), 1 / (thin * log.step_s))
