"""Constants of the torque that differ from run to run: an arm is zeroed where dry friction lets it rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import chi2, t

from calibration.calibration_record import Finding
from calibration.dynamics.equations import stacked
from calibration.dynamics.filtering import FilterSettings
from calibration.dynamics.logs import MotionLog
from calibration.dynamics.model import ArmModel
from calibration.dynamics.nuisance.pieces import (
    Piece,
    covariance_of_pieces,
    excess_scatter,
    noise_of_pieces,
    solve_pieces,
)
from calibration.estimate import Estimate

_CHANCE = 0.001
_ROUNDS = 3
_METHOD = "torque equation with a constant a run, jackknife over blocks"


@dataclass(frozen=True)
class JointOffsets:
    """The constants of one joint's torque, where they differ between runs beyond chance.

    Attributes:
        joint: counted from 1.
        by_run: by the run's name, N m.
    """

    joint: int
    by_run: dict[str, Estimate]

    @property
    def mean_n_m(self) -> float:
        """Mean over runs; the arm's `offset`."""
        return float(np.mean([e.value for e in self.by_run.values()]))

    def finding(self) -> Finding:
        """Return what a person should know."""
        values = [e.value for e in self.by_run.values()]
        what = (
            f"the torque of joint {self.joint} has a constant that differs between runs, {min(values):.3f} to "
            f"{max(values):.3f} N m; each run has its own in the fit, and offset_{self.joint} is their mean"
        )
        return Finding("note", what, "zero the encoders in a known pose, not where dry friction lets the arm rest")


def run_offsets(model: ArmModel, logs: Sequence[MotionLog], settings: FilterSettings) -> tuple[JointOffsets, ...]:
    """Return the joints whose constant torque differs between runs beyond chance, and by how much.

    A wrong zero `z` of a joint adds `g h cos(angle) z` to torques, to first order in small angles a constant. Constants
    of all runs are fitted together with the arm; those of a joint are kept when they differ by more than chance allows
    (chi-squared over runs, 0.1 %). All torques of the runs are used.

    Args:
        model: names the parameters; without offsets there is nothing to differ.
        logs: runs to fit.
        settings: cut-offs.

    Raises:
        InputError: a log has other joints than the model, or is too short.
    """
    if not model.with_offset or len(logs) < 2:
        return ()
    blocks = stacked(model, logs, settings)
    arm = [c for c, (kind, _) in enumerate(model.parts) if kind != "offset"]
    own = [(k, j) for k, block in enumerate(blocks) for j, on in enumerate(block.moving) if on]
    if not own:
        return ()
    pieces = []
    for column, (k, j) in enumerate(own):
        matrix = np.zeros((len(blocks[k].torques), len(arm) + len(own)))
        matrix[:, : len(arm)] = blocks[k].matrix[:, j, arm]
        matrix[:, len(arm) + column] = 1.0
        pieces.append(Piece(k, j, matrix, blocks[k].torques[:, j]))
    noise = np.ones(model.joints)
    found = np.zeros(0)
    for _ in range(_ROUNDS):
        found = solve_pieces(pieces, noise)
        noise = noise_of_pieces(pieces, found, model.joints)
    thin = settings.thinning(logs[0].step_s)
    covariance, counts = covariance_of_pieces(pieces, found, noise, 1 / (thin * logs[0].step_s))
    out = []
    for joint in range(model.joints):
        at = [len(arm) + c for c, (_, j) in enumerate(own) if j == joint]
        if len(at) < 2 or excess_scatter(found[at], covariance[np.ix_(at, at)]) <= chi2.ppf(1 - _CHANCE, len(at) - 1):
            continue
        by_run = {}
        for c in at:
            run = own[c - len(arm)][0]
            widening = float(t.ppf(0.975, counts[run] - 1)) / 1.959964
            std = float(np.sqrt(covariance[c, c]))
            by_run[logs[run].name] = Estimate.of_normal(
                float(found[c]), std, counts[run], "N m", _METHOD, widening=widening
            )
        out.append(JointOffsets(joint + 1, by_run))
    return tuple(out)


def with_common_offset(log: MotionLog, offsets: Sequence[JointOffsets]) -> MotionLog:
    """Return the log with the constants of its torques as in the mean of all runs; without any the log itself."""
    shift = np.zeros(log.torques.shape[1])
    for joint in offsets:
        if log.name in joint.by_run:
            shift[joint.joint - 1] = joint.by_run[log.name].value - joint.mean_n_m
    return replace(log, torques=log.torques - shift) if np.any(shift) else log
