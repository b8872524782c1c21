import numpy as np
import pytest

from envs.sensing.light import light_of_levels
from envs.sensing.motion import mean_in_light, rolling_rows

HEIGHT, WIDTH = 40, 60


def bar(left: float, right: float) -> np.ndarray:
    """Return a white bar on black, its borders within pixels as their share of light."""
    u = np.arange(WIDTH)
    share = np.clip(np.minimum(u + 0.5, right) - np.maximum(u - 0.5, left), 0, 1)
    level = np.where(share <= 0.0031308, share * 12.92, 1.055 * share ** (1 / 2.4) - 0.055)
    return np.tile(np.round(255 * level).astype(np.uint8)[None, :, None], (HEIGHT, 1, 3))


def moving_bar(count: int, duration_s: float, speed_px_s: float) -> np.ndarray:
    times = np.linspace(0, duration_s, count)
    return np.stack([bar(5 + speed_px_s * t, 15 + speed_px_s * t) for t in times])


def test_black_and_white_mix_in_light() -> None:
    frames = np.stack([np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 255, np.uint8)])
    np.testing.assert_array_equal(mean_in_light(frames), 188)


@pytest.mark.parametrize("average", [mean_in_light, lambda f: rolling_rows(f, 0.02, 0.01)])
def test_what_rests_is_unchanged(average) -> None:  # type: ignore[no-untyped-def]
    picture = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    np.testing.assert_array_equal(average(np.stack([picture] * 5)), picture)
    np.testing.assert_array_equal(average(picture[None]), picture)


def test_a_moving_bar_is_longer_by_its_way_and_keeps_its_light() -> None:
    # 20 px while the shutter is open: light rises over 10 px, as wide as the bar, and the bar is never whole.
    light = light_of_levels(mean_in_light(moving_bar(81, 0.1, 200.0)))[0, :, 0].astype(float)
    lit = np.flatnonzero(light > 0.005)
    assert lit[-1] - lit[0] + 1 == pytest.approx(10 + 20, abs=1.01)
    assert light.sum() == pytest.approx(10.0, rel=0.02)
    np.testing.assert_allclose(light[17:24], 0.5, atol=0.02)


def centre(rows: np.ndarray) -> np.ndarray:
    light = light_of_levels(np.ascontiguousarray(rows))[..., 0].astype(float)
    return (light * np.arange(WIDTH)).sum(1) / light.sum(1)


@pytest.mark.parametrize(("exposure_s", "readout_s"), [(0.0, 0.1), (0.04, 0.06), (0.02, 0.08)])
def test_a_rolling_shutter_shears_what_moves(exposure_s: float, readout_s: float) -> None:
    speed = 250.0
    out = rolling_rows(moving_bar(101, exposure_s + readout_s, speed), exposure_s, readout_s)
    middle = np.arange(HEIGHT) / (HEIGHT - 1) * readout_s + exposure_s / 2
    np.testing.assert_allclose(centre(out), 10 + speed * middle, atol=0.1)
    width = (light_of_levels(out)[..., 0] > 0.02).sum(1)
    np.testing.assert_allclose(width, 10 + speed * exposure_s, atol=1.6)


def test_without_readout_all_rows_see_the_same() -> None:
    frames = moving_bar(21, 0.1, 200.0)
    out = rolling_rows(frames, 0.1, 0.0)
    assert (out == out[:1]).all()
    # Linear between frames, so the first and last frame count half.
    weights = np.array([0.5, *[1.0] * 19, 0.5]) / 20
    light = np.tensordot(weights, np.stack([light_of_levels(f) for f in frames]), 1)
    np.testing.assert_allclose(light_of_levels(out), light, atol=0.006)


def test_a_few_frames_are_weighted_by_what_each_row_saw_of_them() -> None:
    # Three frames of light 0, 1, 0 at 0, 1, 2 s; rows start at 0 and 1 s and see for 1 s: half the triangle each.
    frames = np.zeros((3, 2, 1, 3), np.uint8)
    frames[1] = 255
    np.testing.assert_allclose(light_of_levels(rolling_rows(frames, 1.0, 1.0)), 0.5, atol=0.005)
    # Rows that start at 0 and 1.5 s and see for half a second.
    np.testing.assert_allclose(light_of_levels(rolling_rows(frames, 0.5, 1.5)), 0.25, atol=0.005)
