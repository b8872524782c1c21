import numpy as np
import pytest

from calibration.optics import SensorParams
from envs.sensing import measure


def cast(red: int, green: int, blue: int) -> np.ndarray:
    """Return a picture with these means and a little texture."""
    steps = np.array([-10, 10])[np.indices((40, 60)).sum(0) % 2]
    return (np.array([red, green, blue]) + steps[..., None]).astype(np.uint8)


@pytest.mark.parametrize("level", [40, 90, 200])
def test_auto_exposure_brings_the_mean_to_middle_grey(level: int) -> None:
    out = measure(cast(level, level, level), SensorParams(auto_exposure=1.0), 0)
    assert out.mean() == pytest.approx(127.5, abs=0.6)


def test_auto_exposure_goes_part_of_the_way_in_stops() -> None:
    out = measure(cast(80, 80, 80), SensorParams(auto_exposure=0.5), 0)
    assert out.mean() == pytest.approx(80 * (127.5 / 80) ** 0.5, abs=0.6)


def test_exposure_corrects_what_auto_exposure_does() -> None:
    out = measure(cast(80, 80, 80), SensorParams(auto_exposure=1.0, exposure_ev=-1.0), 0)
    assert out.mean() == pytest.approx(127.5 / 2, abs=0.6)


def test_auto_exposure_ends_three_stops_away() -> None:
    out = measure(np.full((20, 20, 3), 5, np.uint8), SensorParams(auto_exposure=1.0), 0)
    np.testing.assert_array_equal(out, 40)
    black = np.zeros((20, 20, 3), np.uint8)
    np.testing.assert_array_equal(measure(black, SensorParams(auto_exposure=1.0, auto_white_balance=1.0), 0), black)


def test_auto_white_balance_makes_the_mean_grey_and_keeps_its_brightness() -> None:
    picture = cast(120, 90, 60)
    out = measure(picture, SensorParams(auto_white_balance=1.0), 0)
    np.testing.assert_allclose(out.mean((0, 1)), 90, atol=0.6)
    half = measure(picture, SensorParams(auto_white_balance=0.5), 0).mean((0, 1))
    np.testing.assert_allclose(half, np.sqrt(np.array([120, 90, 60]) * 90.0), atol=0.6)


def test_white_balance_corrects_what_the_automatic_does() -> None:
    sensor = SensorParams(auto_white_balance=1.0, white_balance=(1.1, 1.0, 0.9))
    np.testing.assert_allclose(measure(cast(120, 90, 60), sensor, 0).mean((0, 1)), (99, 90, 81), atol=0.6)


def ramp(sensor: SensorParams) -> np.ndarray:
    levels = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, 1)[None]
    return measure(levels, sensor, 0)[0, :, 0].astype(float)


def test_a_shoulder_leaves_the_shadows_and_keeps_highlights_apart() -> None:
    clipped, rolled = ramp(SensorParams(exposure_ev=1.0)), ramp(SensorParams(exposure_ev=1.0, shoulder=0.8))
    # The knee is at 1 - 0.8 / 2.
    below = clipped < 0.6 * 255
    np.testing.assert_array_equal(rolled[below], clipped[below])
    value = 200 * 2 / 255
    assert clipped[200] == 255
    assert rolled[200] == pytest.approx(255 * (0.6 + 0.4 * (1 - np.exp(-(value - 0.6) / 0.4))), abs=0.51)
    assert (np.diff(rolled) >= 0).all()
    assert (np.diff(rolled) <= 2).all(), "the curve has no corner and no jump"
    assert len(np.unique(rolled[128:])) > 20
