"""Each value of a world, when it alone changes, changes a picture, a depth picture or a label."""

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from calibration.kinematics import nominal_world
from calibration.rig import Rig
from calibration.rig_file import load_rig
from calibration.world import WorldParams, paths, with_values
from sim2real.randomization import RandomizationSpec
from sim2real.stream import Batch, SimulatedFrames

RIGS = {
    "cube_on_table": (-0.7, 0.35, 0.95),
    "psm_tool": (-0.12, -0.06, -0.26),
    "panda_tabletop": (0.4, 0.3, 0.05),
}

# Another value for a path: of its own where a step of 0.2 would be none, or no good one.
CHANGED: dict[str, Any] = {
    "texture": "checker:1",
    "channels": "bgr",
    "bayer": "rggb",
    "jpeg_quality": 50.0,
    "size_scale": 1.3,
    "shape_scale": (1.3, 0.8, 1.2),
    "focal_scale": 0.8,
    "principal_shift": (0.05, -0.05),
    "distortion_shift": (0.2, 0.1, 0.02, 0.02, 0.05),
    "velocity_m_s": (0.2, 0.3, 0.1),
    "angular_velocity_rad_s": (2.0, 1.0, 1.5),
    "aperture_m": 0.03,
    "focus_m": 0.1,
    "chromatic": 0.03,
    "exposure_s": 0.1,
    "readout_s": 0.1,
    "saturation": 0.8,
    "gamma": 0.8,
    "contrast": 0.8,
    "blur_px": 0.8,
    "noise": 5.0,
    "grain": 5.0,
    "auto_exposure": 1.0,
    "auto_white_balance": 1.0,
    "shoulder": 0.9,
    "full_well_e": 500.0,
    "read_noise_e": 30.0,
    "noise_m": 0.05,
    "noise_per_m": 0.05,
    "step_per_m": 0.05,
    "edge_px": 3.0,
    "lateral_px": 1.0,
    "dropout": 0.3,
    "near_m": 5.0,
    "far_m": 0.05,
}

MOVING = {"camera.velocity_m_s": (0.5, 0.2, 0.0), "camera.angular_velocity_rad_s": (0.3, 0.2, 0.5)}
OPEN = {"shutter.exposure_s": 0.1}
# What else must be so for a value to matter. `{owner}` is the body, joint or lamp itself.
NEEDS: dict[str, dict[str, Any]] = {
    "joints.*.velocity": OPEN,
    "bodies.*.velocity_m_s": OPEN,
    "bodies.*.angular_velocity_rad_s": OPEN | {"{owner}.texture": "checker:1"},
    "bodies.*.rpy_rad": {"{owner}.texture": "checker:1"},
    "bodies.*.specular": {"light.specular": 0.8},
    "bodies.*.roughness": {"light.specular": 0.8},
    "camera.velocity_m_s": OPEN,
    "camera.angular_velocity_rad_s": OPEN,
    "shutter.exposure_s": MOVING,
    "shutter.readout_s": MOVING,
    "lens.focus_m": {"lens.aperture_m": 0.03},
    "sensor.read_noise_e": {"sensor.full_well_e": 5000.0},
    "lamps.*.position_m": {"{owner}.present": True},
    "lamps.*.rgb": {"{owner}.present": True},
    "lamps.*.strength": {"{owner}.present": True},
    "lamps.*.radius_m": {"{owner}.present": True, "{owner}.strength": 1.0},
    "lamps.*.shadow": {"{owner}.present": True},
}


def wide_rig(name: str) -> Rig:
    """Return the rig with one distractor and a wider camera, so that every body is in view."""
    rig = load_rig(name)
    assert rig.distractors is not None
    distractors = replace(rig.distractors, count=1)
    focal = rig.camera.intrinsics().fx_px
    return replace(rig, distractors=distractors, camera=replace(rig.camera, focal_px=(focal / 2, focal / 2)))


def start(name: str) -> WorldParams:
    """Return a world in which every body is seen and no effect hides another."""
    return with_values(
        nominal_world(wide_rig(name)),
        {
            "bodies.distractor0.present": True,
            "bodies.distractor0.position_m": RIGS[name],
            "bodies.distractor0.rgb": (0.2, 0.6, 0.3),
            "light.elevation_rad": 0.9,
            "light.specular": 0.2,
        },
    )


def pattern(path: str) -> str:
    """Return the path with the name of a body, joint or lamp replaced by a star."""
    parts = path.split(".")
    return f"{parts[0]}.*.{parts[2]}" if len(parts) == 3 else path


def changed(path: str, value: Any) -> Any:
    """Return another value for a path."""
    field = path.rsplit(".", 1)[-1]
    if field in CHANGED:
        return CHANGED[field]
    if isinstance(value, bool):
        return not value
    if field in ("rgb", "white_balance"):
        return tuple(0.6 * v for v in value)
    if isinstance(value, tuple):
        return tuple(v + 0.05 for v in value)
    if field in ("strength", "shadow_strength"):
        return 0.3 * value
    return value + 0.05 if pattern(path) == "joints.*.position" else value + 0.2


def needed(path: str) -> dict[str, Any]:
    owner = path.rpartition(".")[0]
    values = NEEDS.get(pattern(path), {})
    return {name.format(owner=owner): value for name, value in values.items() if name.format(owner=owner) != path}


def differs(one: Batch, other: Batch) -> bool:
    """Return whether a picture differs in some pixels, or anything else at all."""
    for f in fields(Batch):
        a, b = getattr(one, f.name), getattr(other, f.name)
        if not isinstance(a, np.ndarray):
            continue
        if f.name == "rgb":
            if (a != b).sum() > 3:
                return True
        elif not np.array_equal(a, b, equal_nan=a.dtype.kind == "f"):
            return True
    return False


class Drawn:
    """Pictures of one rig; each starting world is drawn once."""

    def __init__(self, name: str) -> None:
        rig = wide_rig(name)
        self.frames = SimulatedFrames(rig, RandomizationSpec("none", ()), 0, rig.input_camera(), depth=True)
        self.start = start(name)
        self._before: dict[str, Batch] = {}

    def before(self, values: dict[str, Any]) -> tuple[WorldParams, Batch]:
        world = with_values(self.start, values)
        key = repr(values)
        if key not in self._before:
            self._before[key] = self.frames.draw_worlds([world])
        return world, self._before[key]


CASES = [(name, path) for name in RIGS for path in paths(start(name))]


@pytest.fixture(scope="module")
def drawn() -> Iterator[dict[str, Drawn]]:
    made = {name: Drawn(name) for name in RIGS}
    yield made
    for one in made.values():
        one.frames.close()


@pytest.mark.parametrize(("name", "path"), CASES)
def test_no_knob_is_dead(name: str, path: str, drawn: dict[str, Drawn]) -> None:
    world, before = drawn[name].before(needed(path))
    value = paths(world)[path]
    assert changed(path, value) != value
    after = drawn[name].frames.draw_worlds([with_values(world, {path: changed(path, value)})])
    assert differs(before, after), f"{path} from {value} to {changed(path, value)} changes nothing"


@pytest.mark.parametrize("name", RIGS)
def test_a_knob_that_is_not_turned_changes_nothing(name: str, drawn: dict[str, Drawn]) -> None:
    """So that a difference above is that of the knob."""
    world, before = drawn[name].before({})
    assert not differs(before, drawn[name].frames.draw_worlds([world]))


def test_the_seed_of_the_noise_is_no_dead_knob(drawn: dict[str, Drawn]) -> None:
    noisy = with_values(drawn["cube_on_table"].start, {"sensor.noise": 3.0})
    one, other = drawn["cube_on_table"].frames.draw_worlds([noisy, replace(noisy, noise_seed=8)]).rgb
    assert (one != other).mean() > 0.3
