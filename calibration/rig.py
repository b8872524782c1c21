"""A station, described in a short TOML file: robot, bodies, camera, light, label."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from calibration.bodies import ZERO, Body, Joint, Range, Robot, Vector3
from calibration.camera import CameraIntrinsics, LensModel
from calibration.measured import Measured
from calibration.pose import Pose, look_at


@dataclass(frozen=True)
class Camera:
    """The camera: intrinsics by `focal_px` or by `vertical_fov_rad`; pose by position and direction.

    The lens is a pinhole, with five numbers of distortion or the eight of the rational model, or a fisheye with k1 k2
    k3 k4 and a 0, as of `CameraIntrinsics`.

    The three uncertainties are one standard deviation each: they are the default widths of the camera's
    randomization and the prior when the camera is refined.
    """

    image_size_px: tuple[int, int]
    position_m: Vector3
    look_at_m: Vector3 | None = None
    quat_xyzw: tuple[float, float, float, float] | None = None
    focal_px: tuple[float, float] | None = None
    vertical_fov_rad: float | None = None
    principal_point_px: tuple[float, float] | None = None
    distortion: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0, 0.0)
    lens: LensModel = "pinhole"
    position_std_m: float = 0.02
    rotation_std_rad: float = 0.02
    focal_std: float = 0.02

    def __post_init__(self) -> None:
        """Check that intrinsics and direction are given once, in radians and pixels."""
        if (self.focal_px is None) == (self.vertical_fov_rad is None):
            raise ValueError("give one of focal_px and vertical_fov_rad")
        if (self.look_at_m is None) == (self.quat_xyzw is None):
            raise ValueError("give one of look_at_m and quat_xyzw")
        fov = self.vertical_fov_rad
        if fov is not None and not 0.0 < fov < math.pi:
            raise ValueError(f"vertical_fov_rad must lie between 0 and pi, got {fov:g}; is it in degrees?")
        if min(self.position_std_m, self.rotation_std_rad, self.focal_std) < 0:
            raise ValueError("position_std_m, rotation_std_rad and focal_std must be 0 or more")
        if self.rotation_std_rad > 1.0:
            raise ValueError(f"rotation_std_rad must be below 1, got {self.rotation_std_rad:g}; is it in degrees?")
        self.intrinsics()
        self.world_from_camera()

    def intrinsics(self) -> CameraIntrinsics:
        """Return the nominal intrinsics."""
        width, height = self.image_size_px
        if self.focal_px is None:
            camera = CameraIntrinsics.from_vertical_fov(width, height, self.vertical_fov_rad or 1.0)
            fx, fy = camera.fx_px, camera.fy_px
        else:
            fx, fy = self.focal_px
        cx, cy = self.principal_point_px or ((width - 1) / 2, (height - 1) / 2)
        return CameraIntrinsics(width, height, fx, fy, cx, cy, self.distortion, self.lens)

    def world_from_camera(self) -> Pose:
        """Return the nominal pose."""
        if self.quat_xyzw is not None:
            return Pose("world", "camera", self.position_m, self.quat_xyzw)
        return look_at(self.position_m, self.look_at_m or ZERO)


@dataclass(frozen=True)
class MountedCamera(Camera):
    """One more camera, which tasks can see through; its pose is in the frame of its parent.

    Attributes:
        name: unique; "main" is the station's own camera.
        parent: "world", or a link of the URDF that carries it.
    """

    name: str = ""
    parent: str = "world"

    def __post_init__(self) -> None:
        """Check the name, and what every camera is checked for."""
        if not self.name.isidentifier() or self.name == "main":
            raise ValueError(f"a camera needs a name of its own of letters, digits and _, got '{self.name}'")
        super().__post_init__()


@dataclass(frozen=True)
class Light:
    """The nominal light: azimuth about z from x and elevation above the horizon, towards the light."""

    azimuth_rad: float = 0.6
    elevation_rad: float = 1.0
    ambient: float = 0.6
    diffuse: float = 0.35
    specular: float = 0.05


@dataclass(frozen=True)
class Placement:
    """Where a body may stand (centre, in its parent's frame) or how far a joint may turn."""

    body: str | None = None
    joint: str | None = None
    x_m: Range | None = None
    y_m: Range | None = None
    z_m: Range | None = None
    yaw_rad: Range = (0.0, 0.0)
    range: Range | None = None

    def __post_init__(self) -> None:
        """Check that it speaks of a body or of a joint."""
        if (self.body is None) == (self.joint is None):
            raise ValueError("give one of body and joint")
        needed = ("x_m", "y_m", "z_m") if self.joint is None else ("range",)
        for name in needed:
            value = getattr(self, name)
            if value is None or value[0] > value[1]:
                raise ValueError(f"{name} must be [low, high], got {value}")


@dataclass(frozen=True)
class Distractors:
    """Bodies that are not in the station and may appear anywhere in a box of the world, metres."""

    count: int
    x_m: Range
    y_m: Range
    z_m: Range
    size_m: Range = (0.01, 0.15)


@dataclass(frozen=True)
class Keypoint:
    """A point that the model finds in the picture: fixed to a body, a joint's frame or a URDF link."""

    name: str
    frame: str
    point_m: Vector3 = ZERO


@dataclass(frozen=True)
class Label:
    """What is learned and scored.

    Attributes:
        name: for people, such as "cube position".
        frame: the frame of the values.
        columns: columns of labels.csv with the scored values, in metres.
        components: short names of the same values.
        point_columns: columns of the full point, used to find its pixel; defaults to `columns`.
        lift: how pixels become the label: "plane" (the keypoint lies at `plane_z_m` of the label frame),
            "pnp" (all keypoints belong to one rigid body) or "joints" (solve the joints that explain them).
        plane_z_m: for lift "plane".
        point_m: for lifts "pnp" and "joints": the label point in `point_frame`.
        point_frame: body or joint frame of `point_m`.
        std_m: how well the labels of real frames are known, one standard deviation per axis.
        display_unit: unit in tables and reports: m, cm or mm.
    """

    name: str
    frame: str
    columns: tuple[str, ...]
    components: tuple[str, ...]
    lift: Literal["plane", "pnp", "joints"]
    point_columns: tuple[str, str, str] | None = None
    plane_z_m: float | None = None
    point_frame: str | None = None
    point_m: Vector3 = ZERO
    std_m: float = 0.005
    display_unit: Literal["m", "cm", "mm"] = "cm"

    def __post_init__(self) -> None:
        """Check that the parts fit each other."""
        if len(self.columns) != len(self.components) or not self.columns:
            raise ValueError(f"columns and components must have the same length, got {self.columns}, {self.components}")
        if not 0.0 < self.std_m < 1.0:
            raise ValueError(f"std_m must lie between 0 and 1 m, got {self.std_m:g}")
        if self.lift == "plane" and self.plane_z_m is None:
            raise ValueError("lift 'plane' needs plane_z_m")
        if self.lift != "plane" and self.point_frame is None:
            raise ValueError(f"lift '{self.lift}' needs point_frame")
        if self.point_columns is None and len(self.columns) != 3:
            raise ValueError("point_columns must name the columns of x, y, z when fewer than three are scored")


@dataclass(frozen=True)
class Data:
    """How labels.csv is read, and the default way to split it.

    Attributes:
        image_column: file of the photograph.
        visible_column: column that says how much of the target is seen, when there is one.
        hidden_values: values of it that mean "not in the picture".
        group_column: rows with one value of it are never divided between fitting and scoring.
        test_groups: the groups that are held out by default; empty: the last third, in the file's order.
    """

    image_column: str = "file"
    visible_column: str | None = None
    hidden_values: tuple[str, ...] = ()
    group_column: str | None = None
    test_groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rig:
    """A whole station.

    `folder` is where relative paths in it start; `records` are files of calibration, which set `measured` and the
    values that they are about.
    """

    name: str
    description: str
    camera: Camera
    label: Label
    keypoints: tuple[Keypoint, ...]
    bodies: tuple[Body, ...]
    format: int = 1
    label_frame_position_m: Vector3 = ZERO
    label_frame_rpy_rad: Vector3 = ZERO
    robot: Robot | None = None
    cameras: tuple[MountedCamera, ...] = ()
    joints: tuple[Joint, ...] = ()
    light: Light = field(default_factory=Light)
    placements: tuple[Placement, ...] = ()
    distractors: Distractors | None = None
    data: Data = field(default_factory=Data)
    input_size_px: tuple[int, int] = (160, 120)
    alignment_body: str | None = None
    preset: str = "wide"
    records: tuple[str, ...] = ()
    measured: tuple[Measured, ...] = ()
    folder: Path = Path()

    def world_from_label_frame(self) -> Pose:
        """Return where the label's frame is in the world."""
        return Pose.from_rpy("world", self.label.frame, self.label_frame_position_m, self.label_frame_rpy_rad)

    def body(self, name: str) -> Body:
        """Return the body of this name; KeyError when there is none."""
        for body in self.bodies:
            if body.name == name:
                return body
        raise KeyError(name)

    def camera_named(self, name: str) -> Camera:
        """Return the camera of this name; KeyError when there is none."""
        for camera in self.cameras:
            if camera.name == name:
                return camera
        if name != "main":
            raise KeyError(name)
        return self.camera

    def input_camera(self) -> CameraIntrinsics:
        """Return the nominal intrinsics at the size that the model sees."""
        return self.camera.intrinsics().resized(*self.input_size_px)
