"""Least squares over an arm's parameters and the skews of its readings; each joint's equation has skews of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calibration.dynamics.covariance import clustered
from calibration.dynamics.model import ArmModel, Float
from calibration.dynamics.skew.readings import SkewedRun

BLOCK_S = 0.5
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
        blocks: how many blocks of half a second each run has.
    """

    unknowns: tuple[Unknown, ...]
    change_s: Float
    covariance: Float
    blocks: tuple[int, ...]


@dataclass(frozen=True)
class _Piece:
    """The torque equation of one joint in one run: `target` (N,) = `matrix` (N, K) @ what is sought."""

    run: int
    joint: int
    matrix: Float
    target: Float


def solve_skews(
    model: ArmModel, runs: Sequence[SkewedRun], equations: Sequence[Sequence[int]], free: Sequence[int]
) -> SkewSolution:
    """Return the step of the skews, by least squares with weights from the residuals of each joint.

    The covariance is that of a jackknife over blocks within runs (`clustered`).

    Args:
        model: names the parameters.
        runs: linearised at the skews so far.
        equations: of each run, the joints from 0 whose torque may be used.
        free: numbers of the runs whose skews are sought.
    """
    unknowns = tuple((k, j, s) for k in free for j in equations[k] for s in range(1, model.joints))
    # A constant was taken out of each run, so offsets have no column.
    arm = [c for c, (kind, _) in enumerate(model.parts) if kind != "offset"]
    parameters, std = np.zeros(len(model.parts)), np.ones(model.joints)
    pieces: list[_Piece] = []
    found = np.zeros(0)
    # The noise and the effect of a skew come from the solution before.
    for _ in range(_ROUNDS):
        pieces = _pieces(runs, equations, unknowns, arm, parameters)
        matrix = np.concatenate([p.matrix / std[p.joint] for p in pieces])
        length = np.maximum(np.linalg.norm(matrix, axis=0), 1e-300)
        target = np.concatenate([p.target / std[p.joint] for p in pieces])
        found = np.linalg.lstsq(matrix / length, target, rcond=1e-6)[0] / length
        parameters[arm] = found[: len(arm)]
        for j in range(model.joints):
            left = [p.target - p.matrix @ found for p in pieces if p.joint == j]
            std[j] = max(float(np.std(np.concatenate(left))), 1e-9) if left else 1.0
    covariance, blocks = _covariance(runs, pieces, found, std)
    return SkewSolution(unknowns, found[len(arm) :], covariance[len(arm) :, len(arm) :], blocks)


def _pieces(
    runs: Sequence[SkewedRun],
    equations: Sequence[Sequence[int]],
    unknowns: Sequence[Unknown],
    arm: Sequence[int],
    parameters: Float,
) -> list[_Piece]:
    out = []
    for k, (run, joints) in enumerate(zip(runs, equations, strict=True)):
        effect = run.effect(parameters)
        for j in joints:
            matrix = np.zeros((len(effect), len(arm) + len(unknowns)))
            matrix[:, : len(arm)] = run.matrix[:, j, list(arm)]
            for column, (of_run, of_joint, late) in enumerate(unknowns, start=len(arm)):
                if (of_run, of_joint) == (k, j):
                    matrix[:, column] = -effect[:, j, late - 1]
            out.append(_Piece(k, j, matrix, run.torques[:, j]))
    return out


def _covariance(
    runs: Sequence[SkewedRun], pieces: Sequence[_Piece], found: Float, std: Float
) -> tuple[Float, tuple[int, ...]]:
    """Return the covariance by blocks that hold the same time of all equations of a run, and their number a run."""
    scores, hessians, counts = [], [], []
    for k, run in enumerate(runs):
        count = max(2, int(len(run.torques) / (run.rate_hz * BLOCK_S)))
        counts.append(count)
        own = [p for p in pieces if p.run == k]
        for rows in np.array_split(np.arange(len(run.torques)), count):
            parts = [(p.matrix[rows] / std[p.joint], p.target[rows] / std[p.joint]) for p in own]
            scores.append(sum((m.T @ (t - m @ found) for m, t in parts), np.zeros(len(found))))
            hessians.append(sum((m.T @ m for m, _ in parts), np.zeros((len(found), len(found)))))
    spread = clustered(np.array(scores), np.array(hessians), np.zeros(len(scores)))
    return spread.covariance, tuple(counts)
