import numpy as np
import pytest

from calibration.dynamics.logs import LogColumns, read_log, read_logs
from calibration.errors import InputError


def written(path, columns, times, values):
    rows = [",".join(columns)] + [",".join(f"{v:.9g}" for v in (t, *row)) for t, row in zip(times, values, strict=True)]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


DOUBLE = ("time", "pos_meas1", "pos_meas2", "vel_meas1", "vel_meas2", "tau_meas1", "tau_meas2")


def test_names_of_one_joint_and_of_two_are_recognised(tmp_path):
    times = np.arange(101) * 0.01
    wave = np.sin(times)[:, None]
    one = read_log(written(tmp_path / "a.csv", ("time", "position", "velocity", "torque"), times, wave * [1, 2, 3]))
    two = read_log(written(tmp_path / "b.csv", DOUBLE, times, wave * [1, 2, 3, 4, 5, 6]))
    assert np.allclose(one.positions, wave)
    assert np.allclose(one.torques, 3 * wave)
    assert np.allclose(two.positions, wave * [1, 2])
    assert np.allclose(two.torques, wave * [5, 6])


def test_other_names_are_given_by_a_mapping(tmp_path):
    times = np.arange(101) * 0.01
    path = written(tmp_path / "a.csv", ("t", "q", "u"), times, np.stack([times, 2 * times], 1))
    log = read_log(path, LogColumns("t", ("q",), (), ("u",)))
    assert np.allclose(log.torques, 2 * log.positions)
    with pytest.raises(InputError, match="must have columns such as time, pos_meas1"):
        read_log(path)
    with pytest.raises(InputError, match="must have a column 'w'"):
        read_log(path, LogColumns("t", ("q",), (), ("w",)))


def test_irregular_stamps_are_resampled_and_repeated_ones_dropped(tmp_path):
    random = np.random.default_rng(0)
    times = np.cumsum(random.uniform(0.005, 0.015, size=300))
    times[100] = times[99]
    path = written(tmp_path / "a.csv", ("time", "position", "torque"), times, np.stack([3 * times, times], 1))
    log = read_log(path)
    assert log.dropped == 1
    assert log.resampled > 0.5
    assert np.allclose(np.diff(log.positions[:, 0]), 3 * log.step_s)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: [], "got an empty log"),
        (lambda lines: lines[:1], "got an empty log"),
        (lambda lines: [*lines[:5], "0.05,nan,1", *lines[6:]], "line 6: position must be finite, got nan"),
        (lambda lines: [*lines[:5], "0.05,x,1", *lines[6:]], "line 6: position must be a number, got 'x'"),
        (
            lambda lines: [*lines[:5], "0.001,1,1", *lines[6:]],
            "line 6: time must not go backwards, got 0.001",
        ),
        (lambda lines: lines[:10], "must be 0.5 s or longer, got 0.08 s"),
        (lambda lines: [*lines[:5], *lines[60:]], "no gap above 0.2 s, got 0.56 s after 0.03 s"),
    ],
)
def test_a_bad_log_is_one_line(tmp_path, change, message):
    times = np.arange(201) * 0.01
    path = written(tmp_path / "bad.csv", ("time", "position", "torque"), times, np.stack([times, times], 1))
    path.write_text("\n".join(change(path.read_text(encoding="utf-8").splitlines())), encoding="utf-8")
    with pytest.raises(InputError, match=message) as caught:
        read_log(path)
    assert "bad.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_without_logs_or_with_mixed_arms_is_refused(tmp_path):
    with pytest.raises(InputError, match="must hold CSV logs"):
        read_logs(tmp_path)
    times = np.arange(101) * 0.01
    written(tmp_path / "a.csv", ("time", "position", "torque"), times, np.zeros((101, 2)))
    written(tmp_path / "b.csv", DOUBLE, times, np.zeros((101, 6)))
    with pytest.raises(InputError, match=r"b\.csv must have 1 joints as a\.csv has, got 2"):
        read_logs(tmp_path)
    with pytest.raises(InputError, match="cannot read"):
        read_log(tmp_path / "missing.csv")
