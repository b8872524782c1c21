"""Least squares over pieces of the torque equation: one joint of one run each, with what differs between runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calibration.dynamics.covariance import clustered
from calibration.dynamics.model import Float

BLOCK_S = 0.5


@dataclass(frozen=True)
class Piece:
    """The torque equation of one joint in one run: `target` (N,) = `matrix` (N, K) @ what is sought.

    Attributes:
        run: its number.
        joint: from 0.
        matrix: (N, K).
        target: N m.
    """

    run: int
    joint: int
    matrix: Float
    target: Float


def solve_pieces(pieces: Sequence[Piece], noise: Float) -> Float:
    """Return what is sought (K,), with joints weighted by their noise (J,); what no piece tells is 0."""
    matrix = np.concatenate([p.matrix / noise[p.joint] for p in pieces])
    target = np.concatenate([p.target / noise[p.joint] for p in pieces])
    length = np.maximum(np.linalg.norm(matrix, axis=0), 1e-300)
    return np.asarray(np.linalg.lstsq(matrix / length, target, rcond=1e-6)[0] / length)


def noise_of_pieces(pieces: Sequence[Piece], found: Float, joints: int) -> Float:
    """Return the standard deviation (J,) of what is left of the torque of each joint, N m."""
    out = np.ones(joints)
    for joint in {p.joint for p in pieces}:
        left = np.concatenate([p.target - p.matrix @ found for p in pieces if p.joint == joint])
        out[joint] = max(float(np.std(left)), 1e-9)
    return out


def covariance_of_pieces(
    pieces: Sequence[Piece], found: Float, noise: Float, rate_hz: float
) -> tuple[Float, dict[int, int]]:
    """Return the covariance (K, K) of what was found, and the number of blocks of each run.

    A jackknife over blocks of half a second within runs (`clustered`); a block holds the same time of all joints.

    Args:
        pieces: as solved; those of one run have rows of the same times.
        found: (K,).
        noise: (J,), N m.
        rate_hz: of the rows.
    """
    scores, hessians, counts = [], [], {}
    for run in sorted({p.run for p in pieces}):
        own = [p for p in pieces if p.run == run]
        rows = np.arange(len(own[0].target))
        counts[run] = max(2, int(len(rows) / (rate_hz * BLOCK_S)))
        for block in np.array_split(rows, counts[run]):
            parts = [(p.matrix[block] / noise[p.joint], p.target[block] / noise[p.joint]) for p in own]
            scores.append(sum((m.T @ (t - m @ found) for m, t in parts), np.zeros(len(found))))
            hessians.append(sum((m.T @ m for m, _ in parts), np.zeros((len(found), len(found)))))
    return clustered(np.array(scores), np.array(hessians), np.zeros(len(scores))).covariance, counts


def excess_scatter(values: Float, covariance: Float) -> float:
    """Return by how much values (K,) with covariance (K, K) differ: chi-squared of K - 1 freedoms if they are one."""
    apart = np.diff(np.eye(len(values)), axis=0)
    off = apart @ values
    return float(off @ np.linalg.pinv(apart @ covariance @ apart.T, hermitian=True) @ off)
