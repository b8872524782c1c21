"""Grasp the object, then carry it to the goal."""

from __future__ import annotations

import numpy as np

from envs.tasks import Task
from policies.scripted.expert import Expert, Float, towards
from policies.scripted.grasp import CLOSE, go_and_grasp, has_grasped


class PickAndPlaceExpert(Expert):
    """Carries the object to the goal and holds it there."""

    def __init__(self, task: Task) -> None:
        """Read the object's size."""
        super().__init__(task)
        self._size = 2.0 * min(task.rig.body(task.objects[0]).half_extents_m()[:2])

    def act(self, vector: Float, goal: Float) -> Float:
        """Return the step for where tool, object and goal are."""
        tool, width, cube = vector[:3], float(vector[6]), self.object_at(vector)
        if not has_grasped(tool, width, cube, self._size):
            return go_and_grasp(tool, width, cube, self._size)
        return np.append(towards(tool, tool + goal - cube, 0.5), CLOSE)
