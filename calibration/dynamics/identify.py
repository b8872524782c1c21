"""Identify an arm from recorded runs: torque equation first, then motion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from calibration.calibration_record import CalibrationRecord, Finding, rows_of
from calibration.dynamics.covariance import Spread, clustered
from calibration.dynamics.equations import LinearFit, TorqueBlock, solve_linear, stacked
from calibration.dynamics.feasible import nearest_feasible, rig_of, uniform_rods
from calibration.dynamics.filtering import FilterSettings, differentiate
from calibration.dynamics.logs import MotionLog
from calibration.dynamics.model import ArmModel, Float, Mask
from calibration.dynamics.nuisance.offsets import JointOffsets, run_offsets, with_common_offset
from calibration.dynamics.nuisance.skew import Skew, corrected, fitted_skews
from calibration.dynamics.shooting import ShootingFit, shoot
from calibration.dynamics.windows import cut_windows
from calibration.errors import InputError
from calibration.estimate import Estimate
from calibration.pendulum import PendulumRig

_LARGE_EFFECT = 0.3
Method = Literal["motion", "torque"]


@dataclass(frozen=True)
class IdentifySettings:
    """How to identify.

    Attributes:
        filters: of the torque equation.
        horizon_s: of the windows whose motion is fitted; longer ones tell more until model errors add up.
        rod_mass_kg: of each link of the un-identified model, where what the data cannot tell stays.
        method: "motion" fits simulated windows, from where the torque equation begins; "torque" stays with that.
        correct_skew: whether joints that were read one after the other are looked for.
        correct_offsets: whether constants of the torque that differ from run to run are looked for.
    """

    filters: FilterSettings = field(default_factory=FilterSettings)
    horizon_s: float = 0.5
    rod_mass_kg: float = 0.5
    method: Method = "motion"
    correct_skew: bool = True
    correct_offsets: bool = True


@dataclass(frozen=True)
class CleanRuns:
    """Runs without what differs from run to run and is no property of the arm.

    Attributes:
        logs: corrected where that is beyond chance.
        skews: when joints were read.
        offsets: constants of the torque.
    """

    logs: tuple[MotionLog, ...]
    skews: tuple[Skew, ...]
    offsets: tuple[JointOffsets, ...]


@dataclass(frozen=True)
class ArmFit:
    """An identified arm.

    Attributes:
        model: names the parameters.
        parameters: (P,), physically feasible; those that the data did not tell are at the un-identified model's.
        record: estimates of the parameters that the data told, and findings.
        metric: (P, P), inverse covariance of the parameters' errors; what the data did not tell is held weakly.
        runs: as they were fitted.
    """

    model: ArmModel
    parameters: Float
    record: CalibrationRecord
    metric: Float
    runs: CleanRuns

    def rig(self, name: str, description: str, torque_limits: Sequence[float]) -> PendulumRig:
        """Return a pendulum for the simulator, whose viscous friction may not be below 0; see `rig_of`.

        Raises:
            ValueError: no motor, or not a limit a joint.
        """
        parameters = nearest_feasible(self.model, self.parameters, self.metric)
        return rig_of(self.model, parameters, name, description, torque_limits)


def identify(
    model: ArmModel, logs: Sequence[MotionLog], source: str, settings: IdentifySettings | None = None
) -> ArmFit:
    """Return the parameters that explain recorded runs best, with 95 % intervals.

    Least squares on the torque equation (Khalil and Dombre 2002, chapter 12) gives the start and tells what the data
    can tell apart; then the motion simulated over short windows is fitted to the recorded one. Where a joint stands in
    all runs, or parameters cannot be told apart, the first step is the result: a standing joint is held by dry friction
    of an unknown size, which no simulation can be fitted to. Before that, runs whose joints were not read together
    (`fitted_skews`) or were zeroed elsewhere (`run_offsets`) are corrected, where that is beyond chance.

    Args:
        model: lengths, gravity and the terms of the model.
        logs: runs.
        source: the folder that they are from, for the record.
        settings: None for the usual ones.

    Raises:
        InputError: no runs, other joints than the model's, or runs that are too short.
    """
    if not logs:
        raise InputError("identification needs a run or more, got none; record runs in which every joint moves")
    settings = settings or IdentifySettings()
    prior = uniform_rods(model, [settings.rod_mass_kg] * model.joints)
    runs = without_nuisances(model, logs, settings)
    logs = runs.logs
    blocks = stacked(model, logs, settings.filters)
    linear = solve_linear(model, blocks, prior)
    quality = {"condition": min(linear.condition, 1e15)}
    quality |= {f"torque_residual_{k + 1}_n_m": float(v) for k, v in enumerate(linear.torque_std)}
    findings = list(_identifiability(linear))
    told = np.array([name not in linear.not_told for name in model.names])
    fit: ShootingFit | None = None
    if not findings and settings.method == "motion":
        windows = cut_windows(logs, settings.horizon_s, settings.filters)
        fit = shoot(model, windows, linear.parameters)
        if not fit.converged:
            what = "the fit to motion did not converge, so the result rests on the torque equation alone"
            findings.append(Finding("warning", what, "record runs with larger and faster motion"))
            fit = None
    if fit is None:
        fitted, method = linear.parameters, "least squares on the torque equation, jackknife over blocks"
        score, information, run = _linear_blocks(blocks, linear, settings)
    else:
        fitted, method, run = fit.parameters, "multiple shooting, jackknife over windows", windows.run
        score, information = fit.score, fit.information
        quality["motion_residual_rad"] = fit.rms_rad
    spread = clustered(score[:, told], information[:, told][:, :, told], run)
    findings += _spread_findings(model, blocks, spread, told)
    metric = _metric(fitted, information.sum(0), spread, told)
    cut_hz = settings.filters.motion_hz
    speed = max(float(np.abs(differentiate(g.positions, g.step_s, cut_hz).velocities).max()) for g in logs)
    parameters = nearest_feasible(model, fitted, metric, speed)
    if parameters is not fitted:
        findings.append(_projection(model, fitted, parameters, spread, told))
    estimates = _estimates(model, parameters, fitted, spread, told, method)
    count = int(sum(log.seconds for log in logs))
    names = tuple(estimates)
    estimates |= {f"skew_{s.joint}_{s.run}": s.estimate for s in runs.skews}
    estimates |= {f"offset_{o.joint}_{run}": e for o in runs.offsets for run, e in o.by_run.items()}
    findings += [*(s.finding() for s in runs.skews if s.sure), *(o.finding() for o in runs.offsets)]
    record = CalibrationRecord(
        "dynamics", source, count, estimates, names, rows_of(spread.covariance), quality, tuple(findings)
    )
    return ArmFit(model, parameters, record, metric, runs)


def without_nuisances(model: ArmModel, logs: Sequence[MotionLog], settings: IdentifySettings) -> CleanRuns:
    """Return runs read together and with one offset, where they were not, beyond chance; all their torques are used.

    Raises:
        InputError: a log has other joints than the model, or is too short.
    """
    skews = fitted_skews(model, logs, settings.filters) if settings.correct_skew else ()
    together = [corrected(log, skews) for log in logs]
    offsets = run_offsets(model, together, settings.filters) if settings.correct_offsets else ()
    return CleanRuns(tuple(with_common_offset(log, offsets) for log in together), skews, offsets)


def _metric(fitted: Float, information: Float, spread: Spread, told: Mask) -> Float:
    if told.all():
        return np.asarray(np.linalg.pinv(spread.covariance, rcond=1e-12, hermitian=True))
    # A sum that the data told keeps its value when its parts move.
    return np.asarray(information + np.diag(1 / np.maximum(np.abs(fitted), 1e-2) ** 2))


def _linear_blocks(
    blocks: Sequence[TorqueBlock], linear: LinearFit, settings: IdentifySettings
) -> tuple[Float, Float, Float]:
    """Return score (B, P), information (B, P, P) and run (B,) of blocks of about the horizon."""
    scores, hessians, runs = [], [], []
    rate = 8 * settings.filters.torque_hz
    for number, block in enumerate(blocks):
        on = list(block.moving)
        pieces = max(1, int(len(block.matrix) / (rate * settings.horizon_s)))
        matrix = block.matrix[:, on] / linear.torque_std[on][:, None]
        left = (block.torques[:, on] - block.matrix[:, on] @ linear.parameters) / linear.torque_std[on]
        for m, e in zip(np.array_split(matrix, pieces), np.array_split(left, pieces), strict=True):
            scores.append(np.einsum("njp,nj->p", m, e))
            hessians.append(np.einsum("njp,njq->pq", m, m))
            runs.append(number)
    return np.array(scores), np.array(hessians), np.array(runs, dtype=np.float64)


def _identifiability(linear: LinearFit) -> list[Finding]:
    out = []
    if linear.not_excited:
        what = f"the runs do not excite {', '.join(linear.not_excited)}; they stay at the un-identified model's"
        out.append(Finding("warning", what, "record runs in which these joints move"))
    out += [
        Finding(
            "warning",
            f"the runs tell only a combination of {', '.join(group)}; split as in the un-identified model",
            "record runs in which all joints move against each other",
        )
        for group in linear.not_separable
    ]
    return out


def _spread_findings(model: ArmModel, blocks: Sequence[TorqueBlock], spread: Spread, told: Mask) -> list[Finding]:
    """Name what is told apart poorly: directions whose uncertain effect is a large part of the torques."""
    out = []
    if spread.runs_disagree:
        what = "runs disagree by more than their noise explains, so the model misses something; intervals are over runs"
        mend = "compare the residuals run by run" if model.with_rotor else "try the inertia of geared motors (--rotor)"
        out.append(Finding("note", what, mend))
    effect = np.sqrt(np.mean(np.concatenate([b.matrix for b in blocks]) ** 2, axis=0))[:, told]
    size = np.sqrt(np.mean(np.concatenate([b.torques for b in blocks]) ** 2, axis=0))
    scale = (effect / np.maximum(size, 1e-9)[:, None]).max(axis=0)
    values, axes = np.linalg.eigh(spread.covariance * np.outer(scale, scale))
    names = np.array(model.names)[told]
    for value, axis in zip(values, axes.T, strict=True):
        if value > _LARGE_EFFECT**2:
            what = f"the runs tell {', '.join(names[np.abs(axis) > 0.3])} apart poorly"
            out.append(Finding("warning", what, "record runs of other frequencies and larger angles"))
    return out


def _projection(model: ArmModel, before: Float, after: Float, spread: Spread, told: Mask) -> Finding:
    std = np.full(len(before), np.inf)
    std[told] = np.sqrt(np.diag(spread.covariance))
    changed = np.abs(after - before) > 1e-9 + 1e-6 * np.abs(before)
    strongly = bool(np.any(np.abs(after - before) > 3 * std))
    triples = zip(model.names, before, after, strict=True)
    moved = ", ".join(f"{n} from {b:.3g} to {a:.3g}" for (n, b, a), c in zip(triples, changed, strict=True) if c)
    next_step = "check lengths, the sign of each column and the zero of each joint" if strongly else ""
    return Finding("warning" if strongly else "note", f"no bodies have the fitted parameters; moved {moved}", next_step)


def _estimates(
    model: ArmModel, parameters: Float, fitted: Float, spread: Spread, told: Mask, method: str
) -> dict[str, Estimate]:
    """Return intervals about what was fitted, held open to what it was moved to."""
    std = np.full(len(parameters), np.nan)
    std[told] = np.sqrt(np.diag(spread.covariance))
    out = {}
    for k in np.flatnonzero(told):
        half = 1.959964 * spread.widening * float(std[k])
        value, low, high = float(parameters[k]), float(fitted[k]) - half, float(fitted[k]) + half
        bounds = min(low, value), max(high, value)
        out[model.names[k]] = Estimate(value, *bounds, 0.95, spread.blocks, model.units[k], method)
    return out
