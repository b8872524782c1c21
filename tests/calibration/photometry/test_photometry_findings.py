from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.calibration_record import CalibrationRecord
from calibration.optics import SensorParams
from calibration.photometry import measure_photometry, measure_sensor_noise, measure_tone_curve
from calibration.records import read_record, write_record
from calibration.world import WorldParams, paths
from envs.sensing import measure

Picture = NDArray[np.uint8]


def scene(seed: int) -> Picture:
    rng = np.random.default_rng(seed)
    picture = cv2.resize(rng.uniform(60, 150, (3, 4, 3)), (512, 384), interpolation=cv2.INTER_CUBIC)
    for _ in range(8):
        centre = rng.uniform((0, 0), (512, 384))
        box = cv2.boxPoints((tuple(centre), tuple(rng.uniform(60, 160, 2)), float(rng.uniform(0, 90))))
        cv2.fillPoly(picture, [box.astype(np.int32)], tuple(rng.uniform(25, 190, 3)))
    return np.clip(cv2.resize(picture, (256, 192), interpolation=cv2.INTER_AREA), 0, 255).astype(np.uint8)


def warm_scene(seed: int) -> Picture:
    """A scene with orange and little blue, as a wooden table and a robot are."""
    return np.clip(scene(seed) * np.array([1.15, 0.85, 0.55]), 0, 255).astype(np.uint8)


def of_one_scene(picture: Picture, count: int = 6, sensor: SensorParams | None = None) -> list[Picture]:
    sensor = sensor or SensorParams(noise=1.5, blur_px=0.8)
    return [measure(picture, replace(sensor, exposure_ev=0.05 * (k % 3)), k) for k in range(count)]


def what(record: CalibrationRecord) -> str:
    return "\n".join(map(str, record.findings))


def test_estimates_are_named_by_paths_of_the_world() -> None:
    known = paths(WorldParams())
    for name in measure_photometry(of_one_scene(scene(0))).estimates:
        path = ".".join(name.split(".")[:2])
        assert path in known


def test_swapped_red_and_blue_are_found_against_a_record(tmp_path: Path) -> None:
    frames = of_one_scene(warm_scene(1))
    write_record(tmp_path / "station.json", measure_photometry(frames), {})
    reference = read_record(tmp_path / "station.json", CalibrationRecord)
    swapped = [np.ascontiguousarray(f[..., ::-1]) for f in of_one_scene(warm_scene(1), 4)]
    record = measure_photometry(swapped, reference=reference)
    assert 'red and blue are swapped: channels arrive as "bgr" in 4 of 4 frames' in what(record)
    assert not record.is_usable
    assert "swapped" not in what(measure_photometry(frames, reference=reference))


def test_one_swapped_frame_among_others_is_named() -> None:
    frames = of_one_scene(warm_scene(2))
    frames[3] = np.ascontiguousarray(frames[3][..., ::-1])
    record = measure_photometry(frames, reference=of_one_scene(warm_scene(2), 3))
    assert '"bgr" in 1 of 6 frames (frame 3)' in what(record)
    assert record.is_usable


@pytest.mark.parametrize("order", ["grb", "gbr", "brg", "rbg"])
def test_other_orders_are_named(order: str) -> None:
    frames = of_one_scene(warm_scene(3))
    turned = of_one_scene(warm_scene(3), 4, SensorParams(noise=1.5, channels=order))
    assert f'channels are in the wrong order: channels arrive as "{order}"' in what(
        measure_photometry(turned, reference=frames)
    )


def test_swapped_red_and_blue_are_found_against_colours_of_the_rig() -> None:
    picture = scene(4)
    picture[60:120, 80:160] = (220, 90, 20)
    frames = of_one_scene(picture)
    known = [(220 / 255, 90 / 255, 20 / 255), (0.5, 0.5, 0.5)]
    assert "swapped" not in what(measure_photometry(frames, known_rgb=known))
    swapped = [np.ascontiguousarray(f[..., ::-1]) for f in frames]
    assert "red and blue are swapped" in what(measure_photometry(swapped, known_rgb=known))
    assert "no colour of the rig tells" in what(measure_photometry(frames, known_rgb=[(0.5, 0.5, 0.5)]))


def test_a_frame_with_a_cast_is_named_and_left_out() -> None:
    frames = of_one_scene(scene(5), 8)
    frames[2] = measure(scene(5), SensorParams(noise=1.5, blur_px=0.8, white_balance=(1.2, 1.0, 1.1)), 9)
    record = measure_photometry(frames)
    assert "frame 2 has a colour cast" in what(record)
    assert record.estimates["sensor.white_balance.r.std"].count == 7
    assert record.estimates["sensor.white_balance.r.std"].value < 0.005


def test_vignetting_is_told_from_different_scenes_only() -> None:
    sensor = SensorParams(noise=1.0, vignetting=0.3)
    different = [measure(scene(100 + k), sensor, k) for k in range(40)]
    estimate = measure_photometry(different).estimates["sensor.vignetting"]
    assert estimate.low <= 0.3 <= estimate.high
    record = measure_photometry(of_one_scene(scene(6), 9, sensor))
    assert "sensor.vignetting" not in record.estimates
    assert "sensor.vignetting is not identifiable: the frames show one scene" in what(record)


def test_frames_of_different_scenes_have_no_spread() -> None:
    record = measure_photometry([scene(k) for k in range(6)])
    assert "sensor.exposure_ev.std" not in record.estimates
    assert "spreads of exposure and white balance are not identifiable" in what(record)


def test_gamma_needs_exposures() -> None:
    assert "sensor.gamma is not identifiable" in what(measure_photometry(of_one_scene(scene(7))))
    same = measure_tone_curve(of_one_scene(scene(7), 4), [0.0, 0.0, 0.0, 0.0])
    assert "sensor.gamma is not identifiable" in what(same)
    assert not same.estimates


def test_what_moves_does_not_disturb_noise_over_time() -> None:
    picture = scene(8)
    frames = []
    for k in range(8):
        moved = picture.copy()
        moved[40:90, 20 + 15 * k : 70 + 15 * k] = (30, 160, 90)
        frames.append(measure(moved, SensorParams(noise=2.0), k))
    record = measure_sensor_noise(frames)
    assert record.estimates["sensor.noise"].value == pytest.approx(2.0, rel=0.02)
    assert 0.4 < record.quality["still_share"] < 1


def test_a_moving_camera_is_no_static_sequence() -> None:
    record = measure_sensor_noise([scene(k) for k in range(5)])
    assert not record.is_usable
    assert "the sequence is not static" in what(record)


def test_grey_and_electron_noise_are_told_from_each_other() -> None:
    grey = measure_sensor_noise([measure(scene(9), SensorParams(noise=2.0), k) for k in range(8)])
    assert grey.quality["grey_misfit"] < grey.quality["electron_misfit"]
    sensor = SensorParams(full_well_e=2000.0, read_noise_e=12.0)
    counted = measure_sensor_noise([measure(scene(9), sensor, k) for k in range(8)])
    assert counted.quality["electron_misfit"] < counted.quality["grey_misfit"]


def test_noise_that_rounding_hides_is_an_upper_limit() -> None:
    record = measure_sensor_noise([measure(scene(10), SensorParams(noise=0.1, blur_px=0.8), k) for k in range(6)])
    estimate = record.estimates["sensor.noise"]
    assert estimate.low == 0
    assert estimate.high >= 0.28
    assert "rounding hides it" in what(record)
