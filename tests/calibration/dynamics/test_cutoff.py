from dataclasses import replace

import numpy as np

from calibration.dynamics.cutoff import CUTS_HZ, choose_cut
from calibration.dynamics.filtering import FilterSettings
from calibration.dynamics.model import ArmModel

MODEL = ArmModel((0.2, 0.3), friction_velocity_rad_s=0.3)
FILTERS = FilterSettings()


def test_a_noisy_encoder_asks_for_a_lower_cut_off(read_late):
    clean = [read_late(k, 0.0) for k in range(3)]
    random = np.random.default_rng(0)
    noisy = [replace(g, positions=g.positions + random.normal(scale=6e-3, size=g.positions.shape)) for g in clean]
    high, low = (choose_cut(MODEL, logs, FILTERS, 0.5) for logs in (clean, noisy))
    assert set(high.unexplained) == set(CUTS_HZ)
    assert high.unexplained[high.filters.torque_hz] == min(high.unexplained.values())
    # Torques go up to 1.8 Hz: a cut-off below loses some of them.
    assert high.filters.torque_hz > 1.5
    assert high.unexplained[1.5] > 2 * high.unexplained[3.0]
    assert low.filters.torque_hz < high.filters.torque_hz
    assert low.filters.motion_hz == FILTERS.motion_hz


def test_with_two_runs_the_cut_off_stays(read_late):
    choice = choose_cut(MODEL, [read_late(k, 0.0) for k in range(2)], FILTERS, 0.5)
    assert choice.filters == FILTERS
    assert choice.unexplained == {}


def test_cut_offs_that_the_samples_cannot_hold_are_left_out(read_late):
    slow = [replace(read_late(k, 0.0), step_s=0.06) for k in range(3)]
    filters = replace(FILTERS, motion_hz=6.0)
    assert set(choose_cut(MODEL, slow, filters, 0.5).unexplained) == {1.5, 2.0, 3.0, 4.0, 6.0}
