"""All axes of variation: what each is, its unit, the source of its model, and the world in which it is seen."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from calibration.optics import DepthParams, LensParams, SensorParams, ShutterParams
from calibration.world import BackgroundParams, BodyParams, CameraParams, JointParams, LampParams, LightParams

_KINDS: dict[str, type[Any]] = {
    "bodies": BodyParams,
    "joints": JointParams,
    "light": LightParams,
    "lamps": LampParams,
    "camera": CameraParams,
    "background": BackgroundParams,
    "lens": LensParams,
    "shutter": ShutterParams,
    "sensor": SensorParams,
    "depth": DepthParams,
}
# What their classes say in a sentence of their own.
_MEANINGS = {
    "joints.position": "position, radians, or metres when it is prismatic",
    "joints.velocity": "velocity, the same a second",
    "background.rgb": "colour, 0 to 1, multiplied with the texture",
    "background.texture": '"none", a texture\'s name, or a sky with a horizon that stays where it is',
}
_UNITS = (
    ("_rad_s", "rad/s"),
    ("_m_s", "m/s"),
    ("_per_m", "m at 1 m"),
    ("_rad", "rad"),
    ("_px", "px"),
    ("_ev", "stops"),
    ("_m", "m"),
    ("_s", "s"),
    ("_e", "electrons"),
)
_GREY = "grey levels"
_ODD_UNITS = {
    "sensor.noise": _GREY,
    "sensor.grain": _GREY,
    "joints.position": "rad or m",
    "joints.velocity": "rad/s or m/s",
}
_BLINN = "Blinn 1977"
_NGUYEN = "Nguyen, Izadi & Lovell 2012"
_KHOSHELHAM = "Khoshelham & Elberink 2012"
_SOURCES = {
    "bodies.specular": _BLINN,
    "bodies.roughness": _BLINN,
    "light.specular": _BLINN,
    "light.diffuse": "Lambert 1760",
    "light.rgb": "Planck's law, fit of Kim et al. 2006",
    "lamps.rgb": "Planck's law, fit of Kim et al. 2006",
    "light.size_rad": "Fernando 2005",
    "lamps.radius_m": "Fernando 2005",
    "camera.distortion_shift": "Brown 1966; Kannala & Brandt 2006",
    "lens.aperture_m": "Potmesil & Chakravarty 1981",
    "lens.focus_m": "Potmesil & Chakravarty 1981",
    "lens.chromatic": "Mallon & Whelan 2007",
    "shutter.exposure_s": "Brooks & Barron 2019",
    "shutter.readout_s": "Meingast, Geyer & Sastry 2005",
    "sensor.haze": "Koschmieder 1924",
    "sensor.vignetting": "Goldman 2010",
    "sensor.auto_white_balance": "Buchsbaum 1980",
    "sensor.full_well_e": "EMVA 1288",
    "sensor.read_noise_e": "EMVA 1288",
    "sensor.bayer": "Bayer 1976",
    "depth.noise_m": _NGUYEN,
    "depth.noise_per_m": _NGUYEN,
    "depth.lateral_px": _NGUYEN,
    "depth.step_per_m": _KHOSHELHAM,
}


@dataclass(frozen=True)
class Axis:
    """One thing that varies.

    Attributes:
        target: `bodies.@ROLE.field`, `joints.*.field`, `lamps.*.field` or a path; the first that the rig has is shown.
        needs: what else must be so for it to be seen; "{owner}" is the body, joint or lamp itself.
        ends: which end of its range each element of a vector takes for "high", 1 or -1; 0 for the middle.
    """

    target: str
    needs: Mapping[str, Any] = field(default_factory=dict)
    ends: tuple[int, ...] = ()

    @property
    def key(self) -> str:
        """Return group and field: `bodies.rgb`."""
        parts = self.target.split(".")
        return f"{parts[0]}.{parts[-1]}"

    @property
    def meaning(self) -> str:
        """Return what it is, from the docstring of its class."""
        group, name = self.key.split(".")
        return _MEANINGS.get(self.key) or _attributes(_KINDS[group])[name]

    @property
    def unit(self) -> str:
        """Return its unit, or nothing for a plain number, a name or a switch."""
        if self.key in _ODD_UNITS:
            return _ODD_UNITS[self.key]
        return next((unit for ending, unit in _UNITS if self.key.endswith(ending)), "")

    @property
    def source(self) -> str:
        """Return where the model is from, or nothing."""
        return _SOURCES.get(self.key, "")


def _attributes(kind: type[Any]) -> dict[str, str]:
    """Return what the docstring of a dataclass says about each field."""
    _, _, text = (inspect.getdoc(kind) or "").partition("Attributes:")
    entries = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", text, re.MULTILINE)
    return {name: " ".join(said.split()).rstrip(".") for name, said in entries}


def _of(prefix: str, names: str, needs: Mapping[str, Any] | None = None, ends: tuple[int, ...] = ()) -> list[Axis]:
    return [Axis(f"{prefix}.{name}", needs or {}, ends) for name in names.split()]


_SHINE = {"light.specular": 0.9}
_LIT = {"{owner}.present": True, "light.elevation_rad": 0.12, "light.diffuse": 0.9, "light.ambient": 0.35}
_SHADE = {"light.elevation_rad": 0.8, "light.diffuse": 0.6, "light.ambient": 0.4}
_TIME = {"shutter.exposure_s": 0.033}
_MOVE = {"camera.velocity_m_s": (0.1, 0.0, 0.0), "camera.angular_velocity_rad_s": (0.0, 0.2, 0.4)}
_ACROSS = (1, -1, 1)

GROUPS: dict[str, list[Axis]] = {
    "looks": [
        *_of("bodies.@object", "rgb texture matte"),
        *_of("bodies.@surface", "rgb texture"),
        *_of("bodies.@robot", "rgb texture"),
        *_of("bodies.@distractor", "specular roughness metallic", _SHINE),
    ],
    "objects and shape": [
        *_of("bodies.@object", "position_m", None, _ACROSS),
        *_of("bodies.@object", "rpy_rad size_scale"),
        *_of("bodies.@object", "shape_scale", None, _ACROSS),
        *_of("bodies.@object", "present"),
        *_of("joints.*", "position"),
    ],
    "distractors": [
        *_of("bodies.@distractor", "present position_m rpy_rad size_scale"),
        *_of("bodies.@distractor", "shape_scale", None, _ACROSS),
        *_of("bodies.@distractor", "rgb texture"),
    ],
    "lights": [
        *_of("light", "azimuth_rad elevation_rad rgb ambient diffuse specular shadow shadow_strength size_rad", _SHADE),
        *_of("lamps.*", "present position_m rgb strength radius_m shadow", _LIT),
    ],
    "camera": _of("camera", "shift_m tilt_rad focal_scale principal_shift distortion_shift"),
    "lens and shutter": [
        *_of("lens", "aperture_m"),
        *_of("lens", "focus_m", {"lens.aperture_m": 0.005}),
        *_of("lens", "chromatic"),
        *_of("shutter", "exposure_s", _MOVE),
        *_of("shutter", "readout_s", {"camera.angular_velocity_rad_s": (0.0, 1.0, 0.0)}),
        *_of("camera", "velocity_m_s angular_velocity_rad_s", _TIME),
        *_of("bodies.@object", "velocity_m_s angular_velocity_rad_s", _TIME),
        *_of("joints.*", "velocity", _TIME),
    ],
    "sensor": [
        *_of("sensor", "exposure_ev"),
        *_of("sensor", "white_balance", None, (-1, 0, 1)),
        *_of("sensor", "saturation hue_rad gamma contrast haze shading vignetting blur_px noise grain jpeg_quality"),
        *_of("sensor", "channels"),
        *_of("sensor", "auto_exposure", {"light.ambient": 0.15, "light.diffuse": 0.15}),
        *_of("sensor", "auto_white_balance", {"light.rgb": (1.5, 0.9, 0.4)}),
        *_of("sensor", "shoulder", {"sensor.exposure_ev": 0.7}),
        *_of("sensor", "full_well_e"),
        *_of("sensor", "read_noise_e", {"sensor.full_well_e": 500.0}),
        *_of("sensor", "bayer"),
    ],
    "background": _of("background", "rgb texture"),
    "depth": _of("depth", "noise_m noise_per_m step_per_m edge_px lateral_px dropout near_m far_m"),
}
# How much closer the pictures of a group are cut out around the object.
ZOOM = {"looks": 2.0, "distractors": 1.5, "lights": 1.6, "lens and shutter": 2.0, "depth": 1.8}


def fields_of_world() -> set[str]:
    """Return group and field of every axis that a world has."""
    return {
        f"{group}.{f.name}"
        for group, kind in _KINDS.items()
        for f in dataclasses.fields(kind)
        if f.name not in ("name", "role")
    }
