"""By how much joints were read after the first one, run by run, from the torque equation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2, t

from calibration.calibration_record import Finding
from calibration.dynamics.filtering import FilterSettings, moving_joints
from calibration.dynamics.logs import MotionLog
from calibration.dynamics.model import ArmModel, Float
from calibration.dynamics.nuisance.pieces import excess_scatter
from calibration.dynamics.nuisance.readings import read_together, skewed_run
from calibration.dynamics.nuisance.skew_system import SkewSolution, solve_skews
from calibration.estimate import Estimate

_CHANCE = 0.001
_ITERATIONS = 6
_LARGEST_STEP_S = 0.02
_METHOD = "torque equation, jackknife over blocks"


@dataclass(frozen=True)
class Skew:
    """When one joint of one run was read.

    Attributes:
        run: name of the log.
        joint: counted from 1; never the first, which is the clock.
        estimate: seconds that it was read after the first joint, with a 95 % interval.
        by_equation: the same from the torque equation of each joint alone, by joint from 1.
        agree: whether those differ by no more than chance allows.
        sure: whether it is apart from 0 beyond chance (0.1 %); only then is a log corrected.
    """

    run: str
    joint: int
    estimate: Estimate
    by_equation: dict[int, float]
    agree: bool
    sure: bool

    def __str__(self) -> str:
        """Return `joint 2 was read 2.1 ms [1.8, 2.4] after joint 1`."""
        value, low, high = (1e3 * v for v in (self.estimate.value, self.estimate.low, self.estimate.high))
        return f"joint {self.joint} was read {value:.2f} ms [{low:.2f}, {high:.2f}] after joint 1"

    def finding(self) -> Finding:
        """Return what a person should know of a skew that is sure."""
        what = f"run {self.run}: {self}; the fit corrects it"
        return Finding("note", what, "drop messages that waited before a run, or stamp each joint's reading")


def fitted_skews(model: ArmModel, logs: Sequence[MotionLog], settings: FilterSettings) -> tuple[Skew, ...]:
    """Return the skew of every joint but the first in every run in which all joints move.

    Skews are nuisance parameters of the torque equation beside the arm's parameters and a constant a run: least squares
    by Gauss and Newton's method, in which each joint's equation has skews of its own. The estimate is their mean,
    weighted by their variances. A late reading disturbs all equations as one skew would, and friction that the model
    lacks does not: where equations disagree beyond chance (chi-squared, 0.1 %), the variance is raised by Birge's ratio
    (Birge 1932) and the interval is Student's over equations.

    All torques of the runs are used, so these runs are no judge of the arm.

    Args:
        model: names the parameters.
        logs: runs to fit.
        settings: cut-offs.

    Raises:
        InputError: a log has other joints than the model, or is too short.
    """
    moving = [moving_joints(log, settings) for log in logs]
    free = [k for k, on in enumerate(moving) if on.all()]
    if model.joints < 2 or not free:
        return ()
    return _iterated(model, logs, [np.flatnonzero(on).tolist() for on in moving], free, settings)


def skews_by_others(
    model: ArmModel, fitted: Sequence[MotionLog], log: MotionLog, settings: FilterSettings, scored: int
) -> tuple[Skew, ...]:
    """Return the skews of a run that judges an arm, without the torque that is to be explained.

    As `fitted_skews` of the fitted runs and this one together, in which this run has the equations of all joints but
    the scored one. Used of the run: the positions of all joints and the torques of the other joints. Where there is one
    other joint, no second equation can disagree.

    Args:
        model: names the parameters.
        fitted: runs that the arm was identified from.
        log: the run.
        settings: cut-offs.
        scored: joint whose torque is to be explained, from 0.

    Raises:
        InputError: a log has other joints than the model, or is too short.
    """
    moving = [moving_joints(g, settings) for g in (*fitted, log)]
    equations = [np.flatnonzero(on).tolist() for on in moving]
    equations[-1] = [j for j in equations[-1] if j != scored]
    if not equations[-1] or not moving[-1].all():
        return ()
    free = [k for k, on in enumerate(moving) if on.all()]
    found = _iterated(model, [*fitted, log], equations, free, settings)
    return found[1 - model.joints :]


def corrected(log: MotionLog, skews: Sequence[Skew]) -> MotionLog:
    """Return the log as if all joints had been read together, by its skews that are sure; else the log itself."""
    values = np.zeros(log.positions.shape[1] - 1)
    for skew in skews:
        if skew.run == log.name and skew.sure:
            values[skew.joint - 2] = skew.estimate.value
    return read_together(log, values)


def _iterated(
    model: ArmModel,
    logs: Sequence[MotionLog],
    equations: Sequence[Sequence[int]],
    free: Sequence[int],
    settings: FilterSettings,
) -> tuple[Skew, ...]:
    before = np.zeros((len(logs), model.joints - 1))
    solution: SkewSolution | None = None
    runs = [skewed_run(model, log, s, settings) for log, s in zip(logs, before, strict=True)]
    for _ in range(_ITERATIONS):
        solution = solve_skews(model, runs, equations, free)
        step = np.zeros_like(before)
        for k in free:
            for late in range(1, model.joints):
                step[k, late - 1] = _mean(solution, k, late)[0]
        if np.all(np.abs(step) < 0.01 * logs[0].step_s):
            break
        before += np.clip(step, -_LARGEST_STEP_S, _LARGEST_STEP_S)
        for k in free:
            runs[k] = skewed_run(model, logs[k], before[k], settings)
    assert solution is not None
    return tuple(
        _skew(solution, k, late, logs[k].name, float(before[k, late - 1]))
        for k in free
        for late in range(1, model.joints)
    )


def _mean(solution: SkewSolution, run: int, late: int) -> tuple[float, Float, Float]:
    """Return the mean over equations of a skew's change, the weight of each (E,) and where they are (E,)."""
    at = np.array([i for i, (k, _, s) in enumerate(solution.unknowns) if (k, s) == (run, late)])
    weight = 1 / np.maximum(np.diag(solution.covariance)[at], 1e-300)
    weight = weight / weight.sum()
    return float(weight @ solution.change_s[at]), weight, at


def _skew(solution: SkewSolution, run: int, late: int, name: str, before: float) -> Skew:
    change, weight, at = _mean(solution, run, late)
    own, covariance = solution.change_s[at], solution.covariance[np.ix_(at, at)]
    std = float(np.sqrt(weight @ covariance @ weight))
    count, agree = solution.blocks[run], True
    if len(at) > 1:
        excess = excess_scatter(own, covariance)
        agree = excess <= chi2.ppf(1 - _CHANCE, len(at) - 1)
        if not agree:
            std, count = std * float(np.sqrt(excess / (len(at) - 1))), len(at)
    sure = abs(before + change) > t.ppf(1 - _CHANCE / 2, count - 1) * std
    widening = float(t.ppf(0.975, count - 1)) / 1.959964
    estimate = Estimate.of_normal(before + change, std, count, "s", _METHOD, widening=widening)
    by_equation = {solution.unknowns[i][1] + 1: float(before + solution.change_s[i]) for i in at}
    return Skew(name, late + 1, estimate, by_equation, bool(agree), bool(sure))
