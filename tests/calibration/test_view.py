import cv2
import numpy as np

from calibration.camera import CameraIntrinsics
from calibration.pose import look_at
from calibration.view import CameraView
from calibration.world import CameraParams

VIEW = CameraView(
    CameraIntrinsics(320, 240, 300.0, 310.0, 150.0, 130.0, (-0.1, 0.02, 0.001, 0.0, 0.0)),
    look_at((-1.0, 0.3, 1.2), (0.1, 0.0, 0.4)),
)
CHANGE = CameraParams((0.03, -0.02, 0.05), (0.04, 0.1, -0.06), 0.9)
POINTS = np.random.default_rng(0).uniform((-0.2, -0.3, 0.1), (0.4, 0.3, 0.7), (20, 3))


def opencv_pixels(view: CameraView, points: np.ndarray) -> np.ndarray:
    camera_from_world = np.linalg.inv(view.world_from_camera.matrix())
    turn, _ = cv2.Rodrigues(camera_from_world[:3, :3])
    camera = view.intrinsics
    distortion = np.array(camera.distortion)
    return cv2.projectPoints(points, turn, camera_from_world[:3, 3], camera.matrix(), distortion)[0].reshape(-1, 2)


def test_world_points_project_as_in_opencv() -> None:
    np.testing.assert_allclose(VIEW.project(POINTS), opencv_pixels(VIEW, POINTS), atol=1e-8)


def test_directions_lead_from_the_camera_to_the_points() -> None:
    towards = POINTS - VIEW.world_from_camera.position_m
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    np.testing.assert_allclose(VIEW.directions(VIEW.project(POINTS)), towards, atol=1e-8)


def test_a_change_moves_and_turns_the_camera_about_its_own_axes() -> None:
    moved = VIEW.moved(CHANGE)
    old, new = VIEW.world_from_camera.matrix(), moved.world_from_camera.matrix()
    np.testing.assert_allclose(new[:3, 3], old[:3, 3] + old[:3, :3] @ CHANGE.shift_m, atol=1e-12)
    np.testing.assert_allclose(new[:3, :3], old[:3, :3] @ cv2.Rodrigues(np.array(CHANGE.tilt_rad))[0], atol=1e-12)
    assert moved.intrinsics == VIEW.intrinsics.zoomed(0.9)


def test_the_change_between_two_views_is_found_again() -> None:
    found = VIEW.moved(CHANGE).change_from(VIEW)
    np.testing.assert_allclose(found.shift_m, CHANGE.shift_m, atol=1e-12)
    np.testing.assert_allclose(found.tilt_rad, CHANGE.tilt_rad, atol=1e-12)
    assert abs(found.focal_scale - 0.9) < 1e-12


def test_no_change_is_the_same_camera() -> None:
    np.testing.assert_allclose(VIEW.moved(CameraParams()).project(POINTS), VIEW.project(POINTS), atol=1e-9)


def test_a_resized_view_scales_pixel_areas() -> None:
    pixels = VIEW.resized(80, 120).project(POINTS)
    np.testing.assert_allclose(pixels, (VIEW.project(POINTS) + 0.5) * (80 / 320, 120 / 240) - 0.5, atol=1e-9)


def test_a_change_shifts_the_principal_point_and_the_distortion() -> None:
    change = CameraParams(principal_shift=(0.02, -0.05), distortion_shift=(0.01, -0.02, 0.001, 0.002, 0.03))
    moved = VIEW.moved(change).intrinsics
    assert (moved.cx_px, moved.cy_px) == (150.0 + 0.02 * 320, 130.0 - 0.05 * 240)
    np.testing.assert_allclose(moved.distortion, (-0.09, 0.0, 0.002, 0.002, 0.03), atol=1e-15)
    assert (moved.fx_px, moved.fy_px, moved.model) == (300.0, 310.0, "pinhole")
    np.testing.assert_allclose(VIEW.moved(change).project(POINTS), opencv_pixels(VIEW.moved(change), POINTS), atol=1e-8)
