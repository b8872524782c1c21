from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from calibration.calibration_record import CalibrationRecord
from calibration.errors import InputError
from calibration.timing.latency import motion_delay, position_delay
from calibration.timing.motion import picture_motion, track_motion

Array = NDArray[np.float64]


def random_motion(rng: np.random.Generator, seconds: float = 24.0) -> Callable[[Array], Array]:
    """Two joints that start and stop without a rhythm, one unit strong, over about a tenth of a second."""
    grid = np.arange(-2, seconds + 2, 0.002)
    curve = gaussian_filter1d(rng.normal(size=(len(grid), 2)), 60, axis=0)
    curve /= curve.std(axis=0)
    return lambda t: np.column_stack([np.interp(t, grid, column) for column in curve.T])


def irregular(rng: np.random.Generator, rate: float, seconds: float = 24.0) -> Array:
    """Stamps with ten per cent jitter, three per cent of them lost."""
    stamps = np.arange(0, seconds, 1 / rate) + rng.uniform(0, 1 / rate)
    stamps = np.sort(stamps + rng.normal(0, 0.1 / rate, len(stamps)))
    return stamps[rng.random(len(stamps)) > 0.03]


def motion_trial(seed: int, delay: float) -> CalibrationRecord:
    """A keypoint in 30 Hz pictures, with its own scale and noise, against a 100 Hz log of joints."""
    rng = np.random.default_rng(seed)
    motion = random_motion(rng)
    log, camera = irregular(rng, 100), irregular(rng, 30)
    joints = motion(log) + rng.normal(0, 0.01, (len(log), 2))
    pixels = 100 * motion(camera - delay) @ np.array([[1, 0.3], [-0.2, 0.9]])
    pixels += rng.normal(0, 1.5, pixels.shape)
    return motion_delay(track_motion(log, joints, "joints"), track_motion(camera, pixels, "pictures"))


def position_trial(seed: int, delay: float) -> CalibrationRecord:
    """Measured joints with errors that remember half a second, against commanded ones."""
    rng = np.random.default_rng(seed)
    motion = random_motion(rng)
    commanded, measured = irregular(rng, 100), irregular(rng, 30)
    drift = gaussian_filter1d(rng.normal(size=(len(measured), 2)), 8, axis=0)
    seen = motion(measured - delay) + 0.05 * drift / drift.std() + rng.normal(0, 0.05, drift.shape)
    return position_delay(commanded, motion(commanded) + rng.normal(0, 0.01, (len(commanded), 2)), measured, seen)


def covered(trial: Callable[[int, float], CalibrationRecord], name: str, trials: int) -> int:
    count = 0
    for seed in range(trials):
        delay = float(np.random.default_rng([seed, 1]).uniform(0, 0.12))
        estimate = trial(seed, delay).estimates[name]
        count += estimate.low <= delay <= estimate.high
    return count


def test_a_delay_of_40_ms_is_found_in_either_direction() -> None:
    record = motion_trial(0, 0.04)
    estimate = record.estimates["frames.delay_s"]
    assert estimate.value == pytest.approx(0.04, abs=0.003)
    assert 0.0005 < estimate.high - estimate.low < 0.006
    assert record.is_usable
    back = motion_trial(0, -0.04)
    assert back.estimates["frames.delay_s"].value == pytest.approx(-0.04, abs=0.003)
    assert "ahead of joints" in str(back.findings[0])


def test_the_sparser_log_may_be_the_reference() -> None:
    rng = np.random.default_rng(3)
    motion = random_motion(rng)
    slow, fast = irregular(rng, 30), irregular(rng, 100)
    moved = motion_delay(track_motion(slow, motion(slow), "slow"), track_motion(fast, motion(fast - 0.04), "fast"))
    assert moved.estimates["frames.delay_s"].value == pytest.approx(0.04, abs=0.002)
    placed = position_delay(slow, motion(slow), fast, motion(fast - 0.04))
    assert placed.estimates["actuation.delay_s"].value == pytest.approx(0.04, abs=0.002)


@pytest.mark.parametrize(("trial", "name"), [(motion_trial, "frames.delay_s"), (position_trial, "actuation.delay_s")])
def test_intervals_cover_the_delay(trial: Callable[[int, float], CalibrationRecord], name: str) -> None:
    assert covered(trial, name, 40) >= 34


@pytest.mark.slow
@pytest.mark.parametrize(("trial", "name"), [(motion_trial, "frames.delay_s"), (position_trial, "actuation.delay_s")])
def test_intervals_cover_the_delay_as_often_as_they_say(
    trial: Callable[[int, float], CalibrationRecord], name: str
) -> None:
    # Of 200 trials a right interval covers 98 % or more once in forty times, of 600 hardly ever.
    assert 540 <= covered(trial, name, 600) <= 588


def test_pictures_of_a_moving_dot_tell_the_delay() -> None:
    rng = np.random.default_rng(5)
    motion = random_motion(rng, 12)
    log, camera = irregular(rng, 100, 12), irregular(rng, 30, 12)
    pictures = []
    for x, y in 40 + 8 * motion(camera - 0.04):
        picture = rng.integers(100, 106, (80, 80, 3), dtype=np.uint8)
        cv2.circle(picture, (round(x * 16), round(y * 16)), 12 * 16, (255, 255, 255), -1, cv2.LINE_AA, 4)
        pictures.append(picture)
    record = motion_delay(track_motion(log, motion(log), "joints"), picture_motion(camera, pictures, "pictures"))
    estimate = record.estimates["frames.delay_s"]
    assert estimate.value == pytest.approx(0.04, abs=0.004)
    assert estimate.low <= 0.04 <= estimate.high


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_motion_that_repeats_itself_is_told(noise: float) -> None:
    rng = np.random.default_rng(6)
    log, camera = irregular(rng, 100, 12), irregular(rng, 30, 12)

    def swing(t: Array) -> Array:
        return np.sin(2 * np.pi * 2 * t)

    seen = swing(camera - 0.04) + noise * rng.normal(size=len(camera))
    record = position_delay(log, swing(log), camera, seen, longest_s=0.8)
    assert not record.estimates
    assert "the motion repeats itself" in str(record.findings[0])


def test_streams_that_have_nothing_in_common_are_told() -> None:
    told = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        one, other = random_motion(rng), random_motion(rng)
        log, camera = irregular(rng, 100), irregular(rng, 30)
        record = motion_delay(track_motion(log, one(log), "joints"), track_motion(camera, other(camera), "pictures"))
        told += not record.is_usable and not record.estimates
    assert told == 20


def test_what_does_not_move_is_told() -> None:
    stamps = np.arange(300) / 30
    moving = track_motion(stamps, np.random.default_rng(0).normal(size=300), "joints")
    record = motion_delay(moving, track_motion(stamps, np.zeros(300), "pictures"))
    assert "pictures does not move" in str(record.findings[0])
    assert not record.estimates


def test_a_delay_beyond_the_search_is_told() -> None:
    rng = np.random.default_rng(7)
    motion = random_motion(rng)
    stamps = irregular(rng, 100)
    record = position_delay(stamps, motion(stamps), stamps, motion(stamps - 0.15), longest_s=0.1)
    assert not record.estimates
    assert "no delay within 0.1 s" in str(record.findings[0])


def test_bad_logs_are_named() -> None:
    stamps = np.arange(100) / 30
    with pytest.raises(InputError, match="must overlap commanded by 20 samples"):
        position_delay(stamps, stamps, stamps + 100, stamps)
    with pytest.raises(InputError, match="a value for each of 100 stamps, got 99"):
        position_delay(stamps, stamps[1:], stamps, stamps)
    with pytest.raises(InputError, match="commanded, row 2: time must not go back"):
        position_delay([0, 2, 1], [0, 0, 0], stamps, stamps)
    with pytest.raises(InputError, match="measured: time stamps must not be empty"):
        position_delay(stamps, stamps, [], [])
    with pytest.raises(InputError, match="the 1 columns of commanded, got 2"):
        position_delay(stamps, stamps, stamps, np.zeros((100, 2)))
    with pytest.raises(InputError, match="a picture for each of 2 stamps, got 0"):
        picture_motion([0, 1], [], "camera")


@pytest.mark.real
def test_a_delay_put_into_a_real_log_is_found(real_data: Path) -> None:
    log = np.genfromtxt(real_data / "double_pendulum" / "20230629-143601.csv", delimiter=",", names=True)
    joints = np.column_stack([log["pos_meas1"], log["pos_meas2"]])
    frames = slice(0, None, 17)
    record = motion_delay(
        track_motion(log["time"], joints, "joints"),
        track_motion(log["time"][frames] + 0.04, joints[frames], "pictures"),
    )
    assert record.estimates["frames.delay_s"].value == pytest.approx(0.04, abs=0.002)
