import math
from dataclasses import replace

import cv2
import numpy as np
import pytest

from calibration.camera import CameraIntrinsics

PLAIN = CameraIntrinsics(640, 480, 550.0, 540.0, 300.2, 260.7)
BENT = CameraIntrinsics(640, 480, 550.0, 540.0, 300.2, 260.7, (-0.28, 0.09, 0.0012, -0.0007, -0.012))


FISHEYE = CameraIntrinsics(640, 480, 300.0, 295.0, 310.2, 250.7, (-0.03, 0.012, -0.006, 0.001, 0.0), "fisheye")
EQUIDISTANT = replace(FISHEYE, distortion=(0.0, 0.0, 0.0, 0.0, 0.0))
# As a depth sensor's colour camera is delivered: numbers of both sides of the fraction nearly cancel.
RATIONAL = replace(PLAIN, distortion=(0.49, -2.71, 0.0006, -0.0002, 1.58, 0.37, -2.54, 1.51))
CAMERAS = [PLAIN, BENT, RATIONAL, FISHEYE, EQUIDISTANT]
CAMERA_NAMES = ["pinhole", "distorted", "rational", "fisheye", "equidistant"]


def points_in_view(seed: int, count: int = 60) -> np.ndarray:
    rng = np.random.default_rng(seed)
    depth = rng.uniform(0.3, 4.0, (count, 1))
    return (
        np.hstack([rng.uniform(-0.5, 0.5, (count, 1)), rng.uniform(-0.4, 0.4, (count, 1)), np.ones((count, 1))]) * depth
    )


def opencv_pixels(camera: CameraIntrinsics, points: np.ndarray) -> np.ndarray:
    k = np.array([[camera.fx_px, 0, camera.cx_px], [0, camera.fy_px, camera.cy_px], [0, 0, 1]])
    zero = np.zeros(3)
    if camera.model == "fisheye":
        ahead = np.asarray(points, float).reshape(-1, 1, 3)
        return cv2.fisheye.projectPoints(ahead, zero, zero, k, np.array(camera.distortion[:4]))[0].reshape(-1, 2)
    return cv2.projectPoints(points, zero, zero, k, np.array(camera.distortion))[0].reshape(-1, 2)


@pytest.mark.parametrize("camera", CAMERAS, ids=CAMERA_NAMES)
def test_project_is_the_one_of_opencv(camera: CameraIntrinsics) -> None:
    points = points_in_view(0)
    np.testing.assert_allclose(camera.project(points), opencv_pixels(camera, points), atol=1e-9)


@pytest.mark.parametrize("camera", CAMERAS, ids=CAMERA_NAMES)
def test_unproject_returns_the_ray_that_opencv_projects_there(camera: CameraIntrinsics) -> None:
    pixels = np.array([[0, 0], [639, 479], [300, 20], [12.25, 400.75]], float)
    rays = camera.unproject(pixels)
    np.testing.assert_array_equal(rays[:, 2], 1.0)
    np.testing.assert_allclose(opencv_pixels(camera, rays * 1.7), pixels, atol=1e-5)


def test_points_that_are_not_in_front_have_no_pixel() -> None:
    pixels = PLAIN.project([[0, 0, 1], [0, 0, 0], [0.1, 0, -1]])
    np.testing.assert_allclose(pixels[0], (PLAIN.cx_px, PLAIN.cy_px))
    assert np.isnan(pixels[1:]).all()
    assert PLAIN.contains(pixels).tolist() == [True, False, False]


def test_contains_ends_half_a_pixel_outside_the_outer_centres() -> None:
    inside = [(-0.5, -0.5), (639.49, 479.49), (0, 0)]
    outside = [(-0.51, 0), (0, -0.51), (639.5, 0), (0, 479.5), (math.nan, 0)]
    assert PLAIN.contains(inside).all()
    assert not PLAIN.contains(outside).any()


def test_vertical_field_of_view_reaches_from_the_top_edge_to_the_bottom_edge() -> None:
    fov = math.radians(50)
    camera = CameraIntrinsics.from_vertical_fov(320, 240, fov)
    up = (0.0, -math.tan(fov / 2), 1.0)
    down = (0.0, math.tan(fov / 2), 1.0)
    np.testing.assert_allclose(camera.project([up, (0, 0, 1), down]), [(159.5, -0.5), (159.5, 119.5), (159.5, 239.5)])
    assert camera.fx_px == camera.fy_px


def corner_picture(camera: CameraIntrinsics, corner: tuple[float, float]) -> np.ndarray:
    """Return a picture with one soft chessboard corner there, each pixel the mean over its area."""
    fine = 10
    x = (np.arange(camera.width_px * fine) + 0.5) / fine - 0.5
    y = (np.arange(camera.height_px * fine) + 0.5) / fine - 0.5
    board = ((x[None, :] > corner[0]) ^ (y[:, None] > corner[1])).astype(np.float32)
    picture = board.reshape(camera.height_px, fine, camera.width_px, fine).mean(axis=(1, 3)) * 200 + 20
    return cv2.GaussianBlur(picture, (0, 0), 1.2)  # `cornerSubPix` is biased where the edge is hard


def find_corner(picture: np.ndarray, near: np.ndarray) -> np.ndarray:
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 100, 1e-4)
    start = np.round(near).astype(np.float32).reshape(1, 1, 2)
    return cv2.cornerSubPix(picture.astype(np.float32), start, (6, 6), (-1, -1), stop).reshape(2)


@pytest.mark.parametrize(
    ("width", "height"),
    [(80, 60), (120, 60), (320, 240)],
    ids=["half", "each side by its own factor", "double"],
)
def test_a_corner_moves_with_the_resized_picture_as_the_camera_says(width: int, height: int) -> None:
    camera = CameraIntrinsics(160, 120, 140.0, 150.0, 70.0, 64.0)
    point = np.array([0.13, -0.09, 1.0])
    picture = corner_picture(camera, tuple(camera.project(point)[0]))
    resized = camera.resized(width, height)
    method = cv2.INTER_AREA if width < 160 else cv2.INTER_LINEAR
    small = cv2.resize(picture, (width, height), interpolation=method)

    seen = find_corner(small, resized.project(point)[0])

    np.testing.assert_allclose(seen, resized.project(point)[0], atol=0.08)
    centres_scaled = camera.project(point)[0] * (width / 160, height / 120)
    assert np.abs(seen - centres_scaled).max() > 0.15, "scaling pixel centres instead of areas must show"


def test_crop_of_the_camera_is_crop_of_the_picture() -> None:
    camera = CameraIntrinsics(160, 120, 140.0, 150.0, 70.0, 64.0)
    point = np.array([0.13, -0.09, 1.0])
    u, v = camera.project(point)[0]
    picture = corner_picture(camera, (u, v))
    cropped = camera.cropped(31, 17, 90, 70)
    seen = find_corner(picture[17 : 17 + 70, 31 : 31 + 90], cropped.project(point)[0])
    assert (cropped.width_px, cropped.height_px) == (90, 70)
    np.testing.assert_allclose(seen, cropped.project(point)[0], atol=0.05)
    np.testing.assert_allclose(cropped.project(point)[0], (u - 31, v - 17))


def test_resize_and_crop_round_trips() -> None:
    there_and_back = BENT.resized(200, 150).resized(640, 480)
    np.testing.assert_allclose(there_and_back.matrix(), BENT.matrix(), rtol=1e-12)
    assert there_and_back.distortion == BENT.distortion
    assert BENT.cropped(0, 0, 640, 480) == BENT
    assert BENT.cropped(10, 20, 300, 200).cropped(5, 6, 100, 100) == BENT.cropped(15, 26, 100, 100)
    # Halving and then cropping by whole pixels is cropping by twice as many and then halving.
    one = BENT.resized(320, 240).cropped(10, 20, 100, 80)
    other = BENT.cropped(20, 40, 200, 160).resized(100, 80)
    np.testing.assert_allclose(one.matrix(), other.matrix(), rtol=1e-12)


def test_zoom_keeps_the_principal_point() -> None:
    zoomed = PLAIN.zoomed(1.25)
    np.testing.assert_allclose(zoomed.matrix(), [[550 * 1.25, 0, 300.2], [0, 540 * 1.25, 260.7], [0, 0, 1]], rtol=1e-12)


@pytest.mark.parametrize("crop", [(-1, 0, 10, 10), (0, -1, 10, 10), (600, 0, 41, 10), (0, 480, 10, 1)])
def test_a_crop_that_leaves_the_picture(crop: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="crop must lie in the 640 x 480 image, got"):
        PLAIN.cropped(*crop)


def test_what_cannot_be_a_camera() -> None:
    with pytest.raises(ValueError, match="image size must be positive, got 0 x 480"):
        CameraIntrinsics(0, 480, 500.0, 500.0, 0.0, 0.0)
    for focal in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="focal length must be positive, got"):
            CameraIntrinsics(640, 480, focal, 500.0, 0.0, 0.0)


def ray_at(angle_rad: float, around_rad: float = 0.7) -> tuple[float, float, float]:
    return (
        math.sin(angle_rad) * math.cos(around_rad),
        math.sin(angle_rad) * math.sin(around_rad),
        math.cos(angle_rad),
    )


def test_radius_in_an_equidistant_picture_is_the_angle() -> None:
    camera = replace(EQUIDISTANT, fy_px=EQUIDISTANT.fx_px)
    for degrees in (0.0, 1e-6, 30.0, 89.0, 90.0, 120.0, 179.0):
        pixel = camera.project(ray_at(math.radians(degrees)))[0]
        radius = math.hypot(pixel[0] - camera.cx_px, pixel[1] - camera.cy_px)
        assert radius == pytest.approx(camera.fx_px * math.radians(degrees), abs=1e-9)


def test_unproject_of_a_fisheye_is_the_one_of_opencv() -> None:
    pixels = np.array([[310.2, 250.7], [300, 20], [12.25, 250.75], [500, 400]])
    k, d = FISHEYE.matrix(), np.array(FISHEYE.distortion[:4])
    criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-14)
    expected = cv2.fisheye.undistortPoints(pixels.reshape(-1, 1, 2), k, d, criteria=criteria).reshape(-1, 2)
    np.testing.assert_allclose(FISHEYE.unproject(pixels)[:, :2], expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("camera", CAMERAS, ids=CAMERA_NAMES)
def test_points_come_back_from_their_pixels(camera: CameraIntrinsics) -> None:
    points = points_in_view(3)
    np.testing.assert_allclose(camera.unproject(camera.project(points)), points / points[:, 2:], atol=1e-6)


def test_wide_rays_of_a_fisheye_come_back() -> None:
    rays = np.array([ray_at(math.radians(a), b) for a in (0.0, 0.01, 45.0, 74.0, 85.0) for b in (0.1, 2.0, 4.0)])
    back = FISHEYE.unproject(FISHEYE.project(rays))
    back /= np.linalg.norm(back, axis=1, keepdims=True)
    np.testing.assert_allclose(back, rays, atol=1e-9)


def test_a_fisheye_has_a_pixel_but_no_forward_ray_for_what_is_beside_and_behind_it() -> None:
    beyond = [ray_at(math.radians(a)) for a in (95.0, 130.0)]
    pixels = EQUIDISTANT.project(beyond)
    assert np.isfinite(pixels).all()
    assert np.isnan(EQUIDISTANT.unproject(pixels)[:, :2]).all()
    assert np.isnan(EQUIDISTANT.project([(0, 0, -1), (0, 0, 0)])).all()


def test_points_that_the_polynomial_would_fold_back_have_no_pixel() -> None:
    # d/dt of t - 0.3 t^3 is zero at t = 1.054, for a fisheye an angle, for a pinhole its tangent.
    turn = 1 / math.sqrt(0.9)
    folding = (-0.3, 0.0, 0.0, 0.0, 0.0)
    fisheye = replace(EQUIDISTANT, distortion=folding)
    pinhole = replace(PLAIN, distortion=folding)
    before, after = turn - 1e-3, turn + 1e-3
    assert np.isfinite(fisheye.project(ray_at(before))).all()
    assert np.isnan(fisheye.project([ray_at(after), ray_at(2.0)])).all()
    assert np.isfinite(pinhole.project(ray_at(math.atan(before)))).all()
    assert np.isnan(pinhole.project([ray_at(math.atan(after)), ray_at(1.5)])).all()
    last = fisheye.project(ray_at(turn - 1e-9, 0.0))[0]
    assert np.isfinite(fisheye.unproject(last - (0.1, 0.0))).all()
    assert np.isnan(fisheye.unproject(last - (-0.1, 0.0))[0, :2]).all()


def test_points_beyond_a_pole_or_a_fold_of_the_rational_model_have_no_pixel() -> None:
    # r / (1 - s) grows up to its pole at s = 1; r (1 + s) / (1 + 2 s^2) falls from where its slope is 0.
    pole = replace(PLAIN, distortion=(0.0, 0.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0))
    assert np.isfinite(pole.project([[0.99, 0.0, 1.0]])).all()
    assert np.isnan(pole.project([[1.01, 0.0, 1.0]])).all()
    fold = replace(PLAIN, distortion=(1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0, 0.0))
    radius = np.linspace(0.0, 3.0, 3001)
    stretched = radius * (1 + radius**2) / (1 + 2 * radius**4)
    turn = radius[int(np.argmax(np.diff(stretched) < 0))]
    assert np.isfinite(fold.project([[turn - 0.01, 0.0, 1.0]])).all()
    assert np.isnan(fold.project([[turn + 0.01, 0.0, 1.0]])).all()


def test_a_rational_lens_without_its_lower_side_is_the_one_of_five_numbers() -> None:
    points = points_in_view(3)
    same = replace(BENT, distortion=(*BENT.distortion, 0.0, 0.0, 0.0))
    np.testing.assert_allclose(same.project(points), BENT.project(points), atol=1e-10)


def test_a_fisheye_stays_one_when_resized_cropped_and_zoomed() -> None:
    points = points_in_view(5)
    pixels = FISHEYE.project(points)
    half = FISHEYE.resized(320, 120)
    np.testing.assert_allclose(half.project(points), (pixels + 0.5) * (0.5, 0.25) - 0.5, atol=1e-9)
    np.testing.assert_allclose(FISHEYE.cropped(31, 17, 300, 200).project(points), pixels - (31, 17), atol=1e-9)
    centre = (FISHEYE.cx_px, FISHEYE.cy_px)
    np.testing.assert_allclose(FISHEYE.zoomed(1.3).project(points) - centre, (pixels - centre) * 1.3, atol=1e-9)


def test_only_a_pinhole_without_distortion_is_straight() -> None:
    assert [c.is_straight for c in CAMERAS] == [True, False, False, False, False]


def test_a_model_that_is_none() -> None:
    with pytest.raises(ValueError, match="camera model must be one of pinhole, fisheye, got 'omni'"):
        replace(PLAIN, model="omni")  # type: ignore[arg-type]
