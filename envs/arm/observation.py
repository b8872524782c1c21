"""Observations and goals from readings; knows sensors, not the simulator."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from envs.arm.readings import Readings
from envs.arm.tool_kinematics import ToolKinematics

Float = NDArray[np.float64]


class Observer:
    """Turns readings into the vectors that policies see.

    The layout is panda-gym's: position and velocity of the tool, the width of the gripper where the task uses it, then
    position, roll-pitch-yaw, velocity and angular velocity of each object.
    """

    def __init__(
        self, kinematics: ToolKinematics, joints: tuple[str, ...], fingers: tuple[str, ...], objects: tuple[str, ...]
    ) -> None:
        """Find the joints.

        Args:
            kinematics: of the tool.
            joints: names of the joints in readings.
            fingers: those of them whose sum is the gripper's width; none where the task does not use it.
            objects: names of the bodies in readings.
        """
        self.kinematics = kinematics
        self._arm = np.array([joints.index(name) for name in kinematics.joints])
        self._fingers = np.array([joints.index(name) for name in fingers], np.int64)
        self.objects = objects

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
        positions = readings.joint_positions[self._arm]
        position, _ = self.kinematics.pose(positions)
        return position, self.kinematics.jacobian(positions)[:3] @ readings.joint_velocities[self._arm]

    def gripper_width(self, readings: Readings) -> float:
        """Return the sum of the fingers' positions."""
        return float(readings.joint_positions[self._fingers].sum())

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
