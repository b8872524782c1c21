from dataclasses import replace

import numpy as np
import pytest

from calibration.dynamics.filtering import FilterSettings, differentiate
from calibration.dynamics.identify import IdentifySettings, identify
from calibration.dynamics.logs import MotionLog
from calibration.dynamics.model import ArmModel
from calibration.dynamics.nuisance.readings import read_together
from calibration.dynamics.nuisance.skew import corrected, fitted_skews, skews_by_others
from calibration.dynamics.regressor import torque_regressor
from calibration.dynamics.scoring import score_runs

MODEL = ArmModel((0.2, 0.3), friction_velocity_rad_s=0.3)
TRUTH = np.array([0.053, 0.208, 0.048, 0.155, 0.01, 0.1, 0.01, 0.01, 0.08, -0.01])
FILTERS = FilterSettings()


@pytest.mark.parametrize("planted_s", [0.0, 0.002])
def test_intervals_cover_a_planted_skew(read_late, planted_s):
    skews = [
        s for k in (0, 3, 6, 9) for s in fitted_skews(MODEL, [read_late(k + i, planted_s) for i in range(3)], FILTERS)
    ]
    assert len(skews) == 12
    assert sum(s.estimate.low <= planted_s <= s.estimate.high for s in skews) >= 10
    assert max(s.estimate.std() for s in skews) < 3e-4
    assert all(s.agree for s in skews)
    # No skew is reported where none was planted, and every one that was.
    assert {s.sure for s in skews} == {planted_s > 0}


def test_each_run_has_a_skew_of_its_own_of_either_sign(read_late):
    planted = [-0.006, 0.0, 0.010]
    logs = [read_late(k, max(skew, 0.0)) for k, skew in enumerate(planted)]
    logs[0] = read_together(logs[0], np.array([0.006]))
    found = fitted_skews(MODEL, logs, FILTERS)
    assert [s.joint for s in found] == [2, 2, 2]
    assert np.allclose([s.estimate.value for s in found], planted, atol=4e-4)
    assert [s.sure for s in found] == [True, False, True]


def test_without_a_skew_the_fit_is_the_same_to_the_bit(read_late):
    logs = [read_late(k, 0.0) for k in range(2)]
    fit, plain = (identify(MODEL, logs, "synthetic", IdentifySettings(correct_skew=c)) for c in (True, False))
    assert np.array_equal(fit.parameters, plain.parameters)
    assert not [f for f in fit.record.findings if "was read" in f.what]
    assert fit.record.estimates["skew_2_run 0"].low < 0 < fit.record.estimates["skew_2_run 0"].high


def test_a_skew_is_told_and_mends_the_fit_and_the_score(read_late):
    fitted, judged = [read_late(k, 0.010) for k in range(2)], [read_late(12, 0.010), read_late(13, 0.010)]
    fit = identify(MODEL, fitted, "synthetic")
    said = [str(f) for f in fit.record.findings if "was read" in f.what]
    assert len(said) == 2
    assert said[0].startswith("note: run run 0: joint 2 was read ")
    assert fit.record.estimates["skew_2_run 1"].value == pytest.approx(0.010, abs=3e-4)
    mended, plain = (score_runs(MODEL, fitted, judged, IdentifySettings(correct_skew=c)) for c in (True, False))
    for with_it, without in zip(mended, plain, strict=True):
        assert set(with_it.torque_r2) == {1, 2}
        assert min(with_it.torque_r2.values()) > 0.99
        assert without.torque_r2[1] < 0.9


def test_a_judged_run_is_read_without_the_torque_that_it_is_scored_on(read_late):
    fitted, log = [read_late(k, 0.0) for k in range(2)], read_late(2, 0.006)
    for scored in (0, 1):
        poisoned = log.torques.copy()
        poisoned[:, scored] = 10 * np.random.default_rng(0).normal(size=len(poisoned))
        clean, blind = (
            skews_by_others(MODEL, fitted, one, FILTERS, scored) for one in (log, replace(log, torques=poisoned))
        )
        assert blind == clean
        (skew,) = clean
        assert list(skew.by_equation) == [2 - scored]
        assert skew.run == "run 2"
        assert skew.sure
        assert skew.estimate.value == pytest.approx(0.006, abs=6e-4)


def test_a_slow_torque_sensor_is_no_skew(read_late):
    logs = []
    for k in range(3):
        log = read_late(k, 0.0)
        times = np.arange(len(log.torques)) * log.step_s
        late = np.interp(times - 0.04, times, log.torques[:, 0])
        logs.append(replace(log, torques=np.stack([late, log.torques[:, 1]], axis=1)))
    found = fitted_skews(MODEL, logs, FILTERS)
    assert np.allclose([s.estimate.value for s in found], 0.0, atol=3e-4)
    assert not any(s.sure for s in found)


def test_what_only_one_equation_shows_is_not_corrected(read_late):
    logs = [read_late(k, 0.0) for k in range(3)]
    # The last run's joint 1 feels what a skew of 6 ms would do to it, and its joint 2 does not.
    log, late = logs[2], read_together(logs[2], np.array([-0.006]))
    motions = [differentiate(g.positions, g.step_s, FILTERS.motion_hz) for g in (late, log)]
    torques = [torque_regressor(MODEL, m.positions, m.velocities, m.accelerations) @ TRUTH for m in motions]
    felt = log.torques.copy()
    felt[:, 0] -= (torques[0] - torques[1])[:, 0]
    logs[2] = replace(log, torques=felt)
    found = fitted_skews(MODEL, logs, FILTERS)
    assert [s.agree for s in found] == [True, True, False]
    assert not found[2].sure
    assert found[2].estimate.low < 0 < found[2].estimate.high
    assert found[2].estimate.count == 2
    assert corrected(logs[2], found) is logs[2]


def test_runs_that_cannot_tell_have_none(read_late):
    log = read_late(0, 0.002)
    still = replace(log, name="still", positions=log.positions * [1, 0])
    assert [s.run for s in fitted_skews(MODEL, [log, still], FILTERS)] == ["run 0"]
    assert skews_by_others(MODEL, [log], still, FILTERS, 0) == ()
    one = MotionLog("one", log.step_s, log.positions[:, :1], log.torques[:, :1])
    assert fitted_skews(ArmModel((0.2,)), [one], FILTERS) == ()
    assert skews_by_others(ArmModel((0.2,)), [one], one, FILTERS, 0) == ()
