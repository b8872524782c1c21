import numpy as np
import pytest

from calibration.camera import CameraIntrinsics
from calibration.optics import LensParams
from envs.sensing.defocus import circle_of_confusion_px, defocused
from envs.sensing.light import light_of_levels

CAMERA = CameraIntrinsics.from_vertical_fov(101, 101, 0.5)
LENS = LensParams(aperture_m=0.04, focus_m=1.0)


def at(depth_m: float) -> np.ndarray:
    return np.full((101, 101), depth_m, np.float32)


def test_the_circle_of_confusion_of_a_thin_lens() -> None:
    depth = np.array([[0.5, 1.0, 2.0, np.inf, np.nan]])
    found = circle_of_confusion_px(depth, CAMERA, LENS)
    z = depth[0, :3]
    wide = CAMERA.fx_px * 0.04
    np.testing.assert_allclose(np.abs(found[0, :3]), wide * np.abs(z - 1.0) / (z * 1.0), atol=1e-5)
    np.testing.assert_allclose(found[0, 3:], wide, rtol=1e-5)
    assert found[0, 0] < 0 < found[0, 2]


@pytest.mark.parametrize("depth_m", [0.5, 0.7, 2.0, 5.0])
def test_a_point_is_drawn_as_a_disc_of_that_diameter(depth_m: float) -> None:
    picture = np.zeros((101, 101, 3), np.uint8)
    picture[50, 50] = 255
    diameter = CAMERA.fx_px * 0.04 * abs(depth_m - 1) / depth_m
    assert diameter > 3
    light = light_of_levels(defocused(picture, at(depth_m), CAMERA, LENS))[..., 1].astype(float)
    v, u = np.mgrid[0:101, 0:101] - 50
    assert light.sum() == pytest.approx(1.0, rel=0.05), "light is kept"
    # A disc has the variance d^2 / 16 along either axis, and the pixel that was spread has 1 / 12.
    assert (light * u**2).sum() / light.sum() == pytest.approx(diameter**2 / 16 + 1 / 12, rel=0.1)
    assert (light * v**2).sum() / light.sum() == pytest.approx(diameter**2 / 16 + 1 / 12, rel=0.1)
    reach = np.hypot(u, v)[light > 0.1 * light.max()].max()
    assert reach == pytest.approx(diameter / 2, abs=1.0)


def test_what_is_in_focus_stays_sharp() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (101, 101, 3)).astype(np.uint8)
    np.testing.assert_array_equal(defocused(picture, at(1.0), CAMERA, LENS), picture)
    assert defocused(picture, at(3.0), CAMERA, LensParams()) is picture


def scene(near_m: float, far_m: float) -> tuple[np.ndarray, np.ndarray]:
    """Return a red half in front of a green one, with the edge between columns 49 and 50."""
    picture = np.tile(np.array([0, 200, 0], np.uint8), (101, 101, 1))
    picture[:, :50] = (200, 0, 0)
    depth = at(far_m)
    depth[:, :50] = near_m
    return picture, depth


def test_a_sharp_thing_does_not_bleed_into_the_blur_behind_it() -> None:
    picture, depth = scene(1.0, 4.0)
    out = defocused(picture, depth, CAMERA, LENS)
    assert np.abs(out.astype(int) - picture).max() <= 1


@pytest.mark.parametrize(("aperture_m", "tolerance"), [(8 / CAMERA.fx_px, 0.03), (0.04, 0.04)])
def test_a_blurred_thing_is_seen_through_at_its_edge(aperture_m: float, tolerance: float) -> None:
    picture, depth = scene(0.5, 1.0)
    seen = defocused(picture, depth, CAMERA, LensParams(aperture_m, 1.0))
    out = light_of_levels(seen)[50] / light_of_levels(picture)[50].max()
    radius = CAMERA.fx_px * aperture_m / 2
    edge = 49.5
    u = np.arange(101)
    t = np.clip((edge - u) / radius, -1, 1)
    # The share of a disc that lies left of the edge.
    share = 0.5 + (t * np.sqrt(1 - t * t) + np.arcsin(t)) / np.pi
    np.testing.assert_allclose(out[:, 0], share, atol=tolerance)
    np.testing.assert_allclose(out[:, 1], 1 - share, atol=tolerance)


def test_a_slanted_plane_has_no_seams() -> None:
    depth = np.repeat(np.linspace(0.6, 3.0, 101, dtype=np.float32)[:, None], 101, 1)
    grey = np.full((101, 101, 3), 140, np.uint8)
    assert np.abs(defocused(grey, depth, CAMERA, LENS).astype(int) - 140).max() <= 1
