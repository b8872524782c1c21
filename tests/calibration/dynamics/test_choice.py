from dataclasses import replace

import numpy as np

from calibration.dynamics.choice import CUTS_HZ, choose_settings
from calibration.dynamics.filtering import FilterSettings
from calibration.dynamics.identify import IdentifySettings, identify
from calibration.dynamics.model import ArmModel

MODEL = ArmModel((0.2, 0.3), friction_velocity_rad_s=0.3)
USUAL = IdentifySettings()


def test_a_noisy_encoder_asks_for_a_lower_cut_off(read_late):
    logs = [read_late(k, 0.0) for k in range(3)]
    clean = [replace(g, positions=g.positions[:600], torques=g.torques[:600]) for g in logs]
    random = np.random.default_rng(0)
    noisy = [replace(g, positions=g.positions + random.normal(scale=6e-3, size=g.positions.shape)) for g in clean]
    high, low = (choose_settings(MODEL, logs, USUAL) for logs in (clean, noisy))
    assert set(high.by_cut) == set(CUTS_HZ)
    chosen = high.settings.filters
    assert high.by_cut[chosen.torque_hz] == min(high.by_cut.values())
    # Torques go up to 1.8 Hz: a cut-off below loses some of them.
    assert high.by_cut[1.5] > 2 * high.by_cut[3.0]
    assert low.settings.filters.torque_hz < chosen.torque_hz
    assert low.settings == replace(USUAL, filters=low.settings.filters, method=low.settings.method)


def test_what_a_rigid_arm_does_not_do_asks_for_the_torque_equation(read_late):
    clean = [read_late(k, 0.0) for k in range(3)]
    random = np.random.default_rng(1)
    bent = []
    for log in clean:
        # The encoders sit on motors before springy links, which ring at about 9 Hz while they move.
        times = np.arange(len(log.positions))[:, None] * log.step_s
        ring = np.sin(2 * np.pi * random.uniform(8, 10, 2) * times + random.uniform(0, 6, 2))
        size = 0.004 * np.abs(np.gradient(log.positions, log.step_s, axis=0))
        bent.append(replace(log, positions=log.positions + size * ring))
    choice = choose_settings(MODEL, bent, USUAL, cuts_hz=(3.0,))
    assert choice.settings.method == "torque"
    assert choice.by_method["torque"] < choice.by_method["motion"]
    fit = identify(MODEL, bent, "synthetic", choice.settings)
    assert {e.method for n, e in fit.record.estimates.items() if n in MODEL.names} == {
        "least squares on the torque equation, jackknife over blocks"
    }


def test_with_two_runs_the_settings_stay(read_late):
    choice = choose_settings(MODEL, [read_late(k, 0.0) for k in range(2)], USUAL)
    assert choice.settings == USUAL
    assert (choice.by_cut, choice.by_method) == ({}, {})


def test_cut_offs_that_the_samples_cannot_hold_are_left_out(read_late):
    logs = [read_late(k, 0.0) for k in range(3)]
    slow = [replace(g, step_s=0.06, positions=g.positions[::4], torques=g.torques[::4]) for g in logs]
    usual = replace(USUAL, filters=FilterSettings(motion_hz=6.0))
    assert set(choose_settings(MODEL, slow, usual).by_cut) == {1.5, 2.0, 3.0, 4.0, 6.0}
    none = choose_settings(MODEL, slow, usual, cuts_hz=(50.0,))
    assert none.settings == usual
    assert none.by_cut == {}


def test_runs_that_do_not_tell_all_have_no_choice_of_method(read_late):
    still = [replace(g, positions=g.positions * [1, 0]) for g in (read_late(k, 0.0) for k in range(3))]
    choice = choose_settings(MODEL, still, USUAL)
    assert choice.by_method == {}
    assert choice.settings.method == "motion"
