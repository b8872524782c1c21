"""Intervals hold the truth as often as they say, on stations made by the sensor of the simulation."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.calibration_record import CalibrationRecord
from calibration.optics import SensorParams
from calibration.photometry import measure_photometry, measure_sensor_noise, measure_tone_curve
from envs.sensing import measure

Picture = NDArray[np.uint8]
Holds = dict[str, list[bool]]
STEPS = np.linspace(-0.6, 0.6, 6)


def random_scene(rng: np.random.Generator, height: int, width: int) -> Picture:
    # Drawn at four times the size, so that edges are shares of pixels.
    corners = rng.uniform(60, 150, (3, 4, 3))
    picture = cv2.resize(corners, (4 * width, 4 * height), interpolation=cv2.INTER_CUBIC)
    for _ in range(12):
        centre = rng.uniform((0, 0), (4 * width, 4 * height))
        box = cv2.boxPoints((tuple(centre), tuple(rng.uniform(140, 400, 2)), float(rng.uniform(0, 90))))
        cv2.fillPoly(picture, [box.astype(np.int32)], tuple(rng.uniform(25, 190, 3)))
    picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    y, x = (int(v) for v in rng.uniform((0, 0), (height - 60, width - 80)))
    picture[y : y + 60, x : x + 80] += rng.normal(0, 12, (60, 80, 1))
    return np.clip(picture + 0.5, 0, 255).astype(np.uint8)


def random_sensor(rng: np.random.Generator) -> SensorParams:
    noise, grain = rng.uniform(0.6, 4), rng.uniform(0.3, 2.5)
    return SensorParams(noise=noise, grain=grain, blur_px=rng.uniform(0.5, 1.6), gamma=rng.uniform(0.75, 1.35))


def check(record: CalibrationRecord, truth: dict[str, float], holds: Holds, prefix: str = "") -> None:
    for name, value in truth.items():
        if estimate := record.estimates.get(name):
            holds[prefix + name].append(estimate.low <= value <= estimate.high)


def frames_trial(seed: int, holds: Holds) -> None:
    rng = np.random.default_rng(seed)
    scene, sensor = random_scene(rng, 192, 256), random_sensor(rng)
    ev, balance = rng.uniform(0.03, 0.25), rng.uniform(0.01, 0.06)
    gains = np.exp(balance * rng.normal(size=(int(rng.integers(8, 14)), 2)))
    frames = [
        measure(scene, replace(sensor, exposure_ev=ev * rng.normal(), white_balance=(r, 1.0, b)), 1000 * seed + k)
        for k, (r, b) in enumerate(gains)
    ]
    bracket = [measure(scene, replace(sensor, exposure_ev=s), 1000 * seed + 100 + k) for k, s in enumerate(STEPS)]
    tone = measure_tone_curve(bracket, STEPS.tolist())
    check(tone, {"sensor.gamma": sensor.gamma}, holds)
    truth = {
        "sensor.exposure_ev.std": ev,
        "sensor.white_balance.r.std": balance,
        "sensor.white_balance.b.std": balance,
        "sensor.noise": sensor.noise,
        "sensor.grain": sensor.grain,
        "sensor.blur_px": sensor.blur_px,
    }
    check(measure_photometry(frames, gamma=tone.estimates["sensor.gamma"]), truth, holds)


def static_trial(seed: int, holds: Holds) -> None:
    rng = np.random.default_rng(seed)
    scene, grey = random_scene(rng, 128, 160), random_sensor(rng)
    counting = SensorParams(
        full_well_e=float(np.exp(rng.uniform(np.log(1000), np.log(10000)))),
        read_noise_e=rng.uniform(3, 20),
        blur_px=grey.blur_px,
    )
    for sensor, prefix, names in (
        (grey, "static ", ("noise", "grain")),
        (counting, "", ("full_well_e", "read_noise_e")),
    ):
        frames = [measure(scene, sensor, 1000 * seed + k) for k in range(6)]
        truth = {f"sensor.{name}": getattr(sensor, name) for name in names}
        check(measure_sensor_noise(frames), truth, holds, prefix)


def shares(trial: Callable[[int, Holds], None], count: int, first: int) -> dict[str, float]:
    holds: Holds = defaultdict(list)
    for seed in range(first, first + count):
        trial(seed, holds)
    assert all(len(values) > 0.7 * count for values in holds.values()), {k: len(v) for k, v in holds.items()}
    return {name: round(float(np.mean(values)), 3) for name, values in holds.items()}


def test_intervals_of_noise_over_time_hold_the_truth() -> None:
    found = shares(static_trial, 40, 0)
    assert len(found) == 4
    # Of 40 at 95 %, fewer than 34 would be a chance of one in a thousand.
    assert all(share >= 0.85 for share in found.values()), found


def test_intervals_of_a_few_stations_hold_the_truth() -> None:
    found = shares(frames_trial, 8, 0)
    assert len(found) == 7
    assert all(share >= 0.6 for share in found.values()), found


@pytest.mark.slow
@pytest.mark.parametrize("trial", [frames_trial, static_trial])
def test_intervals_hold_the_truth_in_90_to_98_percent_of_200_stations(trial: Callable[[int, Holds], None]) -> None:
    found = shares(trial, 200, 1000)
    assert all(0.90 <= share <= 0.985 for share in found.values()), found
