"""Observations and goals from readings; knows sensors, not the simulator."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from calibration.bodies import Gripper
from envs.arm.readings import Readings
from envs.arm.tool_kinematics import ToolKinematics

Float = NDArray[np.float64]


class Observer:
    """Turns readings into the vectors that policies see.

    The layout is panda-gym's: position and velocity of the tool, the width of the gripper where the task uses it, then
    position, roll-pitch-yaw, velocity and angular velocity of each object.
    """

    def __init__(
        self, kinematics: ToolKinematics, joints: tuple[str, ...], gripper: Gripper | None, objects: tuple[str, ...]
    ) -> None:
        """Find the joints.

        Args:
            kinematics: of the tool.
            joints: names of the joints in readings.
            gripper: whose width is observed; None where the task does not use it.
            objects: names of the bodies in readings.
        """
        self.kinematics = kinematics
        self._arm = np.array([joints.index(name) for name in kinematics.joints])
        names = list(gripper.open) if gripper is not None else []
        self._fingers = np.array([joints.index(name) for name in names], np.int64)
        if gripper is not None:
            self._closed = np.array([gripper.closed[name] for name in names])
            way = np.array([gripper.open[name] for name in names]) - self._closed
            # Of each joint's way, metres of width.
            self._share = gripper.open_width_m() / (len(names) * way)
        self.objects = objects
        # Observation, goal and reward of one step all ask for the tool.
        self._known: tuple[Readings, Float, Float] | None = None

    @property
    def robot_size(self) -> int:
        """Length of the part that the robot knows by itself."""
        return 7 if len(self._fingers) else 6

    @property
    def size(self) -> int:
        """Length of the whole vector."""
        return self.robot_size + 12 * len(self.objects)

    def tool(self, readings: Readings) -> tuple[Float, Float]:
        """Return position (3,) and velocity (3,) of the tool in the world."""
        if self._known is None or self._known[0] is not readings:
            position, _, jacobian = self.kinematics.pose_and_jacobian(readings.joint_positions[self._arm])
            self._known = readings, position, jacobian[:3] @ readings.joint_velocities[self._arm]
        return self._known[1], self._known[2]

    def tool_pose(self, readings: Readings) -> tuple[Float, Float]:
        """Return position (3,) and rotation (3, 3) of the tool in the world."""
        return self.kinematics.pose(readings.joint_positions[self._arm])

    def gripper_width(self, readings: Readings) -> float:
        """Return the width between the finger tips, metres, from the mean of the joints' ways; 0 without a gripper."""
        if not len(self._fingers):
            return 0.0
        return float(((readings.joint_positions[self._fingers] - self._closed) * self._share).sum())

    def robot(self, readings: Readings) -> Float:
        """Return what the robot knows by itself, (6,) or (7,)."""
        parts = [*self.tool(readings)]
        if len(self._fingers):
            parts.append(np.array([self.gripper_width(readings)]))
        return np.concatenate(parts)

    def vector(self, readings: Readings) -> Float:
        """Return the whole vector, (`size`,)."""
        parts = [self.robot(readings)]
        for pose, velocity in zip(readings.body_poses, readings.body_velocities, strict=True):
            parts += [pose[:3], rpy_of(pose[3:]), velocity]
        return np.concatenate(parts)


def rpy_of(quat_xyzw: Float) -> Float:
    """Return fixed-axis roll, pitch, yaw of a unit quaternion, radians."""
    x, y, z, w = quat_xyzw.tolist()
    sine = min(max(2.0 * (w * y - z * x), -1.0), 1.0)
    return np.array(
        [
            math.atan2(2.0 * (w * x + y * z), 1.0 - 2.0 * (x * x + y * y)),
            math.asin(sine),
            math.atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z)),
        ]
    )
