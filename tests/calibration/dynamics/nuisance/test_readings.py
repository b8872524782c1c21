import numpy as np

from calibration.dynamics.filtering import FilterSettings, torque_equations
from calibration.dynamics.logs import MotionLog
from calibration.dynamics.model import ArmModel
from calibration.dynamics.nuisance.readings import read_together, skewed_run

STEP_S = 0.004
MODEL = ArmModel((0.2, 0.3, 0.25))


def wave(late_s):
    """Three joints of which each is read at a time of its own."""
    times = np.arange(1000) * STEP_S
    at = times[:, None] + np.array(late_s)
    hz, phase = np.array([0.9, 1.3, 1.7]), np.array([0.0, 1.0, 2.0])
    turn = 2 * np.pi * hz * at + phase
    return MotionLog("wave", STEP_S, np.sin(turn), np.cos(turn + 0.5))


def test_a_log_is_read_as_at_one_time():
    together = read_together(wave([0.0, 0.003, -0.0075]), np.array([0.003, -0.0075]))
    inner = slice(10, -10)
    assert np.allclose(together.positions[inner], wave([0, 0, 0]).positions[inner], atol=1e-6)
    assert np.allclose(together.torques[inner], wave([0, 0, 0]).torques[inner], atol=1e-6)
    log = wave([0.0, 0.003, 0.0])
    assert read_together(log, np.zeros(2)) is log


def test_slopes_are_those_of_the_equation_itself():
    settings = FilterSettings()
    run = skewed_run(MODEL, wave([0.0, 0.0, 0.0]), np.zeros(2), settings)
    parameters = np.random.default_rng(0).uniform(0.1, 0.3, len(MODEL.parts))
    thin = round(1 / (run.rate_hz * STEP_S))
    for late in range(2):
        left = []
        for change in (1e-3, -1e-3):
            skews = change * (np.arange(2) == late)
            matrix, torques = torque_equations(MODEL, read_together(wave([0, 0, 0]), skews), settings)
            rest = (torques - matrix @ parameters)[::thin]
            left.append(rest - rest.mean(0))
        slope = (left[0] - left[1]) / 2e-3
        assert np.allclose(run.effect(parameters)[..., late], slope, atol=0.01 * np.abs(slope).max())
