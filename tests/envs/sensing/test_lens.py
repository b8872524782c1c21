import cv2
import numpy as np
import pytest

from calibration.camera import CameraIntrinsics
from envs.sensing.lens import blur_taps, fringed, uneven_grid, uneven_light

CAMERA = CameraIntrinsics(160, 120, 150.0, 150.0, 70.0, 64.0)


def spot(x: float, y: float) -> np.ndarray:
    v, u = np.mgrid[0:120, 0:160]
    value = 250 * np.exp(-((u - x) ** 2 + (v - y) ** 2) / (2 * 2.5**2))
    return np.repeat(value[..., None], 3, 2).astype(np.uint8)


def centre(channel: np.ndarray) -> np.ndarray:
    v, u = np.mgrid[0:120, 0:160]
    weight = channel.astype(float)
    return np.array([(weight * u).sum(), (weight * v).sum()]) / weight.sum()


@pytest.mark.parametrize(("x", "y"), [(130.0, 64.0), (70.0, 20.0), (30.0, 100.0)])
def test_red_is_larger_and_blue_smaller_about_the_principal_point(x: float, y: float) -> None:
    picture = spot(x, y)
    out = fringed(picture, CAMERA, 0.02)
    offset = np.array([x - 70.0, y - 64.0])
    np.testing.assert_allclose(centre(out[..., 0]) - centre(picture[..., 0]), 0.02 * offset, atol=0.06)
    np.testing.assert_array_equal(out[..., 1], picture[..., 1])
    np.testing.assert_allclose(centre(out[..., 2]) - centre(picture[..., 2]), -0.02 * offset, atol=0.06)


def test_without_fringes_the_picture_is_the_same() -> None:
    picture = spot(30, 30)
    assert fringed(picture, CAMERA, 0.0) is picture


def test_uneven_light_is_cubic_between_the_values_of_a_grid() -> None:
    grid = np.exp(0.2 * np.random.default_rng(4).standard_normal((4, 5), dtype=np.float32))
    found = uneven_light(120, 160, grid)
    expected = cv2.resize(grid, (160, 120), interpolation=cv2.INTER_CUBIC)
    for k in range(3):
        np.testing.assert_allclose(found[..., k], expected, rtol=1e-5)


def test_the_grid_of_uneven_light_is_log_normal() -> None:
    logs = np.log([uneven_grid(0.2, seed) for seed in range(500)]).astype(float)
    assert logs.mean() == pytest.approx(0.0, abs=0.008)
    assert logs.std() == pytest.approx(0.2, rel=0.03)
    assert abs(np.corrcoef(logs[:-1].ravel(), logs[1:].ravel())[0, 1]) < 0.04
    assert np.abs(np.corrcoef(logs.reshape(500, 20).T) - np.eye(20)).max() < 0.2


@pytest.mark.parametrize("std_px", [0.3, 0.6, 0.9, 2.5, 40.0])
def test_the_taps_of_blur_are_a_gaussian(std_px: float) -> None:
    taps = blur_taps(std_px)
    full = cv2.getGaussianKernel(2 * round(5 * std_px) + 3, std_px)[:, 0]
    expected = full[len(full) // 2 :][: len(taps)]
    np.testing.assert_allclose(taps, expected, atol=3e-4)
    assert taps[0] + 2 * taps[1:].sum() == pytest.approx(1.0, abs=1e-6)
