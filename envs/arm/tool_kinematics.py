"""Where an arm's tool is, and the joints that bring it somewhere else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.errors import InputError
from calibration.kinematics import kinematic_chain
from calibration.rig import Rig
from envs.arm.inverse_kinematics import solve, tool_pose

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Limits:
    """Of joints in the order of `ToolKinematics.joints`: radians, or metres for prismatic ones."""

    low: Float
    high: Float


class ToolKinematics:
    """The serial chain from the world to the tool of a rig's arm.

    Attributes:
        joints: names of the joints on the way to the tool, from the base on.
        approach_only: whether the arm has fewer than six joints; then the tool's own z axis keeps its angle to the
            vertical; where it points straight down it keeps its direction, and the tool turns about it as it must.
    """

    def __init__(self, rig: Rig, limits: dict[str, tuple[float, float]]) -> None:
        """Read the chain.

        Args:
            rig: with a robot that names its tool.
            limits: of each moving joint by name.

        Raises:
            InputError: the rig names no tool link, or one that the URDF does not have.
        """
        robot = rig.robot
        if robot is None or robot.tool_link is None:
            raise InputError(f"rig {rig.name}: tasks need [robot] with tool_link, the link that reaches and grasps")
        links = {link.child: link for link in kinematic_chain(rig)}
        if robot.tool_link not in links:
            raise InputError(
                f"rig {rig.name}: robot.tool_link must be a link of the URDF, got '{robot.tool_link}'; "
                f"known: {', '.join(links)}"
            )
        chain = []
        at = robot.tool_link
        while at != "world":
            chain.append(links[at])
            at = links[at].parent
        chain.reverse()
        self.joints = tuple(link.joint for link in chain if link.joint is not None)
        self.approach_only = len(self.joints) < 6
        self.limits = Limits(
            np.array([limits[j][0] for j in self.joints]), np.array([limits[j][1] for j in self.joints])
        )
        self._offset = np.ascontiguousarray([link.offset[:3] for link in chain])
        self._kind = np.array([0 if link.joint is None else 2 if link.prismatic else 1 for link in chain], np.int64)
        self._axis = np.ascontiguousarray([link.axis for link in chain])
        self._point = np.array(robot.tool_point_m)
        self._scratch = np.zeros(400)

    def pose(self, positions: Float) -> tuple[Float, Float]:
        """Return the tool's position (3,) and rotation (3, 3) in the world for joint positions (J,)."""
        position, rotation, _ = self.pose_and_jacobian(positions)
        return position, rotation

    def jacobian(self, positions: Float) -> Float:
        """Return (6, J): the tool's velocity and angular velocity in the world for a unit of each joint's speed."""
        return self.pose_and_jacobian(positions)[2]

    def pose_and_jacobian(self, positions: Float) -> tuple[Float, Float, Float]:
        """Return the tool's position (3,), its rotation (3, 3) and the Jacobian (6, J), at the cost of one."""
        rotation, position, jacobian = np.empty((3, 3)), np.empty(3), np.empty((6, len(self.joints)))
        tool_pose(self._offset, self._kind, self._axis, self._point, positions, rotation, position, jacobian)
        return position, rotation, jacobian

    def reach(self, start: Float, position: Float, rotation: Float, rest: Float, iterations: int = 3) -> Float:
        """Return joint positions (J,) that bring the tool near a pose.

        Damped least squares (Wampler 1986; Nakamura & Hanafusa 1986) from `start`, within the joints' limits; what the
        pose leaves free goes towards `rest`.

        Args:
            start: joint positions (J,) to begin from.
            position: of the tool in the world, metres.
            rotation: (3, 3) of the tool.
            rest: joint positions (J,).
            iterations: Gauss-Newton steps; three suffice for the way of one control period.
        """
        result = np.empty_like(start)
        solve(
            self._offset,
            self._kind,
            self._axis,
            self._point,
            start,
            position,
            rotation,
            rest,
            self.limits.low,
            self.limits.high,
            iterations,
            self.approach_only,
            self._scratch,
            result,
        )
        return result
