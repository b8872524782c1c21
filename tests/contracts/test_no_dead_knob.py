"""Each value of a world, when it alone changes, changes a picture or a label."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from calibration.kinematics import nominal_world
from calibration.rig import Rig
from calibration.rig_file import load_rig
from calibration.world import WorldParams, paths, with_values
from sim2real.randomization import RandomizationSpec
from sim2real.stream import Batch, SimulatedFrames


def wide_rig(name: str) -> Rig:
    """Return the rig with one distractor and a wider camera, so that every body is in view."""
    rig = load_rig(name)
    assert rig.distractors is not None
    distractors = replace(rig.distractors, count=1)
    focal = rig.camera.intrinsics().fx_px
    return replace(rig, distractors=distractors, camera=replace(rig.camera, focal_px=(focal / 2, focal / 2)))


def start(rig: Rig, distractor_m: tuple[float, float, float]) -> WorldParams:
    """Return a world in which every body is seen and no effect hides another."""
    return with_values(
        nominal_world(rig),
        {
            "bodies.distractor0.present": True,
            "bodies.distractor0.position_m": distractor_m,
            "bodies.distractor0.rgb": (0.2, 0.6, 0.3),
            "light.elevation_rad": 0.9,
            "light.specular": 0.2,
        },
    )


def changed(path: str, value: Any) -> Any:
    """Return another value for a path."""
    field = path.rsplit(".", 1)[-1]
    if field == "texture":
        return "checker:1"
    if field == "channels":
        return "bgr"
    if field == "jpeg_quality":
        return 50.0
    if isinstance(value, bool):
        return not value
    if field == "size_scale":
        return 1.3
    if field == "blur_px":
        return 0.8
    if field in ("focal_scale", "saturation", "gamma", "contrast"):
        return 0.8
    if field == "noise":
        return 5.0
    if field == "grain":
        return 5.0
    if field in ("rgb", "white_balance"):
        return tuple(0.6 * v for v in value)
    if isinstance(value, tuple):
        return tuple(v + 0.05 for v in value)
    return value + 0.2 if not path.startswith("joints.") else value + 0.05


RIGS = {"cube_on_table": (-0.7, 0.35, 0.95), "psm_tool": (-0.12, -0.06, -0.26)}
CASES = [(name, path) for name, place in RIGS.items() for path in paths(start(wide_rig(name), place))]


@pytest.fixture(scope="module")
def drawn() -> Iterator[dict[str, tuple[SimulatedFrames, WorldParams, Batch]]]:
    made = {}
    for name, place in RIGS.items():
        rig = wide_rig(name)
        frames = SimulatedFrames(rig, RandomizationSpec("none", ()), 0, rig.input_camera())
        world = start(rig, place)
        made[name] = (frames, world, frames.draw_worlds([world]))
    yield made
    for frames, _, _ in made.values():
        frames.close()


@pytest.mark.parametrize(("name", "path"), CASES)
def test_no_knob_is_dead(name: str, path: str, drawn: dict[str, tuple[SimulatedFrames, WorldParams, Batch]]) -> None:
    frames, world, before = drawn[name]
    value = paths(world)[path]
    assert changed(path, value) != value
    after = frames.draw_worlds([with_values(world, {path: changed(path, value)})])
    different = (after.rgb != before.rgb).sum()
    labels = (after.keypoints_px, after.points_m), (before.keypoints_px, before.points_m)
    moved = any(not np.array_equal(a, b) for a, b in zip(*labels, strict=True))
    assert different > 3 or moved, f"{path} from {value} to {changed(path, value)} changes nothing"


def test_the_seed_of_the_noise_is_no_dead_knob(
    drawn: dict[str, tuple[SimulatedFrames, WorldParams, Batch]],
) -> None:
    frames, world, _ = drawn["cube_on_table"]
    noisy = with_values(world, {"sensor.noise": 3.0})
    one, other = frames.draw_worlds([noisy, replace(noisy, noise_seed=8)]).rgb
    assert (one != other).mean() > 0.3


@pytest.mark.parametrize(
    "path",
    [
        "joints.panda_joint2.position",
        "joints.panda_finger_joint1.position",
        "bodies.robot.position_m",
        "bodies.robot.rpy_rad",
        "bodies.robot.rgb",
        "bodies.robot.present",
    ],
)
def test_no_knob_of_an_arm_by_urdf_is_dead(path: str) -> None:
    rig = wide_rig("panda_tabletop")
    world = start(rig, (0.4, 0.3, 0.05))
    frames = SimulatedFrames(rig, RandomizationSpec("none", ()), 0, rig.input_camera())
    one, other = frames.draw_worlds([world, with_values(world, {path: changed(path, paths(world)[path])})]).rgb
    frames.close()
    assert (one != other).any(axis=-1).sum() > 3
