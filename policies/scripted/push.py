"""Behind the object, then through it to the goal."""

from __future__ import annotations

import numpy as np

from envs.tasks import Task
from policies.scripted.expert import Expert, Float, raised, towards

# The tool goes round an object at this height above its middle.
_ABOVE_M = 0.09
# Lateral error at which pushing is given up for a new start.
_ASIDE_M = 0.02


class PushExpert(Expert):
    """Goes over the object to the far side of it from the goal, down, and pushes."""

    def __init__(self, task: Task) -> None:
        """Read the object's size."""
        super().__init__(task)
        self._half = max(task.rig.body(task.objects[0]).half_extents_m()[:2])
        # Of the middle of closed fingers from the object's while they push.
        self._contact = self._half + 0.012

    def act(self, vector: Float, goal: Float) -> Float:
        """Return the step for where tool, object and goal are."""
        tool, cube = vector[:3], self.object_at(vector)
        way = (goal - cube)[:2]
        distance = float(np.linalg.norm(way))
        low = np.append(tool[:2], cube[2])
        if distance < 0.008:
            return towards(tool, low)
        ahead = way / distance
        offset = (tool - cube)[:2]
        along, aside = float(offset @ ahead), float(offset @ (-ahead[1], ahead[0]))
        if tool[2] < cube[2] + 0.03 and -2.5 * self._contact < along < -0.6 * self._half and abs(aside) < _ASIDE_M:
            # Behind it: push, and steer against what is off the line.
            speed = min(0.5, 0.12 + 4.0 * distance)
            side = np.array([-ahead[1], ahead[0]])
            step = speed * ahead - 12.0 * aside * side
            return np.append(step, (cube[2] - tool[2]) / 0.05)
        behind = cube.copy()
        behind[:2] -= (self._contact + 0.02) * ahead
        missed = float(np.linalg.norm((tool - behind)[:2]))
        if missed < 0.012:
            return towards(tool, behind)
        over = raised(behind, _ABOVE_M)
        if tool[2] < cube[2] + 0.7 * _ABOVE_M and missed > 0.03:
            # Up first, away from the object.
            return np.append(np.zeros(2), 1.0)
        return towards(tool, over)
