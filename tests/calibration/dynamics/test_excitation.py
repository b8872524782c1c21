import numpy as np
import pytest

from calibration.dynamics.excitation import MotionLimits, design_excitation
from calibration.dynamics.feasible import uniform_rods
from calibration.dynamics.model import ArmModel
from calibration.dynamics.regressor import torque_regressor
from calibration.errors import InputError

MODEL = ArmModel((0.2, 0.3))
KNOWN = uniform_rods(MODEL, [0.5, 0.5])
LIMITS = MotionLimits((1.5, 1.5), (8.0, 8.0), (1.0, 0.5))


def test_a_designed_motion_keeps_its_limits_and_tells_more_than_one_sine():
    chosen = design_excitation(MODEL, KNOWN, LIMITS, 4.0, seed=0)
    times = np.linspace(0.0, 4.0, 1600)
    q, v, a = chosen.motion(times)
    torques = torque_regressor(MODEL, q, v, a) @ KNOWN
    for values, limit in ((q, LIMITS.position_rad), (v, LIMITS.velocity_rad_s), (torques, LIMITS.torque_n_m)):
        assert np.all(np.abs(values) <= 1.01 * np.array(limit))
    assert np.allclose(np.gradient(q, times, axis=0)[1:-1], v[1:-1], atol=0.01)
    assert np.allclose(np.gradient(v, times, axis=0)[1:-1], a[1:-1], atol=0.1)
    sine = np.stack([0.3 * np.sin(2 * np.pi * times / 4.0)] * 2, axis=1)
    rate = np.gradient(sine, times, axis=0)
    plain = torque_regressor(MODEL, sine, rate, np.gradient(rate, times, axis=0)).reshape(-1, 10)
    assert chosen.log_det > np.linalg.slogdet(plain.T @ plain / len(times))[1] + 10


def test_limits_that_cannot_be_are_named():
    with pytest.raises(InputError, match="torque_n_m must be 2 numbers above 0"):
        design_excitation(MODEL, KNOWN, MotionLimits((1.0, 1.0), (1.0, 1.0), (1.0,)), 4.0, seed=0)
    heavy = KNOWN + 2 * np.eye(10)[6]
    with pytest.raises(InputError, match="above what holds the arm still"):
        design_excitation(MODEL, heavy, LIMITS, 4.0, seed=0)
