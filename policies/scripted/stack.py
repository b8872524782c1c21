"""The first object to its place, then the second on top."""

from __future__ import annotations

import numpy as np

from envs.tasks import Task
from policies.scripted.expert import Expert, Float, straight_down, towards
from policies.scripted.grasp import CLOSE, OPEN, go_and_grasp, has_grasped

# Height above its place at which an object is carried.
_CARRY_M = 0.08
_PLACED_M = 0.012


class StackExpert(Expert):
    """Builds the tower from below."""

    def __init__(self, task: Task) -> None:
        """Read the objects' size."""
        super().__init__(task)
        half = task.rig.body(task.objects[0]).half_extents_m()
        self._size, self._height = 2.0 * min(half[:2]), 2.0 * half[2]

    def act(self, vector: Float, goal: Float) -> Float:
        """Return the step for where tool, objects and goals are."""
        tool, width = vector[:3], float(vector[6])
        for number in range(2):
            thing, place = self.object_at(vector, number), goal[3 * number : 3 * number + 3]
            held = has_grasped(tool, width, thing, self._size)
            placed = float(np.linalg.norm(thing - place)) < _PLACED_M + 0.004
            if placed and number == 0 and not held:
                continue
            if placed:
                # Let go, then away upwards.
                return np.array([0.0, 0.0, 0.0 if width < self._size + 0.01 else 1.0, OPEN])
            if not held:
                return go_and_grasp(tool, width, thing, self._size)
            return np.append(self._carry(tool, thing, place), CLOSE)
        return np.array([0.0, 0.0, 1.0, OPEN])

    def _carry(self, tool: Float, thing: Float, place: Float) -> Float:
        aside = float(np.linalg.norm((thing - place)[:2]))
        high = place[2] + _CARRY_M
        # Once it is on the way down, a little more is forgiven.
        if aside < (_PLACED_M if thing[2] > high - 0.02 else 0.02):
            return straight_down(tool, tool + place - thing, 0.4)
        if thing[2] < high - 0.03:
            return np.array([0.0, 0.0, 0.6])
        return towards(tool, tool + np.append(place[:2], high) - thing, 0.6)
