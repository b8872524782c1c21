from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.camera import CameraIntrinsics
from calibration.kinematics import matrix_of, nominal_world
from calibration.rig import Rig
from calibration.rig_file import load_rig, parse_rig
from calibration.world import WorldParams, with_values
from envs.labels import FrameLabels, label_frame
from envs.labels.boxes import amodal_box, clipped, corners_px, modal_boxes
from envs.labels.outlines import Shape, outline_points
from envs.labels.silhouettes import silhouette
from envs.rendering.tiny import TinyRenderer

CAMERA = CameraIntrinsics(320, 240, 300.0, 280.0, 150.0, 110.0)
SMALL = CAMERA.resized(160, 120)
BENT = replace(SMALL, distortion=(-0.25, 0.06, 0.003, -0.002, 0.0))
FISHEYE = replace(SMALL, distortion=(0.02, -0.01, 0.0, 0.0, 0.0), model="fisheye")
SHAPES = [
    Shape("box", (0.1, 0.15, 0.2)),
    Shape("sphere", (0.15, 0.15, 0.15)),
    Shape("sphere", (0.1, 0.2, 0.15)),
    Shape("cylinder", (0.12, 0.12, 0.2)),
    Shape("cylinder", (0.2, 0.1, 0.05)),
]
POSES = [
    ((0.0, 0.05, 1.0), (0.4, 0.7, -0.2)),
    ((0.25, -0.2, 0.8), (-1.0, 0.2, 2.0)),
    ((-0.3, 0.1, 1.5), (0.0, 0.0, 0.0)),
]


def drawn(rig: Rig, world: WorldParams, camera: CameraIntrinsics) -> FrameLabels:
    renderer = TinyRenderer(rig)
    images = renderer.render([world], camera)
    renderer.close()
    return label_frame(rig, world, images, 0)


def test_modal_boxes_are_around_the_pixels() -> None:
    segmentation = np.full((20, 30), -1, np.int16)
    segmentation[3:7, 5:11] = 0
    segmentation[10, 12] = 2
    segmentation[15, 25] = 2
    boxes = modal_boxes(segmentation, 4)
    assert boxes[0].tolist() == [4.5, 2.5, 10.5, 6.5]
    assert boxes[2].tolist() == [11.5, 9.5, 25.5, 15.5]
    assert np.isnan(boxes[[1, 3]]).all()


@pytest.mark.parametrize("camera", [SMALL, BENT, FISHEYE], ids=["pinhole", "distorted", "fisheye"])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: f"{s.kind}{s.half_m}")
@pytest.mark.parametrize("pose", POSES)
def test_the_whole_box_is_around_the_silhouette(
    pose: tuple[tuple[float, float, float], tuple[float, float, float]], shape: Shape, camera: CameraIntrinsics
) -> None:
    matrix = matrix_of(*pose)
    mask = silhouette(shape, matrix, camera, -80, -60, (320, 240))
    assert mask.sum() > 250
    rows, columns = np.nonzero(mask)
    around = np.array([columns.min(), rows.min(), columns.max(), rows.max()]) - (80, 60, 80, 60)
    # The box ends where the body does, the mask at the last pixel's centre within it, farther off at a corner.
    np.testing.assert_allclose(amodal_box(shape, matrix, camera), around, atol=1.5)
    column, row = camera.project(matrix[None, :3, 3])[0].astype(int).tolist()
    assert mask[row + 60, column + 80]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: f"{s.kind}{s.half_m}")
def test_the_silhouette_is_the_hull_of_the_outline(shape: Shape) -> None:
    matrix = matrix_of((0.05, 0.02, 1.2), (0.3, -0.8, 0.5))
    mask = silhouette(shape, matrix, CAMERA, 0, 0, (320, 240))
    outline = outline_points(shape, -matrix[:3, 3] @ matrix[:3, :3])
    assert outline is not None
    pixels = CAMERA.project(outline @ matrix[:3, :3].T + matrix[:3, 3]).astype(np.float32)
    area = cv2.contourArea(cv2.convexHull(pixels))
    assert mask.sum() == pytest.approx(area, rel=0.015)
    hull = cv2.convexHull(pixels)
    inside = [cv2.pointPolygonTest(hull, (float(x), float(y)), True) for y, x in np.argwhere(mask)[::7]]
    assert min(inside) > -0.6


def test_the_silhouette_is_what_the_renderer_draws(small_rig: str) -> None:
    rig = parse_rig(small_rig, "test", Path())
    world = with_values(nominal_world(rig), {"bodies.target.rpy_rad": (0.4, 0.3, 0.7)})
    labels = drawn(rig, world, rig.camera.intrinsics())
    body = labels.bodies[0]
    assert body.shape is not None
    mask = silhouette(body.shape, body.camera_from_body, labels.view.intrinsics, 0, 0, (320, 240))
    assert (mask != labels.mask(body)).sum() < 0.03 * mask.sum()
    np.testing.assert_allclose(body.modal_box_px, body.amodal_box_px, atol=1.1)


def test_half_a_body_behind_a_screen_has_half_a_modal_box(small_rig: str) -> None:
    rig = parse_rig(small_rig, "test", Path())
    free = drawn(rig, nominal_world(rig), rig.camera.intrinsics()).bodies[0]
    # The screen covers the left of the picture up to its middle.
    screened = with_values(nominal_world(rig), {"bodies.screen.position_m": (-1.0, 0.5, 0.5)})
    hidden = drawn(rig, screened, rig.camera.intrinsics()).bodies[0]
    np.testing.assert_array_equal(hidden.amodal_box_px, free.amodal_box_px)
    assert hidden.modal_box_px[0] == pytest.approx(159.5, abs=1)
    np.testing.assert_allclose(hidden.modal_box_px[1:], free.modal_box_px[1:])
    assert hidden.visible == pytest.approx(0.5, abs=0.05)
    assert hidden.area_px == pytest.approx(free.area_px / 2, rel=0.05)


def test_boxes_are_clipped_to_the_picture() -> None:
    box = np.array([-30.0, 10.0, 50.0, 500.0])
    assert clipped(box, 320, 240).tolist() == [-0.5, 10.0, 50.0, 239.5]
    assert np.isnan(clipped(np.array([330.0, 10.0, 400.0, 20.0]), 320, 240)).all()
    assert np.isnan(clipped(np.full(4, np.nan), 320, 240)).all()


def test_a_body_that_reaches_behind_the_camera() -> None:
    # A table that starts 1 m behind the camera, half a metre below it, and ends 2 m ahead.
    table = Shape("box", (0.4, 0.01, 1.5))
    box = amodal_box(table, matrix_of((0.0, 0.51, 0.5), (0.0, 0.0, 0.0)), CAMERA)
    assert np.isfinite(box).all()
    assert box[1] == pytest.approx(110 + 280 * 0.5 / 2.0)
    assert box[3] > 1000
    assert np.isnan(amodal_box(table, matrix_of((0.0, 0.0, -3.0), (0.0, 0.0, 0.0)), CAMERA)).all()
    around = amodal_box(Shape("sphere", (1.0, 1.0, 1.0)), matrix_of((0.0, 0.1, 0.2), (0.0, 0.0, 0.0)), CAMERA)
    assert clipped(around, 320, 240).tolist() == [-0.5, -0.5, 319.5, 239.5]


def test_corners_are_where_opencv_projects_them() -> None:
    rig = load_rig("cube_on_table")
    world = with_values(nominal_world(rig), {"bodies.cube.rpy_rad": (0.0, 0.0, 0.5), "bodies.cube.size_scale": 1.1})
    labels = drawn(rig, world, rig.input_camera())
    cube = next(b for b in labels.bodies if b.params.name == "cube")
    sides = cube.corners_m.max(axis=0) - cube.corners_m.min(axis=0)
    turned = 0.088 * (np.cos(0.5) + np.sin(0.5))
    np.testing.assert_allclose(sides, [turned, turned, 0.088], atol=1e-9)
    np.testing.assert_allclose(cube.corners_m.mean(axis=0), cube.params.position_m, atol=1e-9)
    camera_from_world = np.linalg.inv(labels.view.world_from_camera.matrix())
    turn = cv2.Rodrigues(camera_from_world[:3, :3])[0]
    k = labels.view.intrinsics.matrix()
    truth = cv2.projectPoints(cube.corners_m, turn, camera_from_world[:3, 3], k, np.zeros(5))[0].reshape(-1, 2)
    np.testing.assert_allclose(cube.corners_px, truth, atol=1e-6)
    box = np.concatenate([truth.min(axis=0), truth.max(axis=0)])
    np.testing.assert_allclose(cube.amodal_box_px, box, atol=1e-6)
    assert np.isnan(corners_px(np.array([[0.0, 0.0, -1.0]]), np.eye(4), labels.view.intrinsics)).all()
