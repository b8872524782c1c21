"""Short windows of recorded runs, to simulate from their first samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calibration.dynamics.filtering import FilterSettings, differentiate
from calibration.dynamics.logs import MotionLog
from calibration.dynamics.model import Float
from calibration.errors import InputError


@dataclass(frozen=True)
class Windows:
    """W windows of T samples, of runs with one step.

    Attributes:
        step_s: between samples.
        positions: (T, W, J), radians, as measured.
        torques: (T, W, J), N m, as measured.
        start_positions: (W, J), smoothed.
        start_velocities: (W, J), radians a second.
        run: (W,), the number of the run each is from.
    """

    step_s: float
    positions: Float
    torques: Float
    start_positions: Float
    start_velocities: Float
    run: Float


def cut_windows(logs: Sequence[MotionLog], horizon_s: float, settings: FilterSettings) -> Windows:
    """Return all windows of a length that fit into the runs side by side.

    Raises:
        InputError: the runs differ in their sample rate by more than 1 %, or none is long enough.
    """
    step = logs[0].step_s
    length = round(horizon_s / step)
    parts = []
    for number, log in enumerate(logs):
        if abs(log.step_s / step - 1) > 0.01:
            raise InputError(
                f"{log.name} must be sampled every {step:.4g} s as {logs[0].name} is, got {log.step_s:.4g} s; "
                "fit runs of one rate at a time"
            )
        edge = round(settings.edge_s / log.step_s)
        first = np.arange(edge, len(log.positions) - edge - length, length)
        if not len(first):
            continue
        motion = differentiate(log.positions, log.step_s, min(2 * settings.motion_hz, 0.2 / log.step_s))
        rows = first[None] + np.arange(length + 1)[:, None]
        start = motion.positions[first], motion.velocities[first]
        parts.append((log.positions[rows], log.torques[rows], *start, np.full(len(first), number)))
    if not parts:
        longest = max(log.seconds for log in logs)
        raise InputError(f"runs must be longer than {horizon_s + 2 * settings.edge_s:g} s, got {longest:.3g} s")
    p, u, q, v, run = zip(*parts, strict=True)
    joined = np.concatenate(p, 1), np.concatenate(u, 1), np.concatenate(q), np.concatenate(v), np.concatenate(run)
    return Windows(step, *joined)
