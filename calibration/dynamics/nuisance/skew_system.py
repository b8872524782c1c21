"""Least squares over an arm's parameters and the skews of its readings; each joint's equation has skews of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calibration.dynamics.model import ArmModel, Float
from calibration.dynamics.nuisance.pieces import Piece, covariance_of_pieces, noise_of_pieces, solve_pieces
from calibration.dynamics.nuisance.readings import SkewedRun

_ROUNDS = 3
# Run, joint of the equation and joint that was read late; all from 0.
Unknown = tuple[int, int, int]


@dataclass(frozen=True)
class SkewSolution:
    """A Gauss-Newton step.

    Attributes:
        unknowns: what each entry is.
        change_s: (U,), seconds.
        covariance: (U, U).
        blocks: how many blocks each run has.
    """

    unknowns: tuple[Unknown, ...]
    change_s: Float
    covariance: Float
    blocks: dict[int, int]


def solve_skews(
    model: ArmModel, runs: Sequence[SkewedRun], equations: Sequence[Sequence[int]], free: Sequence[int]
) -> SkewSolution:
    """Return the step of the skews, by least squares with weights from the residuals of each joint.

    Args:
        model: names the parameters.
        runs: linearised at the skews so far.
        equations: of each run, the joints from 0 whose torque may be used.
        free: numbers of the runs whose skews are sought.
    """
    unknowns = tuple((k, j, s) for k in free for j in equations[k] for s in range(1, model.joints))
    # A constant was taken out of each run, so offsets have no column.
    arm = [c for c, (kind, _) in enumerate(model.parts) if kind != "offset"]
    parameters, noise = np.zeros(len(model.parts)), np.ones(model.joints)
    pieces: list[Piece] = []
    found = np.zeros(0)
    # The noise and the effect of a skew come from the solution before.
    for _ in range(_ROUNDS):
        pieces = _pieces(runs, equations, unknowns, arm, parameters)
        found = solve_pieces(pieces, noise)
        parameters[arm] = found[: len(arm)]
        noise = noise_of_pieces(pieces, found, model.joints)
    covariance, blocks = covariance_of_pieces(pieces, found, noise, runs[0].rate_hz)
    return SkewSolution(unknowns, found[len(arm) :], covariance[len(arm) :, len(arm) :], blocks)


def _pieces(
    runs: Sequence[SkewedRun],
    equations: Sequence[Sequence[int]],
    unknowns: Sequence[Unknown],
    arm: Sequence[int],
    parameters: Float,
) -> list[Piece]:
    out = []
    for k, (run, joints) in enumerate(zip(runs, equations, strict=True)):
        effect = run.effect(parameters)
        for j in joints:
            matrix = np.zeros((len(effect), len(arm) + len(unknowns)))
            matrix[:, : len(arm)] = run.matrix[:, j, list(arm)]
            for column, (of_run, of_joint, late) in enumerate(unknowns, start=len(arm)):
                if (of_run, of_joint) == (k, j):
                    matrix[:, column] = -effect[:, j, late - 1]
            out.append(Piece(k, j, matrix, run.torques[:, j]))
    return out
