from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.kinematics import frame_matrices, nominal_world
from calibration.rig import Rig
from calibration.rig_file import load_rig, parse_rig, rig_names
from calibration.view import CameraView
from calibration.world import CameraParams, WorldParams, with_values
from envs.labels import Labels, label_images
from envs.labels.placement import frames_of
from envs.rendering.renderer import Images
from envs.rendering.tiny import TinyRenderer

SHAPES = {
    "box": 'shape = "box"\nsize_m = [0.2, 0.2, 0.2]',
    "turned box": 'shape = "box"\nsize_m = [0.2, 0.15, 0.25]\nrpy_rad = [0.5, 0.3, 0.6]',
    "sphere": 'shape = "sphere"\nradius_m = 0.12',
    "cylinder": 'shape = "cylinder"\nradius_m = 0.1\nlength_m = 0.25\nrpy_rad = [0.4, 0.5, 0.0]',
}


class Labelled:
    """A rig with one body and a screen, and the labels of its pictures."""

    def __init__(self, text: str) -> None:
        self.rig: Rig = parse_rig(text, "test", Path())
        self.nominal: WorldParams = nominal_world(self.rig)
        self.renderer = TinyRenderer(self.rig)

    def label(self, **values: object) -> Labels:
        world = with_values(self.nominal, {k.replace("__", "."): v for k, v in values.items()})
        images = self.renderer.render([world], self.rig.camera.intrinsics())
        return label_images(self.rig, [world], images)


@pytest.fixture(scope="module", params=SHAPES)
def scene(request: pytest.FixtureRequest, small_rig: str) -> Iterator[Labelled]:
    made = Labelled(small_rig.replace('shape = "box"\nsize_m = [0.2, 0.2, 0.2]', SHAPES[request.param]))
    yield made
    made.renderer.close()


# The ball that TinyRenderer draws is a coarse mesh within the ball.
COARSE = 0.07


def test_all_of_a_body_in_the_open_is_seen(scene: Labelled) -> None:
    assert scene.label().visible[0, 0] == pytest.approx(1.0, abs=COARSE)


def test_half_of_a_body_is_seen_beside_a_screen(scene: Labelled) -> None:
    # The screen's edge lies in the plane of symmetry: y = 0 is a vertical line through the body.
    # A turned box is not symmetric, so it is only about a half.
    half = scene.label(bodies__screen__position_m=(-1.0, 0.5, 0.5)).visible[0, 0]
    other = scene.label(bodies__screen__position_m=(-1.0, -0.5, 0.5)).visible[0, 0]
    assert half == pytest.approx(0.5, abs=0.1)
    assert half + other == pytest.approx(1.0, abs=0.07)


def test_nothing_of_a_body_is_seen_behind_a_screen_or_outside_the_picture(scene: Labelled) -> None:
    assert scene.label(bodies__screen__position_m=(-1.0, 0.0, 0.5)).visible[0, 0] == 0
    assert scene.label(bodies__target__position_m=(0.0, 5.0, 0.5)).visible[0, 0] == 0
    assert scene.label(bodies__target__position_m=(-5.0, 0.0, 0.5)).visible[0, 0] == 0
    assert scene.label(bodies__target__position_m=(-2.0, 0.0, 0.5)).visible[0, 0] == 0, "around the camera"
    assert scene.label(bodies__target__present=False).visible[0, 0] == 0


def test_the_border_of_the_picture_hides_half(scene: Labelled) -> None:
    # 160 px to the side at 300 px focal length and 2 m.
    side = 160 / 300 * 2.0
    assert scene.label(bodies__target__position_m=(0.0, side, 0.5)).visible[0, 0] == pytest.approx(0.5, abs=0.1)


def test_a_larger_body_has_a_larger_outline(scene: Labelled) -> None:
    assert scene.label(bodies__target__size_scale=1.8).visible[0, 0] == pytest.approx(1.0, abs=COARSE)
    assert scene.label(bodies__target__size_scale=0.5).visible[0, 0] == pytest.approx(1.0, abs=0.12)


def test_keypoints_are_where_opencv_projects_them() -> None:
    rig = load_rig("psm_tool")
    worlds = [
        with_values(nominal_world(rig), {"joints.yaw.position": -0.3}),
        replace(nominal_world(rig), camera=CameraParams((0.01, 0.0, -0.01), (0.0, 0.03, 0.01), 1.05)),
    ]
    renderer = TinyRenderer(rig)
    images = renderer.render(worlds, rig.input_camera())
    renderer.close()
    labels = label_images(rig, worlds, images)
    for k, world in enumerate(worlds):
        q = world.joint_positions()
        # Joint 4 by the closed form of the recording; the balls lie 17 and 67 mm nearer to the remote centre.
        d = q["insertion"] - 0.0156
        towards = np.array(
            [
                np.cos(q["pitch"]) * np.sin(q["yaw"]),
                -np.sin(q["pitch"]),
                -np.cos(q["yaw"]) * np.cos(q["pitch"]),
            ]
        )
        np.testing.assert_allclose(labels.points_m[k], d * towards, atol=1e-9)
        balls = np.array([(d - 0.017) * towards, (d - 0.067) * towards])
        view = images.views[k]
        camera_from_world = np.linalg.inv(view.world_from_camera.matrix())
        turn, shift = cv2.Rodrigues(camera_from_world[:3, :3])[0], camera_from_world[:3, 3]
        truth = cv2.projectPoints(balls, turn, shift, view.intrinsics.matrix(), np.zeros(5))[0].reshape(-1, 2)
        np.testing.assert_allclose(labels.keypoints_px[k], truth, atol=1e-6)
    assert labels.keypoints_px.shape == (2, 2, 2)
    assert labels.visible.shape == (2, 2)
    assert (labels.visible > 0.3).all()


def test_a_keypoint_behind_the_camera_has_no_pixel(small_rig: str) -> None:
    labelled = Labelled(small_rig)
    labels = labelled.label(bodies__target__position_m=(-5.0, 0.0, 0.5))
    labelled.renderer.close()
    assert np.isnan(labels.keypoints_px).all()
    np.testing.assert_allclose(labels.points_m, [(-5.0, 0.0, 0.5)])


def test_a_keypoint_that_belongs_to_no_body_always_counts(small_rig: str) -> None:
    labelled = Labelled(small_rig.replace('frame = "target"', 'frame = "world"\npoint_m = [0.3, 0.1, 0.4]'))
    labels = labelled.label()
    labelled.renderer.close()
    assert labels.visible.tolist() == [[1.0]]
    # By hand: 2.3 m ahead, 0.1 m to the left, 0.1 m below the optical axis.
    np.testing.assert_allclose(labels.keypoints_px[0, 0], (159.5 - 300 * 0.1 / 2.3, 119.5 + 300 * 0.1 / 2.3))


@pytest.mark.parametrize("name", rig_names())
def test_a_picture_is_labelled_the_same_alone_and_among_others(name: str) -> None:
    rig = load_rig(name)
    nominal = nominal_world(rig)
    shifts = [(0.0, 0.0, 0.0), (0.02, -0.01, 0.0), (0.0, 0.03, -0.02)]
    worlds = [replace(nominal, camera=CameraParams(shift, (0.0, 0.01, 0.02))) for shift in shifts]
    renderer = TinyRenderer(rig)
    images = renderer.render(worlds, rig.input_camera())
    renderer.close()
    together = label_images(rig, worlds, images)
    for k, world in enumerate(worlds):
        one = Images(*(getattr(images, f)[k : k + 1] for f in ("rgb", "depth_m", "segmentation", "views")))
        alone = label_images(rig, [world], one)
        for field in ("keypoints_px", "visible", "points_m"):
            np.testing.assert_array_equal(getattr(alone, field)[0], getattr(together, field)[k])


@pytest.mark.parametrize("name", rig_names())
def test_only_the_frames_that_are_needed_are_those_of_the_whole_tree(name: str) -> None:
    rig = load_rig(name)
    world = nominal_world(rig)
    whole = frame_matrices(rig, world)
    for frame, matrix in whole.items():
        np.testing.assert_array_equal(frames_of(rig, world, [frame])[frame], matrix, err_msg=frame)


def test_the_seen_share_is_counted_pixels_over_the_outline(scene: Labelled) -> None:
    open_world = with_values(scene.nominal, {})
    images = scene.renderer.render([open_world], scene.rig.camera.intrinsics())
    whole = label_images(scene.rig, [open_world], images).visible[0, 0]
    seen = np.argwhere(images.segmentation[0] == 0)
    for share in (0.75, 0.25):
        covered = images.segmentation.copy()
        gone = seen[: round((1 - share) * len(seen))]
        covered[0][tuple(gone.T)] = 1
        half = label_images(scene.rig, [open_world], replace(images, segmentation=covered)).visible[0, 0]
        assert half == pytest.approx(share * whole, abs=0.06)
        assert half < whole


def test_stretched_bodies_have_stretched_outlines(small_rig: str) -> None:
    rig = parse_rig(small_rig, "test", Path())
    world = with_values(nominal_world(rig), {"bodies.target.shape_scale": (1.0, 2.0, 0.5)})
    view = CameraView.of(rig)
    segmentation = np.zeros((1, 240, 320), np.int16) - 1
    # The near face is 1.9 m away: 0.4 m wide, 0.1 m high.
    width, height = 300 * 0.4 / 1.9, 300 * 0.1 / 1.9
    segmentation[0, :10, :50] = 0
    images = Images(np.zeros((1, 240, 320, 3), np.uint8), np.ones((1, 240, 320), np.float32), segmentation, (view,))
    assert label_images(rig, [world], images).visible[0, 0] == pytest.approx(500 / (width * height), rel=1e-4)


def test_no_pictures_have_no_labels(small_rig: str) -> None:
    rig = parse_rig(small_rig, "test", Path())
    empty = Images(np.zeros((0, 4, 4, 3), np.uint8), np.zeros((0, 4, 4), np.float32), np.zeros((0, 4, 4), np.int16), ())
    labels = label_images(rig, [], empty)
    assert (labels.keypoints_px.shape, labels.visible.shape, labels.points_m.shape) == ((0, 1, 2), (0, 1), (0, 3))
