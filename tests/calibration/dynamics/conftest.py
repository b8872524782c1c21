"""Runs of a two-joint arm whose joints are read at different times."""

from collections.abc import Callable

import numpy as np
import pytest

from calibration.dynamics.logs import MotionLog
from calibration.dynamics.model import ArmModel
from calibration.dynamics.simulate import simulate

STEP_S, FINE_S = 0.005, 0.001
SECONDS = 6.0
MODEL = ArmModel((0.2, 0.3), friction_velocity_rad_s=0.3)
TRUTH = np.array([0.053, 0.208, 0.048, 0.155, 0.01, 0.1, 0.01, 0.01, 0.08, -0.01])
RUNS = 14


@pytest.fixture(scope="session")
def read_late() -> Callable[..., MotionLog]:
    """Return what reads run `number` of an arm with noise, joint 2 `skew_s` (whole milliseconds) after joint 1."""
    times = np.arange(round((SECONDS + 0.1) / FINE_S)) * FINE_S
    random = np.random.default_rng(0)
    hz, phase = random.uniform(0.5, 1.8, size=(3, RUNS, 2)), random.uniform(0, 2 * np.pi, size=(3, RUNS, 2))
    size = np.tile([0.4, 0.3], (RUNS, 1))
    # The last two runs drive joint 1 little: its torque is then a small difference of large ones.
    size[-2:] = [0.15, 0.5]
    torques = (size * np.sin(2 * np.pi * hz * times[:, None, None, None] + phase)).sum(1)
    positions = simulate(MODEL, TRUTH, np.zeros((RUNS, 2)), np.zeros((RUNS, 2)), torques, FINE_S)[0]

    def read(number: int, skew_s: float) -> MotionLog:
        noise = np.random.default_rng(1000 + number)
        at = np.arange(0, round(SECONDS / FINE_S), round(STEP_S / FINE_S))
        rows = at, at + round(skew_s / FINE_S)
        q, u = (np.stack([x[r, number, j] for j, r in enumerate(rows)], axis=1) for x in (positions, torques))
        seen = np.round((q + noise.normal(scale=2e-4, size=q.shape)) / 4e-4) * 4e-4
        return MotionLog(f"run {number}", STEP_S, seen, u + noise.normal(scale=0.02, size=u.shape))

    return read
