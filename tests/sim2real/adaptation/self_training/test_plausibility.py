"""The geometric filter: what the simulator draws passes, what the station cannot show does not."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from calibration.kinematics import joint_matrices, nominal_world
from calibration.lifting import keypoints_in, keypoints_world, lift_joints
from calibration.rig import Keypoint, Rig
from calibration.rig_file import load_rig
from calibration.view import CameraView
from sim2real.adaptation.self_training.plausibility import (
    PlausibilityLimits,
    camera_std_px,
    distances_px,
    plausible,
)
from sim2real.presets import load_preset, rig_spec
from sim2real.stream import SimulatedFrames

RIGS = ("cube_on_table", "psm_tool", "panda_tabletop")


def station(name: str) -> tuple[Rig, CameraView]:
    rig = load_rig(name)
    return rig, CameraView.of(rig).resized(*rig.input_size_px)


def drawn(rig: Rig, view: CameraView, count: int) -> Any:
    """Keypoints (N, K, 2) of worlds that training draws, each seen by its own displaced camera."""
    frames = SimulatedFrames(rig, rig_spec(rig, load_preset(rig.preset)), seed=3)
    worlds = [frames.world(k) for k in range(count)]
    return np.array([view.moved(w.camera).project(keypoints_world(rig, w)) for w in worlds])


@pytest.mark.parametrize("name", RIGS)
def test_what_the_simulator_draws_is_plausible(name: str) -> None:
    rig, view = station(name)
    assert plausible(rig, view, drawn(rig, view, 30)).mean() >= 0.96


@pytest.mark.parametrize("name", RIGS)
def test_the_nominal_world_fits_exactly(name: str) -> None:
    rig, view = station(name)
    pixels = view.project(keypoints_world(rig, nominal_world(rig)))
    np.testing.assert_allclose(distances_px(rig, view, pixels[None]), 0.0, atol=1e-3)


@pytest.mark.parametrize("name", RIGS)
def test_the_far_corner_of_the_picture_is_not(name: str) -> None:
    rig, view = station(name)
    corner = np.zeros((1, len(rig.keypoints), 2))
    assert not plausible(rig, view, corner).any()


@pytest.mark.parametrize("name", RIGS)
def test_pixels_that_are_not_finite_are_not_plausible(name: str) -> None:
    rig, view = station(name)
    pixels = np.repeat(drawn(rig, view, 1), 2, axis=0)
    pixels[1, -1, 0] = np.nan
    assert plausible(rig, view, pixels).tolist() == [True, False]
    assert plausible(rig, view, pixels[:0]).shape == (0,)


def test_a_cube_beside_its_placements_is_as_far_as_they_are_in_the_picture() -> None:
    rig, view = station("cube_on_table")
    inside, outside = (view.project([[-0.88, y, 0.93]]) for y in (0.66, 0.96))
    shape, placed = distances_px(rig, view, outside[None])
    assert shape[0] == pytest.approx(0.0, abs=1e-6)
    assert placed[0] == pytest.approx(float(np.linalg.norm(outside - inside)), abs=1e-6)
    assert placed[0] > 3 * camera_std_px(rig, view)
    assert not plausible(rig, view, outside[None]).any()


def test_a_better_camera_makes_the_filter_stricter() -> None:
    rig, view = station("cube_on_table")
    beside = view.project([[-0.88, 0.70, 0.93]])[None]
    assert plausible(rig, view, beside).all()
    assert not plausible(rig, view, beside, PlausibilityLimits(shape_px=1.0, camera_std_px=0.5)).any()


def test_a_ray_above_the_horizon_does_not_reach_the_table() -> None:
    rig, view = station("panda_tabletop")
    sky = view.project(view.world_from_camera.position_m + np.array([[-5.0, 0.0, 1.0]]))
    shape, _ = distances_px(rig, view, sky[None])
    assert shape[0] > 4.0


def test_the_tool_must_have_its_length_and_its_direction() -> None:
    rig, view = station("psm_tool")
    true = drawn(rig, view, 6)
    longer = true.copy()
    longer[:, 1] += 1.5 * (true[:, 1] - true[:, 0])
    assert not plausible(rig, view, longer).any()
    assert not plausible(rig, view, true[:, ::-1]).any()


def test_a_tool_within_its_limits_but_far_from_its_placements() -> None:
    rig, view = station("psm_tool")
    joints = {"yaw": -0.45, "pitch": 0.7, "insertion": 0.2}
    pixels = view.project(keypoints_in(rig, joint_matrices(rig, joints)))
    shape, placed = distances_px(rig, view, pixels[None])
    assert shape[0] < 0.1
    assert placed[0] > 3 * camera_std_px(rig, view)
    assert lift_joints(rig, view, pixels)["pitch"] == pytest.approx(0.7, abs=0.02)
    unplaced = dataclasses.replace(rig, placements=())
    assert plausible(rig, view, pixels[None]).tolist() == [False]
    assert plausible(unplaced, view, pixels[None]).tolist() == [True]


def test_a_rigid_body_must_keep_its_shape_and_its_place() -> None:
    rig, view = station("cube_on_table")
    corners = [(x, y, z) for x in (-0.04, 0.04) for y in (-0.04, 0.04) for z in (-0.04, 0.04)][:6]
    label = dataclasses.replace(rig.label, lift="pnp", point_frame="cube")
    body = tuple(Keypoint(f"corner {k}", "cube", c) for k, c in enumerate(corners))
    rig = dataclasses.replace(rig, label=label, keypoints=body)
    centres = np.array([[-0.9, 0.2, 0.93], [-0.9, 1.2, 0.93]])
    pixels = np.array([view.project(np.array(corners) + c) for c in centres])
    shape, placed = distances_px(rig, view, pixels)
    np.testing.assert_allclose(shape, 0.0, atol=0.01)
    assert placed[0] == pytest.approx(0.0, abs=0.1)
    assert plausible(rig, view, pixels).tolist() == [True, False]
    bent = pixels[:1].copy()
    bent[0, 0] += 12.0
    assert not plausible(rig, view, bent).any()
