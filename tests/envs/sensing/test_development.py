from dataclasses import replace

import cv2
import numpy as np
import pytest

from calibration.optics import SensorParams
from envs.sensing import measure
from envs.sensing.development import developed, noisy_levels
from envs.sensing.exposure import gains, toned
from envs.sensing.lens import through_glass, uneven_grid, uneven_light

RNG = np.random.default_rng(0)
SENSORS = {
    "gains": SensorParams(exposure_ev=0.4, white_balance=(1.1, 0.9, 1.05), saturation=0.7, hue_rad=0.4, contrast=1.2),
    "gamma": SensorParams(gamma=0.6),
    "steep gamma": SensorParams(gamma=3.0),
    "shoulder": SensorParams(exposure_ev=1.5, shoulder=0.8),
    "glass": SensorParams(vignetting=0.4, haze=0.1),
    "uneven": SensorParams(shading=0.3),
    "automatic": SensorParams(auto_exposure=1.0, auto_white_balance=0.8, shading=0.3),
    "blur": SensorParams(blur_px=0.6),
    "wide blur": SensorParams(blur_px=7.0),
    "all": SensorParams(
        0.3,
        (1.1, 0.9, 1.0),
        0.8,
        0.1,
        0.8,
        1.1,
        0.05,
        0.2,
        0.2,
        0.9,
        auto_exposure=0.5,
        auto_white_balance=0.5,
        shoulder=0.5,
    ),
}


def picture(height: int, width: int) -> np.ndarray:
    return RNG.integers(0, 256, (height, width, 3)).astype(np.uint8)


def in_numpy(rgb: np.ndarray, sensor: SensorParams, seed: int) -> np.ndarray:
    """Return the unrounded grey levels (H, W, 3), effect by effect."""
    x = rgb.astype(np.float32) / np.float32(255)
    if sensor.shading > 0:
        x *= uneven_light(x.shape[0], x.shape[1], uneven_grid(sensor.shading, seed))
    red, green, blue = x.mean(axis=(0, 1), dtype=np.float64)
    x = toned(x, sensor, *gains((red, green, blue), sensor))
    return through_glass(x, sensor) * 255


@pytest.mark.parametrize(("height", "width"), [(120, 160), (84, 84), (37, 53), (3, 5), (1, 1), (1, 40), (40, 1)])
@pytest.mark.parametrize("name", SENSORS)
def test_one_pass_does_what_the_effects_do_one_by_one(name: str, height: int, width: int) -> None:
    rgb = picture(height, width)
    found = developed(rgb, SENSORS[name], 5).transpose(1, 2, 0)
    off = np.abs(found - in_numpy(rgb, SENSORS[name], 5))
    # Half a level is rounding.
    assert off.max() < 0.56


def test_noise_and_grain_do_not_depend_on_the_way_there() -> None:
    sensor = SensorParams(noise=3.0, grain=2.0)
    for height, width in ((120, 160), (37, 53), (1, 1)):
        rgb = picture(height, width)
        display = rgb.astype(np.float32) / np.float32(255)
        found = developed(rgb, sensor, 4).astype(int) - noisy_levels(display, sensor, 4)
        assert np.abs(found).max() <= 1
        assert (found != 0).mean() < 0.01


def residual(shape: tuple[int, int], sensor: SensorParams, seed: int) -> np.ndarray:
    return developed(np.full((*shape, 3), 128, np.uint8), sensor, seed).astype(float) - 128


@pytest.mark.parametrize("shape", [(120, 160), (121, 83)])
def test_noise_is_independent_across_rows_columns_channels_and_seeds(shape: tuple[int, int]) -> None:
    a, b = (residual(shape, SensorParams(noise=8.0), seed) for seed in (1, 2))
    n = a.size
    pairs = [(a, b), (a[0], a[1]), (a[0], a[2]), (a[1], a[2])]
    pairs += [(a[:, k:], a[:, :-k]) for k in (1, 2, 7)] + [(a[..., k:], a[..., :-k]) for k in (1, 2, 16)]
    for one, other in pairs:
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 5 / np.sqrt(n / 3)
    # Rounding to whole levels adds a twelfth.
    assert a.var() == pytest.approx(64 + 1 / 12, rel=0.03)


def test_grain_fills_squares_of_two_by_two_pixels_on_its_own() -> None:
    for shape in ((120, 160), (121, 83)):
        a = residual(shape, SensorParams(grain=8.0), 1)
        even = a[:, : shape[0] // 2 * 2, : shape[1] // 2 * 2]
        corner = even[:, ::2, ::2]
        for other in (even[:, 1::2, ::2], even[:, ::2, 1::2], even[:, 1::2, 1::2]):
            np.testing.assert_array_equal(other, corner)
        limit = 5 / np.sqrt(corner.size / 3)
        for one, other in (
            (corner[:, 1:], corner[:, :-1]),
            (corner[..., 1:], corner[..., :-1]),
            (corner[0], corner[1]),
        ):
            assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < limit
        noise = residual(shape, SensorParams(noise=8.0), 1)
        assert abs(np.corrcoef(a.ravel(), noise.ravel())[0, 1]) < 5 / np.sqrt(a.size / 4)


def test_a_strided_picture_is_read_as_what_it_shows() -> None:
    large = picture(80, 100)
    sensor = replace(SENSORS["all"], noise=2.0, grain=1.0, jpeg_quality=70.0)
    np.testing.assert_array_equal(
        measure(large[::2, 10:60], sensor, 3), measure(np.ascontiguousarray(large[::2, 10:60]), sensor, 3)
    )


def test_seeds_of_any_size_and_type() -> None:
    rgb, sensor = picture(20, 20), SensorParams(noise=5.0)
    found = [measure(rgb, sensor, seed) for seed in (0, 1, 2**32 - 1, 2**63, 2**64, 2**100)]
    for i, a in enumerate(found):
        for b in found[:i]:
            assert (a != b).mean() > 0.5
    np.testing.assert_array_equal(measure(rgb, sensor, int(np.int64(7))), measure(rgb, sensor, 7))


def test_blur_agrees_with_opencv() -> None:
    rgb = picture(61, 47)
    for std in (0.4, 0.9, 3.0, 30.0):
        expected = cv2.GaussianBlur(rgb.astype(np.float32), (0, 0), std, borderType=cv2.BORDER_REFLECT_101)
        found = developed(rgb, SensorParams(blur_px=std), 0).transpose(1, 2, 0)
        assert np.abs(found - expected).max() < 0.56
