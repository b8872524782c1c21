"""A lens is found as OpenCV finds it, with intervals that hold the truth, and not led astray by a bad view."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from calibration.camera import CameraIntrinsics
from calibration.errors import InputError
from calibration.intrinsics.choice import choose_lens
from calibration.intrinsics.correlation import inflation
from calibration.intrinsics.coverage import covered_share, next_view
from calibration.intrinsics.fit import fit_intrinsics
from calibration.intrinsics.lens_models import LENS_KINDS, project_with_jacobians

CAMERAS = (
    CameraIntrinsics(640, 480, 520.0, 510.0, 322.0, 236.0, (-0.2, 0.06, 1e-3, -2e-3, 0.01)),
    CameraIntrinsics(640, 480, 320.0, 318.0, 322.0, 236.0, (0.05, -0.01, 2e-3, -1e-3, 0.0), "fisheye"),
    CameraIntrinsics(640, 480, 520.0, 510.0, 322.0, 236.0, (0.49, -2.71, 6e-4, -2e-4, 1.58, 0.37, -2.54, 1.51)),
)


@pytest.mark.parametrize("camera", CAMERAS, ids=["pinhole", "fisheye", "rational"])
def test_derivatives_are_those_of_the_model(camera: CameraIntrinsics) -> None:
    points = np.random.default_rng(0).uniform((-0.5, -0.4, 0.8), (0.5, 0.4, 2.0), (40, 3))
    pixels, of_point, of_numbers = project_with_jacobians(camera, points)
    np.testing.assert_allclose(pixels, camera.project(points), atol=1e-9)
    step = 1e-6
    for axis in range(3):
        moved = points.copy()
        moved[:, axis] += step
        np.testing.assert_allclose((camera.project(moved) - pixels) / step, of_point[:, :, axis], rtol=1e-3, atol=1e-2)
    kind = LENS_KINDS["fisheye" if camera.model == "fisheye" else "rational"]
    if len(camera.distortion) == 5 and camera.model == "pinhole":
        kind = LENS_KINDS["pinhole+k1k2p1p2k3"]
    values = kind.values(camera)
    for k in range(len(values)):
        other = values.copy()
        other[k] += step
        found = (kind.camera(other, 640, 480).project(points) - pixels) / step
        np.testing.assert_allclose(found, kind.jacobian(of_numbers)[:, :, k], rtol=1e-3, atol=1e-2)


def test_the_fit_is_opencvs(random_station: Callable[..., Any]) -> None:
    station = random_station(3, views=10)
    views = station.problem.views
    ours = fit_intrinsics(views, "pinhole+k1k2p1p2k3")
    points = [v.points_m.astype(np.float32) for v in views]
    pixels = [v.pixels.astype(np.float32) for v in views]
    error, matrix, lens, _, _ = cv2.calibrateCamera(points, pixels, (640, 480), None, None)
    assert ours.rms_px == pytest.approx(error, rel=0.01)
    stds = np.sqrt(np.diag(ours.covariance))
    theirs = np.array([matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2], *lens.ravel()[:5]])
    # The robust loss weighs a few points less; that is a small part of an interval.
    assert (np.abs(ours.kind.values(ours.camera) - theirs) < 0.5 * stds).all()


def test_a_rational_lens_is_found_where_five_numbers_are_not_enough(random_station: Callable[..., Any]) -> None:
    # A wide lens close to a board: r / (1 + 0.4 r^2) up to 55 degrees, which a polynomial follows badly.
    lens = CameraIntrinsics(640, 480, 330.0, 328.0, 322.0, 236.0, (0.02, 0.0, 6e-4, -2e-4, 0.0, 0.4, 0.01, 0.0))
    rng, views = np.random.default_rng(0), []
    for view in random_station(3, views=14).problem.views:
        turn = Rotation.from_rotvec(rng.uniform(-0.5, 0.5, 3)).as_matrix()
        middle = rng.uniform((-0.06, -0.04, 0.14), (0.06, 0.04, 0.2))
        placed = (view.points_m - view.points_m.mean(axis=0)) @ turn.T + middle
        pixels = lens.project(placed) + rng.normal(0, 0.05, (len(placed), 2))
        seen = lens.contains(pixels)
        views.append(replace(view, ids=view.ids[seen], points_m=view.points_m[seen], pixels=pixels[seen]))
    few, many = fit_intrinsics(views, "pinhole+k1k2p1p2k3"), fit_intrinsics(views, "rational")
    assert many.rms_px < 0.08 <= few.rms_px
    points = [v.points_m.astype(np.float32) for v in views]
    pixels = [v.pixels.astype(np.float32) for v in views]
    error = cv2.calibrateCamera(points, pixels, (640, 480), None, None, flags=cv2.CALIB_RATIONAL_MODEL)[0]
    assert many.rms_px <= 1.01 * error
    u, v = np.meshgrid(np.arange(60, 600, 60.0), np.arange(60, 440, 60.0))
    rays = lens.unproject(np.column_stack([u.ravel(), v.ravel()]))
    np.testing.assert_allclose(many.camera.project(rays), lens.project(rays), atol=0.5)


@pytest.mark.parametrize("trials", [40, pytest.param(200, marks=pytest.mark.slow)])
def test_intervals_hold_the_truth(trials: int, random_station: Callable[..., Any]) -> None:
    inside = []
    for seed in range(trials):
        station = random_station(seed, views=12)
        fit = fit_intrinsics(station.problem.views, "pinhole+k1k2")
        off = fit.kind.values(station.camera) - fit.kind.values(fit.camera)
        inside.append(np.abs(off) < 1.96 * np.sqrt(np.diag(fit.covariance)))
        assert fit.bad == ()
    share = np.mean(inside, axis=0)
    low, high = (0.9, 0.98) if trials > 100 else (0.8, 1.0)
    assert (share >= low).all(), share
    assert (share <= high).all(), share


def test_a_wrong_view_is_named_and_left_out(random_station: Callable[..., Any]) -> None:
    station = random_station(5, views=10)
    views = list(station.problem.views)
    # Points of one view are one row further than they should be.
    views[4] = replace(views[4], pixels=np.roll(views[4].pixels, 8, axis=0))
    fit = fit_intrinsics(views, "pinhole+k1k2")
    assert [name for name, _ in fit.bad] == ["04.png"]
    assert fit.camera.fx_px == pytest.approx(station.camera.fx_px, rel=0.01)


def test_the_lens_is_chosen_by_held_out_points(random_station: Callable[..., Any]) -> None:
    station = random_station(8, views=12)
    assert abs(station.camera.distortion[0]) > 0.02
    choice = choose_lens(station.problem.views)
    assert choice.held_out_px["pinhole"] > 1.2 * choice.held_out_px[choice.fit.kind.name]
    assert choice.fit.kind.name != "pinhole"
    assert choice.fit.rms_px == pytest.approx(0.3 * np.sqrt(2), rel=0.15)


def test_smooth_errors_count_as_fewer_points(random_station: Callable[..., Any]) -> None:
    views = random_station(2, views=8).problem.views
    rng = np.random.default_rng(0)
    independent = [rng.normal(0, 0.3, v.pixels.shape) for v in views]
    assert inflation(views, independent, 0.0) < 1.5
    smooth = [0.3 * np.sin(40 * v.points_m[:, :2] + rng.uniform(0, 6, 2)) for v in views]
    assert inflation(views, smooth, 0.0) > 4.0


def test_coverage_and_the_next_view(random_station: Callable[..., Any]) -> None:
    views = random_station(2, views=4).problem.views
    fit = fit_intrinsics(views, "pinhole+k1")
    assert 0.1 < covered_share(views) < 1.0
    words, gain = next_view(fit)
    assert "of the picture" in words
    assert 0.0 < gain < 1.0
    with pytest.raises(InputError, match="needs 3 views of a board or more, got 2; take 1 more"):
        fit_intrinsics(views[:2], "pinhole")
