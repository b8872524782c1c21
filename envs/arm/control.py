"""From a policy's action to positions that the motors hold."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from calibration.bodies import Gripper, Workspace
from calibration.errors import InputError
from envs.arm.physics import MotorLimits
from envs.arm.tool_kinematics import ToolKinematics

Float = NDArray[np.float64]
Control = Literal["ee_displacement", "ee_pose", "joint_displacement", "joint_velocity"]
CONTROLS: tuple[Control, ...] = get_args(Control)

# Way of a full action in one period of control: metres of the tool, radians (or metres) of a joint.
TOOL_STEP_M = 0.05
JOINT_STEP_RAD = 0.05
# Turn of the tool about the vertical at a full action of "ee_pose".
_YAW_RAD = np.pi / 2
# Share of its highest speed that a joint has at a full action of "joint_velocity".
_SPEED_SHARE = 0.5
# A joint that is held back falls behind its target by no more than this.
_LONGEST_LEAD_RAD = 0.2


class Controller:
    """Makes joint targets of actions in -1 to 1.

    The last element of an action opens (1) and closes (-1) the gripper where the task uses it; otherwise the gripper
    stays closed. Targets keep to the joints' limits and speeds, and the tool's to the workspace.
    """

    def __init__(
        self,
        control: Control,
        kinematics: ToolKinematics,
        motors: dict[str, MotorLimits],
        start: Float,
        workspace: Workspace,
        gripper: Gripper | None,
        uses_gripper: bool,
        period_s: float,
    ) -> None:
        """Prepare the limits.

        Args:
            control: what the elements of an action mean.
            kinematics: of the tool; the tool keeps the orientation that it has at `start`.
            motors: of all joints, in the order of `start`.
            start: positions (J,) at the beginning of an episode.
            workspace: of the tool.
            gripper: what opens and closes.
            uses_gripper: whether the action has an element for it.
            period_s: of control.

        Raises:
            InputError: an unknown control.
        """
        if control not in CONTROLS:
            raise InputError(f"control must be one of {', '.join(CONTROLS)}, got '{control}'")
        self.control, self.kinematics, self.uses_gripper = control, kinematics, uses_gripper
        names = list(motors)
        self._arm = np.array([names.index(name) for name in kinematics.joints])
        self._rest = start[self._arm]
        self.rotation = kinematics.pose(self._rest)[1]
        self._start = start
        box = np.array([workspace.x_m, workspace.y_m, workspace.z_m])
        self.low, self.high = box[:, 0], box[:, 1]
        self._step = np.array([motors[n].speed for n in kinematics.joints]) * period_s
        self._fingers = np.array([names.index(n) for n in gripper.open], np.int64) if gripper else np.zeros(0, np.int64)
        self._closed = np.array([gripper.closed[n] for n in gripper.open]) if gripper else np.zeros(0)
        self._opening = np.array([gripper.open[n] for n in gripper.open]) - self._closed if gripper else np.zeros(0)
        self._targets = start.copy()

    @property
    def arm_size(self) -> int:
        """Elements of an action without the gripper's."""
        return {"ee_displacement": 3, "ee_pose": 4}.get(self.control, len(self._arm))

    @property
    def size(self) -> int:
        """Elements of an action."""
        return self.arm_size + self.uses_gripper

    def reset(self, positions: Float) -> None:
        """Begin an episode with the joints (J,) where they are."""
        self._targets = positions.copy()

    def targets(self, action: Float, positions: Float) -> Float:
        """Return joint targets (J,) for an action (`size`,) with the joints at positions (J,) now."""
        q = positions[self._arm]
        if self.control == "ee_displacement":
            place, _ = self.kinematics.pose(q)
            wanted = self.kinematics.reach(q, self._inside(place + TOOL_STEP_M * action[:3]), self.rotation, self._rest)
        elif self.control == "ee_pose":
            share = (action[:3] + 1.0) / 2.0
            turned = _about_z(_YAW_RAD * float(action[3])) @ self.rotation
            wanted = self.kinematics.reach(q, self.low + share * (self.high - self.low), turned, self._rest, 20)
        elif self.control == "joint_displacement":
            wanted = q + JOINT_STEP_RAD * action[: self.arm_size]
        else:
            ahead = self._targets[self._arm] + _SPEED_SHARE * self._step * action[: self.arm_size]
            wanted = np.clip(ahead, q - _LONGEST_LEAD_RAD, q + _LONGEST_LEAD_RAD)
        limits = self.kinematics.limits
        # All joints slow down together, so that the tool keeps its direction.
        hurry = max(float((np.abs(wanted - q) / self._step).max()), 1.0)
        wanted = np.clip(q + (wanted - q) / hurry, limits.low, limits.high)
        if self.control.startswith("joint"):
            wanted = self._kept_in(wanted, q)
        self._targets[self._arm] = wanted
        if self.uses_gripper:
            # Relative, as in panda-gym: 0 keeps the width, and half an action is more than the whole way.
            share = (positions[self._fingers] - self._closed) / self._opening + 2.0 * float(action[-1])
            self._targets[self._fingers] = self._closed + np.clip(share, 0.0, 1.0) * self._opening
        elif len(self._fingers):
            self._targets[self._fingers] = self._closed
        return self._targets

    def _inside(self, position: Float) -> Float:
        return np.asarray(np.minimum(np.maximum(position, self.low), self.high))

    def _kept_in(self, wanted: Float, q: Float) -> Float:
        """Return the targets, or where they would take the tool out of the workspace, those nearest to it."""
        place, rotation = self.kinematics.pose(wanted)
        inside = self._inside(place)
        if np.array_equal(inside, place):
            return wanted
        return self.kinematics.reach(wanted, inside, rotation, q, 3)


def _about_z(angle: float) -> Float:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
