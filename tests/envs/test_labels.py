from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.kinematics import nominal_world
from calibration.rig import Rig
from calibration.rig_file import load_rig, parse_rig
from calibration.world import CameraParams, WorldParams, with_values
from envs.labels import Labels, label_images
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


def test_all_of_a_body_in_the_open_is_seen(scene: Labelled) -> None:
    assert scene.label().visible[0, 0] == pytest.approx(1.0, abs=0.05)


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
    assert scene.label(bodies__target__size_scale=1.8).visible[0, 0] == pytest.approx(1.0, abs=0.05)
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
