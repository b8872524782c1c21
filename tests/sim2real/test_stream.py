from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from calibration.lifting import keypoints_world, label_point
from calibration.optics import SensorParams
from calibration.rig_file import load_rig
from calibration.view import CameraView
from sim2real.presets import load_preset, rig_spec
from sim2real.stream import Batch, SimulatedFrames, batch_indices

FIELDS = ("rgb", "keypoints_px", "visible", "points_m")


def stream(seed: int = 9) -> SimulatedFrames:
    rig = load_rig("psm_tool")
    return SimulatedFrames(rig, rig_spec(rig, load_preset("wide")), seed, rig.input_camera().resized(100, 75))


@pytest.fixture
def frames() -> Iterator[SimulatedFrames]:
    made = stream()
    yield made
    made.close()


def assert_same(one: Batch, other: Batch) -> None:
    for field in FIELDS:
        np.testing.assert_array_equal(getattr(one, field), getattr(other, field), err_msg=field)


def test_a_frame_is_a_function_of_its_number(frames: SimulatedFrames) -> None:
    batch = frames.draw([3, 4, 5])
    alone = frames.draw([5])
    for field in FIELDS:
        np.testing.assert_array_equal(getattr(batch, field)[2:], getattr(alone, field))
    other = stream()
    assert_same(other.draw([3, 4, 5]), batch)
    assert_same(other.__getitems__([3, 4, 5]), batch)
    other.close()


def test_another_number_or_seed_is_another_frame(frames: SimulatedFrames) -> None:
    rgb = frames.draw([0, 1]).rgb
    other = stream(10)
    assert (rgb[0] != rgb[1]).mean() > 0.5
    assert (other.draw([0]).rgb[0] != rgb[0]).mean() > 0.5
    other.close()


def test_a_batch_is_labelled_with_the_state_it_was_drawn_from(frames: SimulatedFrames) -> None:
    batch = frames.draw(range(4))
    assert batch.rgb.shape == (4, 75, 100, 3)
    assert batch.rgb.dtype == np.uint8
    assert batch.keypoints_px.shape == (4, 2, 2)
    assert ((batch.visible >= 0) & (batch.visible <= 1)).all()
    rig = frames.rig
    for k in range(4):
        world = frames.world(k)
        view = CameraView(frames.camera, rig.camera.world_from_camera()).moved(world.camera)
        np.testing.assert_allclose(batch.keypoints_px[k], view.project(keypoints_world(rig, world)))
        np.testing.assert_allclose(batch.points_m[k], label_point(rig, world))


def test_the_camera_defaults_to_what_the_model_sees() -> None:
    rig = load_rig("psm_tool")
    frames = SimulatedFrames(rig, rig_spec(rig, load_preset("wide")), 0)
    assert frames.camera == rig.input_camera()
    assert (frames.camera.width_px, frames.camera.height_px) == rig.input_size_px


def test_the_sensor_is_applied(frames: SimulatedFrames) -> None:
    world = replace(frames.world(0), sensor=SensorParams())
    clean, swapped = frames.draw_worlds([world, replace(world, sensor=SensorParams(channels="bgr"))]).rgb
    np.testing.assert_array_equal(clean[..., ::-1], swapped)


def test_a_closed_stream_opens_again(frames: SimulatedFrames) -> None:
    before = frames.draw([2])
    frames.close()
    frames.close()
    assert_same(frames.draw([2]), before)


def test_batches_are_whole_and_go_on_where_they_stopped() -> None:
    assert list(batch_indices(0, 3, 4)) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert list(batch_indices(2, 3, 4)) == [[8, 9, 10, 11]]
    assert list(batch_indices(3, 3, 4)) == []
