from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.calibration_record import CalibrationRecord
from calibration.errors import InputError
from calibration.photometry import measure_photometry, measure_sensor_noise, measure_tone_curve


def frame(value: int = 100, height: int = 64, width: int = 64) -> NDArray[np.uint8]:
    return np.full((height, width, 3), value, np.uint8)


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([], "must hold pictures, got none"),
        ([frame()], "must be 3 or more .* got 1 .* add 2 more"),
        ([frame(), frame(height=72), frame()], "must have one size, got 64 x 72 in frame 1 and 64 x 64 in frame 0"),
        ([frame(), frame().astype(np.float32), frame()], r"must be uint8 \(H, W, 3\) RGB, got float32"),
        ([frame()[..., 0]] * 3, r"must be uint8 \(H, W, 3\) RGB, got uint8 \(64, 64\) in frame 0"),
        ([frame(height=16)] * 3, "must be 32 x 32 pixels or larger, got 64 x 16"),
    ],
)
def test_bad_frames_are_one_clear_line(frames: list[NDArray[np.uint8]], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        measure_photometry(frames)
    assert "\n" not in str(caught.value)


def test_too_few_static_frames_say_how_many_more() -> None:
    with pytest.raises(InputError, match=r"4 or more .* got 3 .* add 1 more"):
        measure_sensor_noise([frame()] * 3)


def test_a_folder_is_read_as_rgb_in_the_order_of_names(tmp_path: Path) -> None:
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[..., 0], picture[..., 1], picture[..., 2] = 200, 100, 50
    for name in ("a.png", "b.png", "c.png"):
        cv2.imwrite(str(tmp_path / name), picture[..., ::-1])
    record = measure_photometry(tmp_path)
    assert record.source == str(tmp_path)
    assert record.estimates["sensor.white_balance.r"].value == pytest.approx(2.0, rel=0.02)


@pytest.mark.parametrize("content", [b"", b"no picture"])
def test_a_broken_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "broken.png").write_bytes(content)
    with pytest.raises(InputError, match=r"broken\.png"):
        measure_photometry(tmp_path)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"must be a folder of pictures, got .*nowhere"):
        measure_photometry(tmp_path / "nowhere")


def test_exposures_are_one_a_frame() -> None:
    with pytest.raises(InputError, match="must be 4 finite numbers"):
        measure_tone_curve([frame()] * 4, [0.0, 1.0])


def test_a_reference_without_colours_is_an_error() -> None:
    reference = CalibrationRecord("timing", "somewhere", 1, {})
    with pytest.raises(InputError, match="reference must be a photometry record with colours"):
        measure_photometry([frame()] * 3, reference=reference)


@pytest.mark.parametrize("level", [0, 100, 255])
def test_frames_without_anything_in_them_end_in_findings(level: int) -> None:
    record = measure_photometry([frame(level)] * 4)
    assert "sensor.blur_px" not in record.estimates
    assert any("sensor.blur_px is not identifiable" in f.what for f in record.findings)
    measure_sensor_noise([frame(level)] * 4)
    measure_tone_curve([frame(level)] * 4, [0.0, 0.2, 0.4, 0.6])
