import csv
from pathlib import Path

import numpy as np
import pytest

from calibration.errors import InputError
from calibration.records import read_record, write_record
from calibration.timing.stamps import stamp_timing


def test_period_jitter_and_losses_are_found() -> None:
    rng = np.random.default_rng(0)
    stamps = np.arange(600) / 30 + rng.normal(0, 0.001, 600)
    keep = np.ones(600, bool)
    keep[[100, 200, 201, 300]] = False

    record = stamp_timing(stamps[keep], "camera")

    assert record.estimates["frames.period_s"].value == pytest.approx(1 / 30, rel=2e-4)
    # An interval has the jitter of two stamps.
    assert record.estimates["jitter_s"].low < 0.001 * 2**0.5 < record.estimates["jitter_s"].high
    assert record.quality["lost"] == 4
    assert "4 samples are lost in 3 gaps" in str(record.findings[0])
    lost = record.estimates["frames.drop_probability"]
    assert lost.low < 4 / 600 < lost.high


def test_intervals_of_the_period_cover_it() -> None:
    covered = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        # Each interval is late by itself, as of a loop that sleeps.
        stamps = np.cumsum(0.02 + rng.normal(0, 0.001, 200))
        period = stamp_timing(stamps, "loop", "actuation").estimates["period_s"]
        covered += period.low <= 0.02 <= period.high
    assert 180 <= covered <= 198


def test_stamps_rounded_to_a_slow_clock_are_not_losses() -> None:
    stamps = np.floor(np.arange(300) / 30 * 100 + 0.5) / 100
    record = stamp_timing(stamps, "camera")
    assert record.estimates["frames.period_s"].value == pytest.approx(1 / 30, rel=1e-3)
    assert record.quality["lost"] == record.quality["late"] == 0


def test_pictures_delivered_twice_are_lost_ones() -> None:
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 255, (4, 4, 3), dtype=np.uint8) for _ in range(50)]
    pictures[20] = pictures[19]
    record = stamp_timing(np.arange(50) / 10, "camera", pictures=pictures)
    assert record.quality["repeated"] == record.quality["lost"] == 1
    assert "1 of 50 samples repeat" in str(record.findings[0])


def test_equal_stamps_are_repeats() -> None:
    stamps = np.repeat(np.arange(50) / 10, [1] * 30 + [2] + [1] * 19)
    record = stamp_timing(stamps, "camera", "observation")
    assert record.quality["repeated"] == 1
    assert record.estimates["observation.period_s"].value == pytest.approx(0.1)


def test_a_stall_is_told_and_is_no_loss() -> None:
    stamps = np.arange(100) * 0.1 + np.where(np.arange(100) > 40, 0.04, 0.0)
    record = stamp_timing(stamps, "camera")
    assert record.quality["late"] == 1
    assert record.quality["lost"] == 0
    assert "the first before fresh sample 41" in str(record.findings[0])


@pytest.mark.parametrize(
    ("stamps", "message"),
    [
        ([], "log: time stamps must not be empty, got 0 rows"),
        ([0.0, 0.1, 0.3, 0.2], "log, row 3: time must not go back, got 0.2 s after 0.3 s"),
        ([0.0, 0.1, float("nan")], "log, row 2: a time stamp must be finite"),
        ([0.0, 0.0, 0.1], "needs 4 samples that are not repeats, got 2 of 3"),
        ([[0.0]], r"must have shape \(N,\)"),
    ],
)
def test_bad_stamps_are_named(stamps: list[float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        stamp_timing(stamps, "log")


def test_a_record_can_be_kept(tmp_path: Path) -> None:
    record = stamp_timing(np.arange(10) / 10, "camera")
    write_record(tmp_path / "timing.json", record, {})
    assert read_record(tmp_path / "timing.json", type(record)) == record


@pytest.mark.real
def test_a_real_joint_log_runs_at_500_hz_after_a_slow_start(real_data: Path) -> None:
    file = real_data / "double_pendulum" / "20230629-143339.csv"
    stamps = np.genfromtxt(file, delimiter=",", names=True)["time"]
    record = stamp_timing(stamps, file.name, "observation")
    assert record.estimates["observation.period_s"].value == pytest.approx(0.002, rel=1e-3)
    assert record.estimates["jitter_s"].value < 1e-5
    assert record.quality["lost"] == 0
    assert record.quality["late"] == 4
    assert "fresh sample 1;" in str(record.findings[0])


@pytest.mark.real
def test_a_real_car_camera_keeps_every_frame(real_data: Path) -> None:
    with (real_data / "rc_car_walls" / "labels.csv").open() as file:
        stamps = [float(row["t_s"]) for row in csv.DictReader(file) if row["segment"] == "4"]
    record = stamp_timing(stamps, "segment 4")
    assert record.estimates["frames.period_s"].value == pytest.approx(0.2008, abs=3e-4)
    assert record.quality["lost"] == 0
