"""Twins of pictures that simulation drew itself, so that the truth is known."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from calibration.kinematics import nominal_world
from calibration.lifting import keypoints_world, label_point
from calibration.rig_file import load_rig
from calibration.view import CameraView
from calibration.world import CameraParams, with_values
from envs.rendering.choice import make_renderer
from sim2real.gap.twins import twins
from sim2real.realdata import RealFrame


@pytest.fixture(scope="module")
def drawn() -> tuple[Any, CameraView, list[RealFrame]]:
    """Frames drawn through a camera that is not the rig file's, the last one with a label 15 cm off."""
    rig = load_rig("cube_on_table")
    change = CameraParams((0.02, 0.0, 0.0), (0.0, 0.03, 0.0), 1.02)
    nominal = dataclasses.replace(nominal_world(rig), camera=change)
    name = rig.keypoints[0].frame
    x, y, z = nominal.body(name).position_m
    worlds = [with_values(nominal, {f"bodies.{name}.position_m": (x, y + d, z)}) for d in (-0.1, 0.0, 0.1)]
    renderer = make_renderer(rig, "cpu", 1)
    pictures = renderer.render(worlds, rig.input_camera()).rgb
    renderer.close()
    frames = []
    for k, world in enumerate(worlds):
        labelled = world if k < 2 else with_values(world, {f"bodies.{name}.position_m": (x, y - 0.05, z)})
        point, points = label_point(rig, labelled), keypoints_world(rig, labelled)
        frames.append(RealFrame(f"{k}.png", "", pictures[k], point, None, points, "full", "", None))
    return rig, CameraView.of(rig).moved(change), frames


def test_twins_of_drawn_pictures_are_the_same_and_a_wrong_label_comes_first(drawn: Any) -> None:
    rig, view, frames = drawn
    found = twins(rig, view, frames)
    assert found[0].file == "2.png"
    assert all(t.disagreement < 0.5 and t.edges > 0.999 for t in found[1:])
    assert found[0].disagreement > 5 * found[1].disagreement + 1
    assert found[0].edges < 0.97
    # What the picture has alone is red, what the drawing has alone is blue.
    red, blue = (230, 60, 50), (70, 120, 255)
    for colour in (red, blue):
        assert (found[0].difference == colour).all(axis=2).sum() > 10
        assert not (found[1].difference == colour).all(axis=2).any()


def test_other_light_is_no_disagreement_and_another_camera_is(drawn: Any) -> None:
    rig, view, frames = drawn
    darker = [dataclasses.replace(f, picture=(0.5 * f.picture + 20).astype(np.uint8)) for f in frames[:2]]
    assert all(t.disagreement < 1.5 for t in twins(rig, view, darker))
    assert all(t.disagreement > 5 for t in twins(rig, CameraView.of(rig), frames[:2]))
