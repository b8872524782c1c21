"""Grasp an object and bring it to a point, most of them in the air."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from calibration.rig import Rig
from envs.tasks.task import Float, Start, Task, rig_object

# Share of goals that are above the table; as in panda-gym.
_IN_THE_AIR = 0.7
_HIGHEST_M = 0.2


class PickAndPlace(Task):
    """The goal is a point on or above the table for the rig's object."""

    uses_gripper: ClassVar[bool] = True

    def prepare(self, rig: Rig) -> Rig:
        """Take the rig's own object."""
        self.objects = (rig_object(rig).name,)
        return rig

    def start(self, rng: np.random.Generator, heights_m: Float) -> Start:
        """Return object and goal, anywhere in the region."""
        goal = self.region.on_table(rng, heights_m[0])
        if rng.random() < _IN_THE_AIR:
            goal[2] += rng.uniform(0.0, min(_HIGHEST_M, self.region.height_m))
        return Start(self.region.on_table(rng, heights_m[0])[None], goal)

    def achieved(self, tool_m: Float, objects_m: Float) -> Float:
        """Return where the object is."""
        return np.asarray(objects_m[0])
