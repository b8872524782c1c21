from dataclasses import replace

import numpy as np
import pytest

from calibration.dynamics.filtering import FilterSettings
from calibration.dynamics.identify import IdentifySettings, identify
from calibration.dynamics.model import ArmModel
from calibration.dynamics.nuisance.offsets import run_offsets, with_common_offset

MODEL = ArmModel((0.2, 0.3), friction_velocity_rad_s=0.3)
TRUTH = np.array([0.053, 0.208, 0.048, 0.155, 0.01, 0.1, 0.01, 0.01, 0.08, -0.01])
FILTERS = FilterSettings()


def shifted(log, shift):
    return replace(log, torques=log.torques + np.array(shift))


def test_constants_that_differ_are_found_and_taken_out(read_late):
    shifts = np.array([[0.0, 0.0], [0.1, 0.0], [-0.05, 0.0]])
    logs = [shifted(read_late(k, 0.0), s) for k, s in enumerate(shifts)]
    (found,) = run_offsets(MODEL, logs, FILTERS)
    assert found.joint == 1
    for k, log in enumerate(logs):
        estimate = found.by_run[log.name]
        assert estimate.value == pytest.approx(TRUTH[6] + shifts[k, 0], abs=0.01)
        assert estimate.unit == "N m"
    common = np.array([with_common_offset(log, [found]).torques.mean(0) for log in logs])
    plain = np.array([read_late(k, 0.0).torques.mean(0) for k in range(3)])
    assert np.allclose(common - plain, [shifts[:, 0].mean(), 0.0], atol=0.01)


def test_a_wrong_zero_is_such_a_constant_and_does_not_spoil_the_arm(read_late):
    zeros = [[0.03, -0.04], [-0.04, 0.03], [0.0, 0.02]]
    plain_logs = [read_late(k, 0.0) for k in range(3)]
    logs = [replace(g, positions=g.positions + np.array(z)) for g, z in zip(plain_logs, zeros, strict=True)]
    settings = [IdentifySettings(method="torque", correct_offsets=c) for c in (True, False)]
    fit, plain = (identify(MODEL, logs, "synthetic", s) for s in settings)
    assert [f.joint for f in fit.runs.offsets] == [1, 2]
    told = [f.what for f in fit.record.findings if "differs between runs" in f.what]
    assert len(told) == 2
    assert told[0].startswith("the torque of joint 1 has a constant that differs between runs, ")
    assert "offset_1_run 0" in fit.record.estimates
    friction = [MODEL.names.index(n) for n in ("coulomb_1", "coulomb_2", "moment_1", "moment_2")]
    off, plain_off = (np.abs(f.parameters / TRUTH - 1)[friction].max() for f in (fit, plain))
    assert off < 0.1
    assert off < plain_off


def test_runs_that_agree_stay_as_they_are(read_late):
    for first in (0, 3, 6, 9):
        logs = [read_late(first + k, 0.0) for k in range(3)]
        assert run_offsets(MODEL, logs, FILTERS) == ()
        assert with_common_offset(logs[0], ()) is logs[0]


def test_where_there_is_nothing_to_compare_there_is_none(read_late):
    logs = [shifted(read_late(k, 0.0), [k, 0.0]) for k in range(2)]
    assert run_offsets(MODEL, logs[:1], FILTERS) == ()
    assert run_offsets(replace(MODEL, with_offset=False), logs, FILTERS) == ()
    still = [replace(g, positions=0 * g.positions) for g in logs]
    assert run_offsets(MODEL, still, FILTERS) == ()
