import math
from dataclasses import replace

import cv2
import numpy as np
import pytest

from calibration.camera import CameraIntrinsics
from calibration.errors import InputError
from envs.sensing.distortion import straightened

BENT = CameraIntrinsics(160, 120, 140.0, 138.0, 76.0, 62.0, (-0.28, 0.09, 0.0012, -0.0007, -0.012))
# 150 degrees from corner to corner.
FISHEYE = CameraIntrinsics(160, 120, 78.0, 78.0, 79.0, 60.5, (0.01, -0.004, 0.001, 0.0, 0.0), "fisheye")
CAMERAS = pytest.mark.parametrize("camera", [BENT, FISHEYE], ids=["pinhole", "fisheye"])


def board(camera: CameraIntrinsics) -> np.ndarray:
    """Return a smooth pattern on the plane z = 1 as this camera sees it."""
    v, u = np.mgrid[0 : camera.height_px, 0 : camera.width_px]
    x, y, _ = camera.unproject(np.column_stack([u.ravel(), v.ravel()])).T
    angle = np.hypot(x, y)
    values = [np.sin(7 * np.arctan(x)), np.cos(6 * np.arctan(y)), np.sin(5 * np.arctan(angle))]
    return np.round(127.5 + 120 * np.stack(values, -1)).astype(np.uint8).reshape(camera.height_px, camera.width_px, 3)


@CAMERAS
def test_maps_lead_to_the_pixel_of_the_same_ray(camera: CameraIntrinsics) -> None:
    warp = straightened(camera)
    assert warp.wide.is_straight
    points = np.random.default_rng(0).uniform((-0.6, -0.4, 0.8), (0.6, 0.4, 2.0), (50, 3))
    bent, wide = camera.project(points), warp.wide.project(points)
    inside = camera.contains(bent) & (bent > 1).all(1) & (bent < (158, 118)).all(1)
    assert inside.sum() > 20
    for maps, axis in ((warp.map_x, 0), (warp.map_y, 1)):
        at = cv2.remap(maps, *bent[inside].astype(np.float32).T[:, None], cv2.INTER_LINEAR)[0]
        np.testing.assert_allclose(at, wide[inside, axis], atol=0.05)


@CAMERAS
def test_the_wide_picture_holds_every_pixel(camera: CameraIntrinsics) -> None:
    warp = straightened(camera)
    assert warp.map_x.min() >= 0
    assert warp.map_y.min() >= 0
    assert warp.map_x.max() <= warp.wide.width_px - 1
    assert warp.map_y.max() <= warp.wide.height_px - 1


@CAMERAS
def test_a_bent_picture_is_what_the_camera_sees(camera: CameraIntrinsics) -> None:
    warp = straightened(camera)
    out = warp.smooth(board(warp.wide))
    assert np.abs(out.astype(int) - board(camera)).max() <= 4


def test_depth_and_segmentation_come_from_whole_pixels() -> None:
    warp = straightened(FISHEYE)
    shape = (warp.wide.height_px, warp.wide.width_px)
    segmentation = np.random.default_rng(0).integers(-1, 5, shape).astype(np.int16)
    depth = np.where(segmentation < 0, np.inf, segmentation).astype(np.float32)
    rgb, z, segments = warp.images(board(warp.wide), depth, segmentation)
    assert (rgb.shape, z.dtype, segments.dtype) == ((120, 160, 3), np.float32, np.int16)
    np.testing.assert_array_equal(z, np.where(segments < 0, np.inf, segments).astype(np.float32))
    rows, columns = np.round(warp.map_y).astype(int), np.round(warp.map_x).astype(int)
    assert (segments == segmentation[rows, columns]).mean() > 0.99


def test_cameras_share_one_size_of_wide_picture() -> None:
    warp = straightened(BENT)
    grown = warp.grown(300, 10)
    assert (grown.wide.width_px, grown.wide.height_px) == (300, warp.wide.height_px)
    picture = board(grown.wide)
    np.testing.assert_array_equal(grown.smooth(picture), warp.smooth(picture[:, : warp.wide.width_px]))


def test_the_same_camera_is_worked_out_once() -> None:
    assert straightened(BENT) is straightened(replace(BENT))


def test_a_field_of_view_that_a_pinhole_cannot_cover() -> None:
    corner = math.hypot(81, 60.5)
    fits = replace(FISHEYE, distortion=(0.0,) * 5, fx_px=corner / math.radians(74.9), fy_px=corner / math.radians(74.9))
    straightened(fits)
    with pytest.raises(
        InputError, match=r"at most 75 degrees off its axis, got one that looks further off at \(0, 0\)"
    ):
        straightened(fits.zoomed(0.97))
    with pytest.raises(InputError, match="got one that has no ray"):
        straightened(replace(FISHEYE, distortion=(-0.3, 0.0, 0.0, 0.0, 0.0)))
    with pytest.raises(InputError, match="got one that has no ray"):
        straightened(replace(BENT, distortion=(-1.5, 0.0, 0.0, 0.0, 0.0)))
