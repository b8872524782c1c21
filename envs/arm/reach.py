"""The check that an arm can do a task where the rig says."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calibration.errors import InputError
from envs.arm.control import Controller
from envs.arm.tool_kinematics import ToolKinematics
from envs.tasks import Task

# A tool that cannot come nearer than this to a corner of the goals' region makes the task unreachable.
_REACHED_M = 0.02


def check_reach(task: Task, kinematics: ToolKinematics, arm: Controller, rest: NDArray[np.float64]) -> None:
    """Check that the tool comes near every corner of the region in which the task happens.

    Args:
        task: has the region.
        kinematics: of the tool.
        arm: has the tool's orientation and workspace.
        rest: positions of the arm's joints at the beginning of an episode.

    Raises:
        InputError: it does not.
    """
    region = task.region
    for sx in (-1, 1):
        for sy in (-1, 1):
            x, y = region.centre_m + region.half_m * (sx, sy)
            corner = np.clip([x, y, region.table_z_m + 0.03], arm.low, arm.high)
            found = kinematics.reach(rest, corner, arm.rotation, rest, 200)
            missed = float(np.linalg.norm(kinematics.pose(found)[0] - corner))
            if missed > _REACHED_M:
                raise InputError(
                    f"rig {task.rig.name}: the task's region must be within reach, but the tool stays "
                    f"{missed * 100:.0f} cm from ({corner[0]:.2f}, {corner[1]:.2f}, {corner[2]:.2f}) m; make "
                    "robot.workspace smaller, or give robot.joints from which the tool gets there"
                )
