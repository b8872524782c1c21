from dataclasses import replace

import numpy as np
import pytest

from calibration.calibration_record import CalibrationRecord
from calibration.dynamics.covariance import clustered
from calibration.dynamics.feasible import uniform_rods
from calibration.dynamics.filtering import FilterSettings
from calibration.dynamics.identify import identify
from calibration.dynamics.logs import MotionLog, driven_joints, read_log, read_logs
from calibration.dynamics.model import ArmModel
from calibration.dynamics.nuisance.skew import fitted_skews
from calibration.dynamics.scoring import leave_one_run_out, motion_error, torque_r2
from calibration.dynamics.simulate import simulate, simulator
from calibration.errors import InputError
from calibration.records import read_record, write_record
from envs.pendulum.physics import PendulumPhysics

MODEL = ArmModel((0.2, 0.3), friction_velocity_rad_s=0.3)
TRUTH = np.array([0.053, 0.208, 0.048, 0.155, 0.01, 0.1, 0.01, 0.01, 0.08, -0.01])
FILTERS = FilterSettings()


def pushed(model, truth, number, size, locked=False):
    """A run of 6 s without noise; with `locked`, the last joint stands."""
    times = np.arange(1201) * 0.005
    random = np.random.default_rng(number)
    hz, phase = random.uniform(0.3, 1.8, size=(3, model.joints)), random.uniform(0, 6, size=(3, model.joints))
    torques = np.array(size) * np.sin(2 * np.pi * hz * times[:, None, None] + phase).sum(1)
    zero = np.zeros(model.joints)
    if locked:
        stiff = ArmModel((model.lengths_m[0],), friction_velocity_rad_s=model.friction_velocity_rad_s)
        reach = truth[0] + truth[2] + 2 * model.lengths_m[0] * truth[3]
        one = np.array([reach, truth[1] + truth[3], *truth[4:7]])
        q = simulate(stiff, one, zero[:1], zero[:1], torques[:, :1], 0.005)[0]
        return MotionLog(f"run {number}", 0.005, np.concatenate([q, 0 * q], 1), torques * [1, 0])
    return MotionLog(f"run {number}", 0.005, simulate(model, truth, zero, zero, torques, 0.005)[0], torques)


RUNS = [pushed(MODEL, TRUTH, k, (0.4, 0.3)) for k in range(3)]


def test_a_noiseless_arm_is_found_and_its_record_survives_a_file(tmp_path):
    fit = identify(MODEL, RUNS, "synthetic")
    assert np.allclose(fit.parameters, TRUTH, rtol=2e-3, atol=2e-4)
    assert fit.record.kind == "dynamics"
    assert fit.record.is_usable
    assert fit.record.estimates["inertia_1"].unit == "kg m^2"
    write_record(tmp_path / "arm.json", fit.record, {"by": "test"})
    assert read_record(tmp_path / "arm.json", CalibrationRecord) == fit.record


def test_an_identified_rig_moves_in_pybullet_as_the_arm_did():
    # Dry friction in PyBullet is a motor that stands still, ours a smooth sign, so this arm has viscous friction only.
    model = replace(MODEL, with_offset=False)
    truth = np.array([0.053, 0.208, 0.048, 0.155, 0.02, 0.0, 0.02, 0.0])
    fit = identify(model, [pushed(model, truth, k, (0.4, 0.3)) for k in range(2)], "synthetic")
    physics = PendulumPhysics(fit.rig("arm", "identified", (5.0, 5.0)))
    physics.place(np.array([0.8, -0.4]), np.zeros(2))
    physics.step(np.zeros(2), 500)
    theirs = physics.read()[0]
    physics.close()
    own = simulate(model, truth, np.array([0.8, -0.4]), np.zeros(2), np.zeros((501, 2)), 0.001)[0][-1]
    assert np.allclose(theirs, own, atol=0.01)


def test_what_a_standing_joint_does_not_tell_is_named():
    runs = [pushed(MODEL, TRUTH, k, (0.3, 0.0), locked=True) for k in range(2)]
    fit = identify(MODEL, runs, "synthetic")
    said = " | ".join(map(str, fit.record.findings))
    assert "do not excite viscous_2, coulomb_2, offset_2" in said
    assert "only a combination of inertia_1, moment_1, inertia_2, moment_2" in said
    assert set(fit.record.estimates) == {"viscous_1", "coulomb_1", "offset_1"}
    # The combination itself is right: what joint 1 feels.
    explained = torque_r2(MODEL, fit.parameters, runs[0], FILTERS)
    assert min(explained.values()) > 0.999


def test_runs_that_disagree_widen_the_intervals():
    random = np.random.default_rng(0)
    run = np.repeat(np.arange(5), 20)
    information = np.ones((100, 1, 1))
    noise = random.normal(size=(100, 1))
    alone = clustered(noise, information, run)
    shifted = clustered(noise + 3 * random.normal(size=(5, 1))[run], information, run)
    assert not alone.runs_disagree
    assert np.sqrt(alone.covariance[0, 0]) == pytest.approx(0.1, rel=0.25)
    assert shifted.runs_disagree
    assert shifted.blocks == 5
    assert shifted.covariance[0, 0] > 10 * alone.covariance[0, 0]


def test_scores_are_those_of_a_perfect_and_of_no_model():
    assert driven_joints(replace(RUNS[0], torques=RUNS[0].torques * [1.0, 0.01])) == (0,)
    assert torque_r2(MODEL, TRUTH, RUNS[0], FILTERS)[2] > 0.999
    assert motion_error(simulator(MODEL, TRUTH), RUNS, 0.5, FILTERS) < 0.01
    assert motion_error(simulator(MODEL, uniform_rods(MODEL, [0.5, 0.5])), RUNS, 0.5, FILTERS) > 0.1


def test_wrong_runs_are_named():
    with pytest.raises(InputError, match="needs a run or more"):
        identify(MODEL, [], "nothing")
    with pytest.raises(InputError, match="must have 1 joints as lengths_m has, got 2"):
        identify(ArmModel((0.2,)), RUNS, "synthetic")
    with pytest.raises(InputError, match="must be sampled every"):
        identify(MODEL, [RUNS[0], replace(RUNS[1], step_s=0.01)], "synthetic")
    with pytest.raises(InputError, match="leaving runs out needs two"):
        leave_one_run_out(MODEL, RUNS[:1])


@pytest.mark.slow
def test_left_out_runs_of_a_real_arm_are_explained(real_data):
    model = ArmModel((0.2, 0.3), gravity_m_s2=9.81, with_rotor=True)
    scores = leave_one_run_out(model, read_logs(real_data / "double_pendulum"))
    assert all(score.times_better > 3 for score in scores)
    assert {score.torque_hz for score in scores} == {3.0}
    explained = {(s.run, joint): value for s in scores for joint, value in s.torque_r2.items()}
    assert min(explained.values()) >= 0.95
    # The torque there (0.23 N m, root mean square) is a seventh of what link 1's inertia alone takes (1.6 N m), so one
    # control period (2 ms) between the readings of the joints matters; the torque of joint 2 tells it.
    (skew,) = next(s for s in scores if s.run == "20230629-143339").skews[1]
    assert skew.sure
    assert list(skew.by_equation) == [2]
    assert 0.0005 < skew.estimate.value < 0.003


def test_two_real_runs_were_read_one_control_period_apart(real_data):
    logs = read_logs(real_data / "double_pendulum")
    model = ArmModel((0.2, 0.3), gravity_m_s2=9.81, with_rotor=True)
    sure = {s.run: s for s in fitted_skews(model, logs, FILTERS) if s.sure}
    assert set(sure) == {"20230629-143339", "20230629-143524"}
    assert all(s.estimate.low < 0.002 < s.estimate.high for s in sure.values())


def test_a_real_run_held_out_moves_as_simulated(real_data):
    logs = read_logs(real_data / "double_pendulum")
    model = ArmModel((0.2, 0.3), gravity_m_s2=9.81)
    fit = identify(model, logs[1:3], "two runs")
    own, rods = (
        motion_error(simulator(model, p), [logs[3]], 0.5, FILTERS)
        for p in (fit.parameters, uniform_rods(model, [0.5, 0.5]))
    )
    assert rods > 3 * own


def test_mass_times_length_of_a_real_pendulum(real_data):
    log = read_log(real_data / "simple_pendulum" / "gravity_compensation_by_hand.csv")
    fit = identify(ArmModel((0.5,), gravity_m_s2=9.81), [log], "simple_pendulum")
    assert 0.30 <= fit.record.estimates["moment_1"].value <= 0.34
