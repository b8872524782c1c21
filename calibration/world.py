"""Everything about a station that can be measured or varied, with units.

Calibration estimates these values, randomization draws them, the simulator is a deterministic function of
them.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, TypeVar

from calibration.optics import DepthParams, LensParams, SensorParams, ShutterParams
from calibration.physics import (
    ActuationParams,
    ContactParams,
    FrameParams,
    GravityParams,
    MassParams,
    MotorParams,
    MountParams,
    ObservationParams,
    PushParams,
)

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
        shape_scale: factors along the body's own axes, on top of that.
        rgb: surface colour, 0 to 1, multiplied with the texture.
        texture: "none" or a texture's name.
        present: whether the body is in the world at all.
        specular: factor on the light's mirror-like reflection.
        roughness: 0 mirror to 1 matte: width of the highlights.
        metallic: 0 plastic to 1 metal: how much of the matte reflection is lost, and highlights take the body's colour.
        matte: whether the body shows the background in place of itself, darkened where shadows fall on it; for objects
            that are drawn over a photograph of the empty station.
        velocity_m_s: of its origin, in the frame of the parent.
        angular_velocity_rad_s: rotation vector a second, in the frame of the parent.
    """

    name: str
    role: str
    position_m: Vector3 = (0.0, 0.0, 0.0)
    rpy_rad: Vector3 = (0.0, 0.0, 0.0)
    size_scale: float = 1.0
    shape_scale: Vector3 = (1.0, 1.0, 1.0)
    rgb: Vector3 = (0.7, 0.7, 0.7)
    texture: str = "none"
    present: bool = True
    specular: float = 1.0
    roughness: float = 0.5
    metallic: float = 0.0
    matte: bool = False
    velocity_m_s: Vector3 = (0.0, 0.0, 0.0)
    angular_velocity_rad_s: Vector3 = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class JointParams:
    """One joint: `position` in radians, or metres when it is prismatic; `velocity` the same a second."""

    name: str
    position: float = 0.0
    velocity: float = 0.0


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
        shadow_strength: share of its light that a shadow takes away, 0 to 1.
        size_rad: angular radius of the source; the larger, the softer the edge of a shadow.
    """

    azimuth_rad: float = 0.6
    elevation_rad: float = 1.0
    rgb: Vector3 = (1.0, 1.0, 1.0)
    ambient: float = 0.6
    diffuse: float = 0.35
    specular: float = 0.05
    shadow: bool = True
    shadow_strength: float = 0.8
    size_rad: float = 0.0


@dataclass(frozen=True)
class LampParams:
    """One more light, at a place in the room; its light falls off with the square of the distance.

    Attributes:
        name: unique in the world.
        present: whether it is on.
        position_m: in the world.
        rgb: colour, 1 is white.
        strength: matte and mirror-like reflection at one metre, as a factor on the main light's; at most 1 nearer.
        radius_m: of the source; the larger, the softer the edge of a shadow.
        shadow: whether bodies cast shadows in its light.
    """

    name: str
    present: bool = False
    position_m: Vector3 = (0.0, 0.0, 2.0)
    rgb: Vector3 = (1.0, 1.0, 1.0)
    strength: float = 1.0
    radius_m: float = 0.0
    shadow: bool = True


@dataclass(frozen=True)
class CameraParams:
    """How far the camera is from the rig's nominal one.

    Attributes:
        shift_m: displacement along the nominal camera's own x, y, z.
        tilt_rad: rotation vector about the nominal camera's own axes.
        focal_scale: factor on both focal lengths.
        principal_shift: displacement of the principal point, as shares of the image's width and height.
        distortion_shift: added to k1 k2 p1 p2 k3 (for a fisheye lens: k1 k2 k3 k4 and nothing).
        velocity_m_s: along the camera's own axes.
        angular_velocity_rad_s: rotation vector a second about its own axes.
    """

    shift_m: Vector3 = (0.0, 0.0, 0.0)
    tilt_rad: Vector3 = (0.0, 0.0, 0.0)
    focal_scale: float = 1.0
    principal_shift: tuple[float, float] = (0.0, 0.0)
    distortion_shift: tuple[float, float, float, float, float] = (0.0, 0.0, 0.0, 0.0, 0.0)
    velocity_m_s: Vector3 = (0.0, 0.0, 0.0)
    angular_velocity_rad_s: Vector3 = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class BackgroundParams:
    """What is seen where no body is: a colour 0 to 1, multiplied with a texture unless that is "none".

    A texture named `sky:NUMBER` is a sky with a horizon that stays where it is when the camera turns.
    """

    rgb: Vector3 = (0.6, 0.6, 0.65)
    texture: str = "none"


@dataclass(frozen=True)
class WorldParams:
    """A whole world. Paths name its values: `bodies.cube.rgb`, `joints.q1.position`, `light.ambient`.

    A world of single frames has no physical values: `contacts`, `masses`, `motors` and `mounts` are empty, and the
    groups from `gravity` on are None.
    """

    bodies: tuple[BodyParams, ...] = ()
    joints: tuple[JointParams, ...] = ()
    light: LightParams = field(default_factory=LightParams)
    lamps: tuple[LampParams, ...] = ()
    camera: CameraParams = field(default_factory=CameraParams)
    background: BackgroundParams = field(default_factory=BackgroundParams)
    lens: LensParams = field(default_factory=LensParams)
    shutter: ShutterParams = field(default_factory=ShutterParams)
    sensor: SensorParams = field(default_factory=SensorParams)
    depth: DepthParams = field(default_factory=DepthParams)
    contacts: tuple[ContactParams, ...] = ()
    masses: tuple[MassParams, ...] = ()
    motors: tuple[MotorParams, ...] = ()
    mounts: tuple[MountParams, ...] = ()
    gravity: GravityParams | None = None
    actuation: ActuationParams | None = None
    observation: ObservationParams | None = None
    frames: FrameParams | None = None
    pushes: PushParams | None = None
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


_COLLECTIONS = ("bodies", "joints", "lamps", "contacts", "masses", "motors", "mounts")
_GROUPS = (
    *("light", "camera", "background", "lens", "shutter", "sensor", "depth"),
    *("gravity", "actuation", "observation", "frames", "pushes"),
)
# What a world of single frames does not have.
PHYSICAL = ("contacts", "masses", "motors", "mounts", "gravity", "actuation", "observation", "frames", "pushes")
_NOT_VARIED = ("name", "role")


def paths(world: WorldParams) -> dict[str, Any]:
    """Return every path of the world that can be varied, with its value."""
    found: dict[str, Any] = {}
    for collection in _COLLECTIONS:
        for item in getattr(world, collection):
            for f in dataclasses.fields(item):
                if f.name not in _NOT_VARIED:
                    found[f"{collection}.{item.name}.{f.name}"] = getattr(item, f.name)
    for group in _GROUPS:
        value = getattr(world, group)
        for f in dataclasses.fields(value) if value is not None else ():
            found[f"{group}.{f.name}"] = getattr(value, f.name)
    return found


def changed_values(world: WorldParams, nominal: dict[str, Any]) -> dict[str, Any]:
    """Return the paths of a world whose values differ from nominal ones, which `paths` gave, with its values.

    Raises:
        ValueError: the worlds have different paths.
    """
    values = paths(world)
    if values.keys() != nominal.keys():
        other = min(values.keys() ^ nominal.keys())
        raise ValueError(f"the world must have the paths of the nominal one, {other} is in one only")
    # 0.0 and -0.0 are equal, and not the same.
    return {p: v for p, v in values.items() if repr(v) != repr(nominal[p])}


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
    for collection in _COLLECTIONS:
        owners = {o[1]: v for o, v in grouped.items() if len(o) == 2 and o[0] == collection}
        if owners:
            items = getattr(world, collection)
            unknown = set(owners) - {item.name for item in items}
            if unknown:
                raise KeyError(f"{collection}.{min(unknown)}")
            changes[collection] = tuple(_replace(item, owners.pop(item.name, {})) for item in items)
    for owner_path, fields in grouped.items():
        if len(owner_path) == 1 and owner_path[0] in _GROUPS and getattr(world, owner_path[0]) is not None:
            changes[owner_path[0]] = _replace(getattr(world, owner_path[0]), fields)
        elif len(owner_path) != 2 or owner_path[0] not in _COLLECTIONS:
            raise KeyError(".".join((*owner_path, *fields)))
    return dataclasses.replace(world, **changes)


def _replace(item: T, fields: dict[str, Any]) -> T:
    known = {f.name for f in dataclasses.fields(item)}  # type: ignore[arg-type]
    unknown = set(fields) - known
    if unknown:
        raise KeyError(f"{type(item).__name__}.{min(unknown)}")
    return dataclasses.replace(item, **fields) if fields else item  # type: ignore[type-var]
