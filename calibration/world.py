"""Everything about a station that can be measured or varied, with units.

Calibration estimates these values, randomization draws them, the simulator is a deterministic function of
them.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, TypeVar

Vector3 = tuple[float, float, float]
T = TypeVar("T")


@dataclass(frozen=True)
class BodyParams:
    """One rigid body.

    Attributes:
        name: unique in the world.
        role: object, surface, robot, background or distractor; channels can address a role.
        position_m: in the frame of the body's parent.
        rpy_rad: fixed-axis roll, pitch, yaw in the frame of the parent.
        size_scale: factor on every length of the body.
        rgb: surface colour, 0 to 1, multiplied with the texture.
        texture: "none" or a texture's name.
        present: whether the body is in the world at all.
    """

    name: str
    role: str
    position_m: Vector3 = (0.0, 0.0, 0.0)
    rpy_rad: Vector3 = (0.0, 0.0, 0.0)
    size_scale: float = 1.0
    rgb: Vector3 = (0.7, 0.7, 0.7)
    texture: str = "none"
    present: bool = True


@dataclass(frozen=True)
class JointParams:
    """One joint: `position` in radians, or metres when it is prismatic."""

    name: str
    position: float = 0.0


@dataclass(frozen=True)
class LightParams:
    """One distant light.

    Attributes:
        azimuth_rad: direction towards the light about z, from x.
        elevation_rad: direction towards the light above the horizon.
        rgb: colour, 1 is white.
        ambient: light that comes from everywhere.
        diffuse: strength of matte reflection.
        specular: strength of mirror-like reflection.
        shadow: whether bodies cast shadows.
    """

    azimuth_rad: float = 0.6
    elevation_rad: float = 1.0
    rgb: Vector3 = (1.0, 1.0, 1.0)
    ambient: float = 0.6
    diffuse: float = 0.35
    specular: float = 0.05
    shadow: bool = True


@dataclass(frozen=True)
class CameraParams:
    """How far the camera is from the rig's nominal one.

    Attributes:
        shift_m: displacement along the nominal camera's own x, y, z.
        tilt_rad: rotation vector about the nominal camera's own axes.
        focal_scale: factor on both focal lengths.
    """

    shift_m: Vector3 = (0.0, 0.0, 0.0)
    tilt_rad: Vector3 = (0.0, 0.0, 0.0)
    focal_scale: float = 1.0


@dataclass(frozen=True)
class BackgroundParams:
    """What is seen where no body is: a colour 0 to 1, multiplied with a texture unless that is "none"."""

    rgb: Vector3 = (0.6, 0.6, 0.65)
    texture: str = "none"


@dataclass(frozen=True)
class SensorParams:
    """What the camera makes of the light.

    Attributes:
        exposure_ev: brightness change in stops, before clipping.
        white_balance: gain per channel.
        saturation: 0 grey, 1 as it is.
        hue_rad: rotation of hue about the grey axis.
        gamma: exponent on values 0 to 1.
        contrast: factor about middle grey.
        haze: share of a flat grey veil laid over the picture, 0 to 1.
        shading: strength of smooth uneven light over the picture, as a lamp or a window leaves it; its
            pattern is random.
        vignetting: share of light lost in the corners, 0 to 1.
        blur_px: standard deviation of a Gaussian, in pixels of the output image.
        noise: standard deviation of independent Gaussian noise per channel, grey levels of 255.
        grain: the same for noise that is two pixels wide, as left by demosaicing and compression.
        jpeg_quality: 1 to 100; 100 means no compression at all.
        channels: order in which the channels arrive; anything but "rgb" is a fault.
    """

    exposure_ev: float = 0.0
    white_balance: Vector3 = (1.0, 1.0, 1.0)
    saturation: float = 1.0
    hue_rad: float = 0.0
    gamma: float = 1.0
    contrast: float = 1.0
    haze: float = 0.0
    shading: float = 0.0
    vignetting: float = 0.0
    blur_px: float = 0.0
    noise: float = 0.0
    grain: float = 0.0
    jpeg_quality: float = 100.0
    channels: str = "rgb"


@dataclass(frozen=True)
class WorldParams:
    """A whole world. Paths name its values: `bodies.cube.rgb`, `joints.q1.position`, `light.ambient`."""

    bodies: tuple[BodyParams, ...] = ()
    joints: tuple[JointParams, ...] = ()
    light: LightParams = field(default_factory=LightParams)
    camera: CameraParams = field(default_factory=CameraParams)
    background: BackgroundParams = field(default_factory=BackgroundParams)
    sensor: SensorParams = field(default_factory=SensorParams)
    noise_seed: int = 0

    def body(self, name: str) -> BodyParams:
        """Return the body of this name; KeyError when there is none."""
        for body in self.bodies:
            if body.name == name:
                return body
        raise KeyError(name)

    def joint_positions(self) -> dict[str, float]:
        """Return joint positions by name."""
        return {joint.name: joint.position for joint in self.joints}


_GROUPS = ("light", "camera", "background", "sensor")
_NOT_VARIED = ("name", "role")


def paths(world: WorldParams) -> dict[str, Any]:
    """Return every path of the world that can be varied, with its value."""
    found: dict[str, Any] = {}
    for collection in ("bodies", "joints"):
        for item in getattr(world, collection):
            for f in dataclasses.fields(item):
                if f.name not in _NOT_VARIED:
                    found[f"{collection}.{item.name}.{f.name}"] = getattr(item, f.name)
    for group in _GROUPS:
        for f in dataclasses.fields(getattr(world, group)):
            found[f"{group}.{f.name}"] = getattr(getattr(world, group), f.name)
    return found


def with_values(world: WorldParams, values: dict[str, Any]) -> WorldParams:
    """Return the world with the values at these paths replaced; the given one is unchanged.

    Raises:
        KeyError: a path that the world does not have.
    """
    grouped: dict[tuple[str, ...], dict[str, Any]] = {}
    for path, value in values.items():
        *owner, name = path.split(".")
        grouped.setdefault(tuple(owner), {})[name] = value
    changes: dict[str, Any] = {}
    for collection in ("bodies", "joints"):
        owners = {o[1]: v for o, v in grouped.items() if len(o) == 2 and o[0] == collection}
        if owners:
            items = getattr(world, collection)
            unknown = set(owners) - {item.name for item in items}
            if unknown:
                raise KeyError(f"{collection}.{min(unknown)}")
            changes[collection] = tuple(_replace(item, owners.pop(item.name, {})) for item in items)
    for owner_path, fields in grouped.items():
        if len(owner_path) == 1 and owner_path[0] in _GROUPS:
            changes[owner_path[0]] = _replace(getattr(world, owner_path[0]), fields)
        elif len(owner_path) != 2 or owner_path[0] not in ("bodies", "joints"):
            raise KeyError(".".join((*owner_path, *fields)))
    return dataclasses.replace(world, **changes)


def _replace(item: T, fields: dict[str, Any]) -> T:
    known = {f.name for f in dataclasses.fields(item)}  # type: ignore[arg-type]
    unknown = set(fields) - known
    if unknown:
        raise KeyError(f"{type(item).__name__}.{min(unknown)}")
    return dataclasses.replace(item, **fields) if fields else item  # type: ignore[type-var]
