from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.camera import CameraIntrinsics
from calibration.errors import InputError
from calibration.records import read_record, write_record
from calibration.station_check import StationCheck, check_station
from calibration.station_record import StationRecord, station_record

Picture = NDArray[np.uint8]
CAMERA = CameraIntrinsics.from_vertical_fov(320, 240, 0.8)


def frames_of(seed: int, count: int = 12) -> list[Picture]:
    """Frames of one scene of coloured patches with a ball that moves in front, and a breathing exposure."""
    scene = np.random.default_rng(0)
    wall = cv2.resize(
        scene.integers(40, 180, (16, 20, 3)).astype(np.float32), (320, 240), interpolation=cv2.INTER_CUBIC
    )
    for x, y, w, h in scene.integers((0, 0, 10, 10), (280, 200, 40, 40), (40, 4)):
        wall[y : y + h, x : x + w] = scene.integers(40, 180, 3)
    wall = cv2.GaussianBlur(wall, (0, 0), 0.8)
    rng = np.random.default_rng([seed, 1])
    frames = []
    for _ in range(count):
        frame = wall.copy()
        cv2.circle(frame, tuple(int(v) for v in rng.integers((30, 30), (290, 210))), 24, (200.0, 60.0, 40.0), -1)
        frame = frame * rng.normal(1, 0.02) + rng.normal(0, 2, frame.shape)
        frames.append(np.clip(frame, 0, 255).astype(np.uint8))
    return frames


def shifted(frame: Picture, right: float, down: float = 0.0) -> Picture:
    size = (frame.shape[1], frame.shape[0])
    move = np.array([[1, 0, right], [0, 1, down]], np.float32)
    return np.asarray(cv2.warpAffine(frame, move, size, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def scaled(frame: Picture, factor: object) -> Picture:
    return np.asarray(np.clip(frame * np.asarray(factor), 0, 255).astype(np.uint8))


def text(check: StationCheck) -> str:
    return "\n".join(map(str, check.findings))


@pytest.fixture(scope="module")
def record() -> StationRecord:
    return station_record(frames_of(1), np.arange(12) / 30)


def test_the_same_station_is_ok_after_its_record_was_kept(record: StationRecord, tmp_path: Path) -> None:
    write_record(tmp_path / "station.json", record, {"source": "test"})
    kept = read_record(tmp_path / "station.json", StationRecord)
    assert kept == record
    check = check_station(kept, frames_of(2), 5 + np.arange(12) / 30)
    assert check.verdict == "ok", text(check)
    assert not check.findings


def test_a_moved_camera_is_measured(record: StationRecord) -> None:
    check = check_station(record, [shifted(f, 3, -1) for f in frames_of(2)], intrinsics=CAMERA)
    assert check.verdict == "changed"
    assert check.measured["shift_px"] == pytest.approx(10**0.5, abs=0.2)
    assert check.measured["shift_rad"] == pytest.approx(10**0.5 / CAMERA.fx_px, rel=0.1)
    assert "+3.0 px right, -1.0 px down" in text(check)
    assert len(check.findings) == 1


def test_a_camera_that_was_knocked_late_is_found(record: StationRecord) -> None:
    frames = frames_of(2)
    check = check_station(record, [*frames[:8], *(shifted(f, 3) for f in frames[8:])])
    assert "the camera moved by 3.0 px" in text(check)


def test_another_scene_is_told(record: StationRecord) -> None:
    check = check_station(record, [np.zeros_like(f) for f in frames_of(2)])
    assert "12 of 12 frames do not show the scene" in text(check)
    assert "brightness is 0.0" in text(check)


@pytest.mark.parametrize(("factor", "name"), [(1.3, "brightness is 1.3"), (0.7, "brightness is 0.7")])
def test_a_change_of_exposure_is_found(record: StationRecord, factor: float, name: str) -> None:
    check = check_station(record, [scaled(f, factor) for f in frames_of(2)])
    assert name in text(check)
    assert "camera moved" not in text(check)


def test_white_balance_swapped_channels_and_blur_are_told_apart(record: StationRecord) -> None:
    frames = frames_of(2)
    balance = text(check_station(record, [scaled(f, (1.15, 1.0, 0.85)) for f in frames]))
    assert "red over green is 1.1" in balance
    assert "blue over green is 0.8" in balance
    assert "swapped" not in balance
    swapped = check_station(record, [np.ascontiguousarray(f[..., ::-1]) for f in frames])
    assert "red and blue are swapped" in text(swapped)
    assert len(swapped.findings) == 1
    blurred = check_station(record, [np.asarray(cv2.GaussianBlur(f, (0, 0), 1.5), np.uint8) for f in frames])
    assert "sharpness is 0." in text(blurred)
    assert "camera moved" not in text(blurred)


def test_late_lost_and_repeated_frames_are_told(record: StationRecord) -> None:
    frames = frames_of(2)
    assert "frames come every 50 ms" in text(check_station(record, frames, np.arange(12) / 20))
    stamps = np.delete(np.arange(14) / 30, [4, 8])
    assert "timing: 2 samples are lost in 2 gaps" in text(check_station(record, frames, stamps))
    frames[5] = frames[4]
    assert "timing: 1 of 12 samples repeat" in text(check_station(record, frames, np.arange(12) / 30))
    late = np.cumsum(1 / 30 + np.random.default_rng(0).uniform(-0.008, 0.008, 12))
    assert "frames come late" in text(check_station(record, frames, late))
    assert check_station(record, frames[:2], [0.0, 0.1]).verdict == "ok"


def test_another_size_is_a_fault(record: StationRecord) -> None:
    half = [np.asarray(cv2.resize(f, (160, 120)), np.uint8) for f in frames_of(2, 2)]
    assert "frames are 160 x 120, and 320 x 240 in the record" in text(check_station(record, half))


def test_bad_frames_are_named(record: StationRecord) -> None:
    frames = frames_of(2, 5)
    with pytest.raises(InputError, match="at least 5 frames are needed, got 2"):
        station_record(frames[:2])
    with pytest.raises(InputError, match="at least 1 frames are needed, got 0"):
        check_station(record, [])
    with pytest.raises(InputError, match="frame 1: must be 320 x 240 as the first, got 320 x 100"):
        check_station(record, [frames[0], frames[1][:100]])
    with pytest.raises(InputError, match="frame 0: must be uint8"):
        check_station(record, [frames[0].astype(np.float32)])  # type: ignore[list-item]
    with pytest.raises(InputError, match="row 1: time must not go back"):
        check_station(record, frames, [1.0, 0.5, 2.0, 3.0, 4.0])
    with pytest.raises(InputError, match=r"the camera must stand still .* got 0 of 5 that agree"):
        station_record([np.zeros_like(f) for f in frames])
    with pytest.raises(InputError, match=r"the camera must stand still, 4 of 12 frames are displaced by up to [23]\."):
        station_record([shifted(f, 3 * (i > 7)) for i, f in enumerate(frames_of(2))], source="walk")


@pytest.fixture(scope="module")
def photographs(real_data: Path) -> list[Picture]:
    files = sorted((real_data / "cube_on_table" / "images").glob("*.jpg"))
    return [np.ascontiguousarray(np.asarray(cv2.imread(str(f)))[..., ::-1]) for f in files]


@pytest.mark.real
def test_real_photographs_tell_faults_from_a_cube_that_moves(photographs: list[Picture]) -> None:
    good, later = station_record(photographs[:16]), photographs[16:]
    same = check_station(good, later)
    assert not same.findings, text(same)
    assert same.measured["shift_px"] < 0.2
    moved = check_station(good, [shifted(f, 3) for f in later])
    assert moved.measured["shift_px"] == pytest.approx(3, abs=0.1)
    assert text(moved).count("\n") == 0
    assert "red and blue are swapped" in text(check_station(good, [np.ascontiguousarray(f[..., ::-1]) for f in later]))
    assert "brightness is 1.3" in text(check_station(good, [scaled(f, 1.3) for f in later]))
    assert "brightness is 0.7" in text(check_station(good, [scaled(f, 0.7) for f in later]))
