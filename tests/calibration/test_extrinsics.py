import numpy as np
import pytest

from calibration.camera import CameraIntrinsics
from calibration.extrinsics import CameraFit, CameraPrior, change_of, fit_camera
from calibration.pose import look_at
from calibration.view import CameraView

NOMINAL = CameraView(
    CameraIntrinsics(640, 480, 550.0, 550.0, 319.5, 239.5), look_at((-1.75, 0.0, 1.6), (-0.9, 0.0, 1.0))
)
PRIOR = CameraPrior(position_std_m=0.02, rotation_std_rad=0.02, focal_std=0.03)
NAMES = ["shift_x", "shift_y", "shift_z", "tilt_x", "tilt_y", "tilt_z", "focal_scale"]
# The estimate of a camera that has not changed: the last is a factor.
AT_REST = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0])


def scene_points(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.uniform((-1.3, -0.5, 0.8), (-0.4, 0.5, 1.3), (count, 3))


def truth_of(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=7) * ([0.02] * 3 + [0.02] * 3 + [0.03])


def values(fit: CameraFit) -> np.ndarray:
    return np.array([fit.estimates[name].value for name in NAMES])


def test_exact_points_give_the_camera_that_took_them() -> None:
    rng = np.random.default_rng(0)
    truth = truth_of(rng)
    camera = NOMINAL.moved(change_of(truth))
    points = scene_points(rng, 40)
    fit = fit_camera(NOMINAL, PRIOR, points, camera.project(points), 0.01)
    np.testing.assert_allclose(values(fit), truth + AT_REST, atol=2e-4)
    others = scene_points(rng, 50)
    np.testing.assert_allclose(fit.view.project(others), camera.project(others), atol=0.02)
    np.testing.assert_allclose(fit.view.project(others), NOMINAL.moved(fit.change).project(others), atol=1e-9)
    assert fit.count == 40
    assert fit.residual_px < 0.01
    assert np.abs(NOMINAL.project(others) - camera.project(others)).max() > 5, "there was something to find"


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(1)
    covered = []
    residuals = []
    for _ in range(60):
        truth = truth_of(rng)
        points = scene_points(rng, 25)
        pixels = NOMINAL.moved(change_of(truth)).project(points) + rng.normal(0.0, 0.7, (25, 2))
        fit = fit_camera(NOMINAL, PRIOR, points, pixels, 0.7)
        expected = dict(zip(NAMES, truth + AT_REST, strict=True))
        covered.append([fit.estimates[n].low <= expected[n] <= fit.estimates[n].high for n in NAMES])
        residuals.append(fit.residual_px)
    share = np.mean(covered, axis=0)
    assert (share >= 0.85).all(), dict(zip(NAMES, share, strict=True))
    assert 0.90 <= np.mean(covered) <= 0.995, "all together"
    # Two coordinates with 0.7 px each; seven parameters take some of it away.
    assert np.mean(residuals) == pytest.approx(0.7 * np.sqrt(2), rel=0.15)


def test_one_gross_outlier_does_not_move_the_camera() -> None:
    rng = np.random.default_rng(2)
    camera = NOMINAL.moved(change_of(truth_of(rng)))
    points = scene_points(rng, 40)
    pixels = camera.project(points) + rng.normal(0.0, 0.4, (40, 2))
    wrong = pixels.copy()
    wrong[7] += (120.0, -90.0)
    clean, spoilt = (fit_camera(NOMINAL, PRIOR, points, p, 0.4) for p in (pixels, wrong))
    others = scene_points(rng, 50)
    shift = np.linalg.norm(spoilt.view.project(others) - clean.view.project(others), axis=1)
    assert np.median(shift) < 0.3
    assert shift.max() < 1.0
    assert spoilt.residual_px < 1.0, "the outlier is not counted into the error of the others"


def test_without_points_the_prior_remains() -> None:
    fit = fit_camera(NOMINAL, PRIOR, np.zeros((0, 3)), np.zeros((0, 2)), 1.0)
    assert fit.count == 0
    assert np.isnan(fit.residual_px)
    np.testing.assert_allclose(values(fit), [0, 0, 0, 0, 0, 0, 1], atol=1e-9)
    half = [(fit.estimates[n].high - fit.estimates[n].low) / 2 for n in NAMES]
    np.testing.assert_allclose(half, 1.96 * PRIOR.scales(), rtol=1e-6)
    assert [fit.estimates[n].unit for n in NAMES] == ["m"] * 3 + ["rad"] * 3 + ["1"]
    assert {e.confidence for e in fit.estimates.values()} == {0.95}


def test_each_point_counts_by_its_own_spread() -> None:
    rng = np.random.default_rng(3)
    points = scene_points(rng, 30)
    pixels = NOMINAL.project(points)
    pixels[:15] += (4.0, 0.0)
    std = np.where(np.arange(30) < 15, 20.0, 0.1)
    fit = fit_camera(NOMINAL, PRIOR, points, pixels, std)
    np.testing.assert_allclose(fit.view.project(points), NOMINAL.project(points), atol=0.1)
