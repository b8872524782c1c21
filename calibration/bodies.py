"""The bodies, joints and arms that a station is made of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Vector3 = tuple[float, float, float]
Range = tuple[float, float]
Role = Literal["object", "surface", "robot", "background"]

ZERO: Vector3 = (0.0, 0.0, 0.0)
LARGEST_LENGTH_M = 50.0


@dataclass(frozen=True)
class Joint:
    """A joint of an arm made of primitive bodies; its name is also the frame that it moves.

    Attributes:
        name: frame after the joint.
        parent: frame before it: "world" or another joint.
        type: revolute (radians) or prismatic (metres).
        axis: unit vector in the joint's frame.
        position_m: the joint's frame at zero, in the parent.
        rpy_rad: the joint's frame at zero, in the parent.
        limits: lowest and highest position.
        column: the column of labels.csv that holds its position, when there is one.
    """

    name: str
    parent: str
    type: Literal["revolute", "prismatic"]
    axis: Vector3
    limits: Range
    position_m: Vector3 = ZERO
    rpy_rad: Vector3 = ZERO
    column: str | None = None

    def __post_init__(self) -> None:
        """Check axis and limits."""
        if abs(math.hypot(*self.axis) - 1.0) > 1e-6:
            raise ValueError(f"axis must have length 1, got {list(self.axis)}")
        if not self.limits[0] < self.limits[1]:
            raise ValueError(f"limits must be [low, high], got {list(self.limits)}")


@dataclass(frozen=True)
class Body:
    """A primitive body.

    Attributes:
        name: unique.
        role: what it is for randomization.
        shape: box (`size_m`), sphere (`radius_m`) or cylinder along z (`radius_m`, `length_m`).
        parent: frame that it is fixed to: "world" or a joint.
        position_m: its centre in the parent.
        rpy_rad: its orientation in the parent.
        rgb: nominal colour, 0 to 1.
        size_uncertainty: half-width of its relative size, such as 0.1 for 10 %.
        mass_kg: nominal mass; what stands still in the world does not use it.
        friction: nominal coefficient of lateral (Coulomb) friction; a contact has the product of its two bodies'.
    """

    name: str
    role: Role
    shape: Literal["box", "sphere", "cylinder"]
    size_m: Vector3 | None = None
    radius_m: float | None = None
    length_m: float | None = None
    parent: str = "world"
    position_m: Vector3 = ZERO
    rpy_rad: Vector3 = ZERO
    rgb: Vector3 = (0.7, 0.7, 0.7)
    size_uncertainty: float = 0.0
    mass_kg: float = 0.1
    friction: float = 1.0

    def __post_init__(self) -> None:
        """Check that the sizes fit the shape and are lengths in metres."""
        needed = {"box": ("size_m",), "sphere": ("radius_m",), "cylinder": ("radius_m", "length_m")}[self.shape]
        for name in ("size_m", "radius_m", "length_m"):
            value = getattr(self, name)
            if (value is not None) != (name in needed):
                raise ValueError(f"a {self.shape} needs {' and '.join(needed)}, not {name}")
            for length in value if isinstance(value, tuple) else () if value is None else (value,):
                if not length > 0:
                    raise ValueError(f"{name} must be more than 0 m, got {length:g}")
                if length > LARGEST_LENGTH_M:
                    raise ValueError(f"{name} must be at most {LARGEST_LENGTH_M:g} m, got {length:g}; is it in mm?")
        if not 0.0 <= self.size_uncertainty < 0.5:
            raise ValueError(f"size_uncertainty is relative, 0 to 0.5, got {self.size_uncertainty:g}")
        if not self.mass_kg > 0:
            raise ValueError(f"mass_kg must be more than 0, got {self.mass_kg:g}")
        if self.friction < 0:
            raise ValueError(f"friction must be 0 or more, got {self.friction:g}")

    def half_extents_m(self) -> Vector3:
        """Return half the size of the body's own bounding box, metres."""
        if self.size_m is not None:
            return (self.size_m[0] / 2, self.size_m[1] / 2, self.size_m[2] / 2)
        radius = self.radius_m or 0.0
        return (radius, radius, radius if self.length_m is None else self.length_m / 2)


@dataclass(frozen=True)
class Gripper:
    """The joints that open and close, each with its position at both ends; they move together.

    Attributes:
        open: position of each joint when open, radians or metres.
        closed: position of the same joints when closed.
        force: highest force (N) or torque (N m) of each joint.
        friction: lateral friction coefficient of the links that these joints move.
        width_m: between the finger tips when open; 0: the sum of the joints' ways, which is right for prismatic ones.
    """

    open: Mapping[str, float]
    closed: Mapping[str, float]
    force: float = 40.0
    friction: float = 1.0
    width_m: float = 0.0

    def __post_init__(self) -> None:
        """Check that both ends name the same joints."""
        if not self.open or set(self.open) != set(self.closed):
            raise ValueError(
                f"open and closed must name the same joints, got {', '.join(self.open)} and {', '.join(self.closed)}"
            )
        if not self.force > 0:
            raise ValueError(f"force must be more than 0, got {self.force:g}")
        if self.width_m < 0:
            raise ValueError(f"width_m must be 0 or more, got {self.width_m:g}")

    def open_width_m(self) -> float:
        """Return the width between the finger tips when open."""
        return self.width_m or sum(abs(self.open[name] - self.closed[name]) for name in self.open)


@dataclass(frozen=True)
class Workspace:
    """Where the tool may go, a box in the world, metres."""

    x_m: Range
    y_m: Range
    z_m: Range

    def __post_init__(self) -> None:
        """Check that each range is one."""
        for name in ("x_m", "y_m", "z_m"):
            low, high = getattr(self, name)
            if not low < high:
                raise ValueError(f"{name} must be [low, high], got [{low:g}, {high:g}]")


@dataclass(frozen=True)
class Robot:
    """An arm by URDF: a path from the rig file's folder, `pybullet_data:...` or `calibration:...` for what is shipped.

    Attributes:
        urdf: the file.
        position_m: of its base in the world.
        rpy_rad: of its base in the world.
        joints: home position of each joint; 0 for one that is left out.
        joint_uncertainty_rad: one standard deviation of the joints about that, for perception.
        start: position of joints at the beginning of a task, where that is not `joints`; the tool keeps the orientation
            that it has there.
        hand_urdf: another URDF, for an arm whose own has no hand.
        hand_link: link of the arm that the hand's root is fixed to.
        hand_position_m: of the hand's root in that link.
        hand_rpy_rad: of the hand's root in that link.
        tool_link: the link that tasks move, such as "panda_grasptarget"; needed for tasks.
        tool_point_m: the point of that link between the fingers.
        gripper: what opens and closes, when there is something.
        workspace: where the tool may go; needed for tasks.
    """

    urdf: str
    position_m: Vector3 = ZERO
    rpy_rad: Vector3 = ZERO
    joints: Mapping[str, float] = field(default_factory=dict)
    joint_uncertainty_rad: float = 0.0
    start: Mapping[str, float] = field(default_factory=dict)
    hand_urdf: str | None = None
    hand_link: str | None = None
    hand_position_m: Vector3 = ZERO
    hand_rpy_rad: Vector3 = ZERO
    tool_link: str | None = None
    tool_point_m: Vector3 = ZERO
    gripper: Gripper | None = None
    workspace: Workspace | None = None

    def __post_init__(self) -> None:
        """Check that a hand has a place."""
        if (self.hand_urdf is None) != (self.hand_link is None):
            raise ValueError("hand_urdf and hand_link belong together: the file, and the link that it is fixed to")
