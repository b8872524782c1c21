from dataclasses import replace

import numpy as np
import pytest

from calibration.camera import CameraIntrinsics
from calibration.errors import InputError
from calibration.optics import DepthParams
from envs.sensing import measure_depth

CAMERA = CameraIntrinsics.from_vertical_fov(160, 120, 0.8)


def at(depth_m: float) -> np.ndarray:
    return np.full((120, 160), depth_m, np.float32)


def step_scene() -> np.ndarray:
    depth = at(2.0)
    depth[40:80, 60:100] = 1.0
    return depth


def slanted(tangent: float) -> np.ndarray:
    """Return a plane that recedes downwards-up at this slope to the picture."""
    v = (np.arange(120) - CAMERA.cy_px) / CAMERA.fy_px
    return np.repeat((1.5 / (1 + tangent * v))[:, None], 160, 1).astype(np.float32)


def test_a_perfect_sensor_only_misses_what_is_not_there() -> None:
    depth = np.random.default_rng(0).uniform(0.3, 3, (120, 160)).astype(np.float32)
    np.testing.assert_array_equal(measure_depth(depth, DepthParams(), CAMERA, 0), depth)
    depth[0, :3] = (np.inf, np.nan, 0.0)
    out = measure_depth(depth, DepthParams(), CAMERA, 0)
    assert out.dtype == np.float32
    assert np.isnan(out[0, :3]).all()
    assert np.isfinite(out[0, 3:]).all()
    assert np.isinf(depth[0, 0]), "what came in stays"


@pytest.mark.parametrize("z", [0.5, 1.0, 3.0])
def test_noise_grows_with_the_square_of_the_range(z: float) -> None:
    out = measure_depth(at(z), DepthParams(noise_m=0.001, noise_per_m=0.002), CAMERA, 1).astype(float)
    assert out.std() == pytest.approx(0.001 + 0.002 * z * z, rel=0.03)
    assert out.mean() == pytest.approx(z, abs=1e-3)


def test_readings_come_in_steps_that_grow_with_the_square_of_the_range() -> None:
    depth = np.linspace(0.5, 4.0, 120 * 160, dtype=np.float32).reshape(120, 160)
    step = 0.003
    out = measure_depth(depth, DepthParams(step_per_m=step), CAMERA, 0).astype(float)
    levels = np.unique(out)
    middle = (levels[1:] + levels[:-1]) / 2
    np.testing.assert_allclose(np.diff(levels), step * middle**2, rtol=0.01)
    assert (np.abs(out - depth) <= 0.5 * step * depth.astype(float) ** 2 * 1.02).all()


def test_near_and_far_limits() -> None:
    depth = np.linspace(0.2, 4.0, 120 * 160, dtype=np.float32).reshape(120, 160)
    out = measure_depth(depth, DepthParams(near_m=0.5, far_m=3.0), CAMERA, 0)
    np.testing.assert_array_equal(np.isnan(out), (depth < 0.5) | (depth > 3.0))


def test_dropout_takes_its_share_anywhere() -> None:
    out = measure_depth(at(1.0), DepthParams(dropout=0.2), CAMERA, 0)
    assert np.isnan(out).mean() == pytest.approx(0.2, abs=0.01)


def test_edges_lose_readings_in_their_band_only() -> None:
    width = 6.0
    lost = np.mean([np.isnan(measure_depth(step_scene(), DepthParams(edge_px=width), CAMERA, k)) for k in range(60)], 0)
    # Along the right side of the square, whose edge lies between columns 99 and 100.
    columns = np.arange(90, 112)
    away = np.abs(columns - 99.5)
    expected = np.clip(1 - away / width, 0, 1)
    np.testing.assert_allclose(lost[48:72, 90:112].mean(0), expected, atol=0.05)
    assert lost[:30, :50].max() == 0
    assert lost[55:65, 75:85].max() == 0


def test_the_outline_against_nothing_is_an_edge() -> None:
    depth = at(np.inf)
    depth[:, 80:] = 1.0
    lost = np.isnan(measure_depth(depth, DepthParams(edge_px=4.0), CAMERA, 0))
    assert lost[:, 80].mean() > 0.7
    assert not lost[:, 84:].any()


@pytest.mark.parametrize("tangent", [0.0, 1.0, 2.0])
def test_a_slanted_plane_has_no_edges(tangent: float) -> None:
    assert np.isfinite(measure_depth(slanted(tangent), DepthParams(edge_px=5.0), CAMERA, 0)).all()


def test_lateral_noise_moves_readings_sideways() -> None:
    std = 2.0
    depth = at(1.0)
    depth[:, 80:] = 2.0
    out = measure_depth(depth, DepthParams(lateral_px=std), CAMERA, 0)
    assert set(np.unique(out)) == {1.0, 2.0}
    columns = np.arange(160)
    share = (out == 2.0).mean(0)
    mean = (1 - share).sum() - 0.5
    spread = np.diff(share, prepend=0.0)
    variance = (spread * (columns - 0.5 - mean) ** 2).sum()
    assert mean == pytest.approx(79.5, abs=0.3)
    assert variance == pytest.approx(std**2 + 1 / 12, rel=0.25)


@pytest.mark.parametrize(
    "change", [{"noise_m": 0.01}, {"noise_per_m": 0.01}, {"edge_px": 3.0}, {"lateral_px": 1.0}, {"dropout": 0.1}]
)
def test_chance_comes_from_the_seed(change: dict[str, float]) -> None:
    params = replace(DepthParams(), **change)
    one = measure_depth(step_scene(), params, CAMERA, 1)
    np.testing.assert_array_equal(measure_depth(step_scene(), params, CAMERA, 1), one)
    assert not np.array_equal(measure_depth(step_scene(), params, CAMERA, 2), one, equal_nan=True)


def test_an_image_of_another_size() -> None:
    with pytest.raises(InputError, match=r"depth must be 160 x 120 as its camera, got an array of shape \(10, 10\)"):
        measure_depth(np.ones((10, 10), np.float32), DepthParams(), CAMERA, 0)
