"""What can be other at a pretend station than the rig file says, each as one named cause of a gap."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from calibration.rig import Rig
from calibration.world import WorldParams, paths

Values = dict[str, Any]
# Generator, size, rig, nominal world and its paths: the values that differ, by path.
Draw = Callable[[np.random.Generator, float, Rig, WorldParams], Values]

# Textures that no preset draws have these numbers.
_TEXTURES = (100, 120)


@dataclass(frozen=True)
class Cause:
    """One thing that is other at the station.

    Attributes:
        name: for people, and to plant it.
        of: whether pictures are other by it, or motion and readings.
        draw: the values of the world that it changes. At size 1 it is what a station with no calibration may have, at 0
            nothing; its direction is random, its magnitude nearly not, so that a planted cause is there.
    """

    name: str
    of: Literal["seeing", "moving"]
    draw: Draw


def _off(rng: np.random.Generator, count: int = 1) -> NDArray[np.float64]:
    """Return numbers (count,) of a magnitude of 0.7 to 1 and random sign."""
    return rng.choice([-1.0, 1.0], count) * rng.uniform(0.7, 1.0, count)


def _triple(numbers: NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = numbers.tolist()
    return x, y, z


# Seeing


def _camera_tilt(rng: np.random.Generator, size: float, rig: Rig, nominal: WorldParams) -> Values:
    return {"camera.tilt_rad": _triple(1.5 * size * rig.camera.rotation_std_rad * _off(rng, 3))}


def _camera_position(rng: np.random.Generator, size: float, rig: Rig, nominal: WorldParams) -> Values:
    return {"camera.shift_m": _triple(1.5 * size * rig.camera.position_std_m * _off(rng, 3))}


def _focal_length(rng: np.random.Generator, size: float, rig: Rig, nominal: WorldParams) -> Values:
    return {"camera.focal_scale": float(np.exp(2.5 * size * rig.camera.focal_std * _off(rng)[0]))}


def _light(rng: np.random.Generator, size: float, rig: Rig, nominal: WorldParams) -> Values:
    turn, lift, bright, soft, warm = (size * _off(rng, 5)).tolist()
    light = nominal.light
    return {
        "light.azimuth_rad": light.azimuth_rad + 1.2 * turn,
        "light.elevation_rad": float(np.clip(light.elevation_rad + 0.3 * lift, 0.35, 1.5)),
        "light.rgb": (1.0 + min(0.0, 0.15 * warm), 1.0, 1.0 - max(0.0, 0.15 * warm)),
        "light.diffuse": light.diffuse * float(np.exp(0.5 * bright)),
        "light.ambient": light.ambient * float(np.exp(0.3 * soft)),
    }


def _exposure(rng: np.random.Generator, size: float, rig: Rig, nominal: WorldParams) -> Values:
    stops, tone, warm = (size * _off(rng, 3)).tolist()
    return {
        "sensor.exposure_ev": 0.5 * stops,
        "sensor.gamma": float(np.exp(0.2 * tone)),
        "sensor.white_balance": (float(np.exp(0.12 * warm)), 1.0, float(np.exp(-0.12 * warm))),
    }


def _blur(rng: np.random.Generator, size: float, rig: Rig, nominal: WorldParams) -> Values:
    return {"sensor.blur_px": float(2.0 * size * abs(_off(rng)[0]))}


def _noise(rng: np.random.Generator, size: float, rig: Rig, nominal: WorldParams) -> Values:
    return {"sensor.noise": float(10.0 * size * abs(_off(rng)[0]))}


def _texture(rng: np.random.Generator, size: float, rig: Rig, nominal: WorldParams) -> Values:
    found: Values = {}
    number = int(rng.integers(*_TEXTURES))
    for body in nominal.bodies:
        if body.role == "surface":
            found[f"bodies.{body.name}.texture"] = f"planks:{number}"
            # The texture has a colour of its own.
            rgb = np.asarray(body.rgb) + min(size, 1.0) * (np.array([0.95, 0.85, 0.72]) - body.rgb)
            found[f"bodies.{body.name}.rgb"] = _triple(rgb)
    return found


def _background(rng: np.random.Generator, size: float, rig: Rig, nominal: WorldParams) -> Values:
    return {"background.texture": f"clutter:{rng.integers(*_TEXTURES)}", "background.rgb": (0.8, 0.85, 0.95)}


def _object_colour(rng: np.random.Generator, size: float, rig: Rig, nominal: WorldParams) -> Values:
    change = 0.2 * size * _off(rng, 3)
    return {
        f"bodies.{b.name}.rgb": _triple(np.clip(np.asarray(b.rgb) + change, 0.02, 1.0))
        for b in nominal.bodies
        if b.role == "object"
    }


def _distractors(rng: np.random.Generator, size: float, rig: Rig, nominal: WorldParams) -> Values:
    found: Values = {}
    spot = rig.distractors
    for body in nominal.bodies:
        if body.role == "distractor" and spot is not None:
            place, rgb, there = rng.random(3), rng.random(3), rng.random() < 0.4 * size
            low, high = np.transpose([spot.x_m, spot.y_m, spot.z_m])
            if there:
                found[f"bodies.{body.name}.present"] = True
                found[f"bodies.{body.name}.position_m"] = _triple(low + place * (high - low))
                found[f"bodies.{body.name}.rgb"] = _triple(rgb)
    return found


# Moving


def _objects(nominal: WorldParams) -> Iterator[str]:
    """Yield the names of what can be moved."""
    yield from (mass.name for mass in nominal.masses if mass.name != "robot")


def _friction(rng: np.random.Generator, size: float, rig: Rig, nominal: WorldParams) -> Values:
    factor, objects = float(np.exp(0.9 * size * _off(rng)[0])), set(_objects(nominal))
    return {f"contacts.{c.name}.friction": factor * c.friction for c in nominal.contacts if c.name in objects}


def _mass(rng: np.random.Generator, size: float, rig: Rig, nominal: WorldParams) -> Values:
    factor = float(np.exp(1.2 * size * _off(rng)[0]))
    return {f"masses.{name}.mass_scale": factor for name in _objects(nominal)}


def _motors(name: str, width: float, grows: bool) -> Draw:
    """Return a draw of one factor, or of one number in place of 0, for all motors."""

    def draw(rng: np.random.Generator, size: float, rig: Rig, nominal: WorldParams) -> Values:
        off = float(size * width * _off(rng)[0])
        value = float(np.exp(off)) if grows else abs(off)
        return {f"motors.{motor.name}.{name}": value for motor in nominal.motors}

    return draw


def _joint_offset(rng: np.random.Generator, size: float, rig: Rig, nominal: WorldParams) -> Values:
    fingers = set(rig.robot.gripper.open) if rig.robot is not None and rig.robot.gripper is not None else set()
    offsets = 0.02 * size * _off(rng, len(nominal.motors))
    pairs = zip(nominal.motors, offsets.tolist(), strict=True)
    return {f"motors.{m.name}.offset_rad": offset for m, offset in pairs if m.name not in fingers}


def _backlash(rng: np.random.Generator, size: float, rig: Rig, nominal: WorldParams) -> Values:
    fingers = set(rig.robot.gripper.open) if rig.robot is not None and rig.robot.gripper is not None else set()
    play = float(0.02 * size * abs(_off(rng)[0]))
    return {f"motors.{m.name}.backlash_rad": play for m in nominal.motors if m.name not in fingers}


def _gravity_tilt(rng: np.random.Generator, size: float, rig: Rig, nominal: WorldParams) -> Values:
    x, y = (0.06 * size * _off(rng, 2)).tolist()
    return {"gravity.tilt_rad": (x, y)}


def _delay(rng: np.random.Generator, size: float, rig: Rig, nominal: WorldParams) -> Values:
    return {"actuation.delay_s": float(0.1 * size * abs(_off(rng)[0]))}


def _observation_delay(rng: np.random.Generator, size: float, rig: Rig, nominal: WorldParams) -> Values:
    late = float(0.1 * size * abs(_off(rng)[0]))
    return {"observation.delay_s": late, "frames.delay_s": late}


def _action_noise(rng: np.random.Generator, size: float, rig: Rig, nominal: WorldParams) -> Values:
    return {"actuation.noise": float(0.4 * size * abs(_off(rng)[0]))}


def _reading_noise(rng: np.random.Generator, size: float, rig: Rig, nominal: WorldParams) -> Values:
    metres, radians = (size * np.array([0.01, 0.005]) * np.abs(_off(rng, 2))).tolist()
    return {"observation.object_noise_m": metres, "observation.joint_noise_rad": radians}


def _object_offset(rng: np.random.Generator, size: float, rig: Rig, nominal: WorldParams) -> Values:
    x, y = (0.015 * size * _off(rng, 2)).tolist()
    return {"observation.object_bias_m": (x, y, 0.0)}


_ALL = (
    Cause("camera tilt", "seeing", _camera_tilt),
    Cause("camera position", "seeing", _camera_position),
    Cause("focal length", "seeing", _focal_length),
    Cause("light", "seeing", _light),
    Cause("exposure", "seeing", _exposure),
    Cause("blur", "seeing", _blur),
    Cause("noise", "seeing", _noise),
    Cause("texture", "seeing", _texture),
    Cause("background", "seeing", _background),
    Cause("object colour", "seeing", _object_colour),
    Cause("distractors", "seeing", _distractors),
    Cause("friction", "moving", _friction),
    Cause("mass", "moving", _mass),
    Cause("damping", "moving", _motors("damping_scale", 0.9, grows=True)),
    Cause("gain", "moving", _motors("gain_scale", 0.9, grows=True)),
    Cause("joint friction", "moving", _motors("joint_damping", 20.0, grows=False)),
    Cause("joint offset", "moving", _joint_offset),
    Cause("backlash", "moving", _backlash),
    Cause("gravity tilt", "moving", _gravity_tilt),
    Cause("delay", "moving", _delay),
    Cause("observation delay", "moving", _observation_delay),
    Cause("action noise", "moving", _action_noise),
    Cause("reading noise", "moving", _reading_noise),
    Cause("object offset", "moving", _object_offset),
)
CAUSES: dict[str, Cause] = {cause.name: cause for cause in _ALL}


def drawn_values(cause: Cause, rng: np.random.Generator, size: float, rig: Rig, nominal: WorldParams) -> Values:
    """Return the values that a cause changes, by path; of a world of single frames only what it has.

    Args:
        cause: of the family.
        rng: of this cause alone.
        size: 0 for nothing, 1 for a station with no calibration.
        rig: the station as its file describes it.
        nominal: its world.
    """
    if size == 0.0:
        return {}
    known = paths(nominal)
    return {path: value for path, value in cause.draw(rng, size, rig, nominal).items() if path in known}
