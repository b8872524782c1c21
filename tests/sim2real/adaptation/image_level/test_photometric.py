import dataclasses

import numpy as np
import pytest

from calibration.rig_file import load_rig
from sim2real.adaptation.image_level.looks import NAMES, coverage, looks
from sim2real.adaptation.image_level.photometric import FittedRange, fit_ranges, posterior_values, with_ranges
from sim2real.distributions import Uniform
from sim2real.presets import load_preset, rig_spec
from sim2real.randomization import Channel
from sim2real.stream import SimulatedFrames


def statistic(name: str, picture: np.ndarray) -> float:
    return float(looks(picture.astype(np.uint8)[None])[0, NAMES.index(name)])


def test_noise_is_measured_in_its_own_unit() -> None:
    rng = np.random.default_rng(0)
    for std in (2.0, 6.0):
        grey = np.clip(128 + rng.normal(0, std, (120, 160, 1)), 0, 255).repeat(3, axis=2)
        # A grey level of 255 around middle grey is 0.39 L*.
        assert np.exp(statistic("log noise", np.rint(grey))) == pytest.approx(0.39 * std, rel=0.12)


def test_blur_lowers_sharpness_and_a_bright_middle_the_corner_ratio() -> None:
    import cv2

    rng = np.random.default_rng(1)
    sharp = rng.integers(0, 255, (120, 160, 3)).astype(np.uint8)
    assert statistic("log sharpness", cv2.GaussianBlur(sharp, (0, 0), 2.0)) < statistic("log sharpness", sharp) - 0.3
    rows, columns = np.mgrid[-1:1:120j, -1:1:160j]
    bright = np.clip(200 * (1 - 0.4 * (rows**2 + columns**2)), 0, 255)[..., None].repeat(3, axis=2)
    assert statistic("corner to middle", bright) < 0.75
    assert statistic("corner to middle", np.full((120, 160, 3), 90.0)) == pytest.approx(1.0)


def test_coverage_counts_what_lies_inside() -> None:
    simulated = np.linspace(0, 1, 1001)[:, None] * [1.0, 10.0]
    real = np.array([[0.5, 20.0], [0.5, 5.0], [2.0, 5.0], [0.001, 5.0]])
    np.testing.assert_allclose(coverage(simulated, real), [0.5, 0.75])


def test_the_posterior_of_a_linear_gaussian_model_is_the_exact_one() -> None:
    # value ~ N(0, 1), statistic = 2 value + N(0, 0.5): given s the value is normal with mean 2 s / 4.25.
    rng = np.random.default_rng(2)
    values = rng.normal(size=(4000, 1))
    drawn = 2 * values + rng.normal(0, 0.5, values.shape)
    for seen in (-1.0, 1.7):
        found = posterior_values(drawn, values, np.array([[seen]]))
        assert found.mean() == pytest.approx(2 * seen / 4.25, abs=0.03)
        assert found.std() == pytest.approx(np.sqrt(0.25 / 4.25), rel=0.1)


def test_values_stay_within_what_was_drawn() -> None:
    rng = np.random.default_rng(3)
    values = rng.uniform(0, 1, (500, 2))
    found = posterior_values(values @ [[1.0, 0.0], [0.0, 1.0]], values, np.array([[3.0, 0.5]]))
    assert found[:, 0].max() <= values[:, 0].max()
    assert found[:, 0].mean() > 0.9


@pytest.mark.slow
def test_planted_sensors_are_found() -> None:
    rig = load_rig("cube_on_table")
    wide = rig_spec(rig, load_preset("wide"))
    truth = {"exposure_ev": 0.4, "saturation": 0.6, "noise": 3.0, "blur_px": 0.8, "white_balance": (1.1, 1.0, 0.9)}
    planted = wide.with_channels(tuple(Channel(f"sensor.{k}", Uniform(v, v)) for k, v in truth.items()))
    photographs = SimulatedFrames(rig, planted, 9).draw(range(24)).rgb
    ranges = {r.path: r for r in fit_ranges(SimulatedFrames(rig, wide, 0), photographs)}
    for name, value in truth.items():
        found = ranges[f"sensor.{name}"]
        for element, ((low, high), (low0, high0)) in enumerate(zip(found.after, found.before, strict=True)):
            one = np.atleast_1d(value)[element]
            assert low <= one <= high, f"{name}[{element}]"
            assert high - low < 1.2 * (high0 - low0), f"{name}[{element}]"
    # Looks tell sharpness best; noise hides behind textures that vary from frame to frame.
    (blur,), (prior,) = ranges["sensor.blur_px"].after, ranges["sensor.blur_px"].before
    assert blur[1] - blur[0] < 0.7 * (prior[1] - prior[0])


def test_ranges_become_channels() -> None:
    rig = load_rig("cube_on_table")
    wide = rig_spec(rig, load_preset("wide"))
    ranges = [
        FittedRange("sensor.gamma", ((0.7, 1.4),), ((0.9, 1.0),)),
        FittedRange("sensor.white_balance", ((0.8, 1.2),) * 3, ((1.0, 1.1), (0.9, 1.0), (0.8, 0.9))),
    ]
    stream = SimulatedFrames(rig, with_ranges(wide, ranges), 0)
    sensors = [stream.world(k).sensor for k in range(200)]
    gammas = [s.gamma for s in sensors]
    assert 0.9 <= min(gammas) < 0.91
    assert 0.99 < max(gammas) <= 1.0
    balance = np.array([s.white_balance for s in sensors])
    assert (balance.min(axis=0) >= [1.0, 0.9, 0.8]).all()
    assert (balance.max(axis=0) <= [1.1, 1.0, 0.9]).all()
    plain = SimulatedFrames(rig, wide, 0).world(3).sensor
    assert dataclasses.replace(plain, gamma=1.0, white_balance=(1.0, 1.0, 1.0)) == dataclasses.replace(
        stream.world(3).sensor, gamma=1.0, white_balance=(1.0, 1.0, 1.0)
    )
