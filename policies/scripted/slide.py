"""Behind the puck, then a stroke whose speed suits the distance."""

from __future__ import annotations

import numpy as np

from policies.scripted.expert import Expert, Float, raised, towards

_CONTACT_M = 0.042
_ABOVE_M = 0.07
_GRAVITY = 9.81
# Action for a puck's speed, a metre a second: the arm does four fifths of 1.25 m/s at a full action, and a puck leaves
# a third faster than the fingers strike it.
_STROKE = 0.7


class SlideExpert(Expert):
    """Strikes the puck with the speed from which friction stops it at the goal."""

    def act(self, vector: Float, goal: Float) -> Float:
        """Return the step for where tool, puck and goal are, and how fast the puck is."""
        tool, puck = vector[:3], self.object_at(vector)
        velocity = self.object_velocity(vector)[:2]
        way = (goal - puck)[:2]
        distance = float(np.linalg.norm(way))
        ahead = way / max(distance, 1e-9)
        offset = (tool - puck)[:2]
        along, aside = float(offset @ ahead), float(offset @ (-ahead[1], ahead[0]))
        friction = self.task.rig.body(self.task.objects[0]).friction
        needed = float(np.sqrt(2.0 * friction * _GRAVITY * distance))
        speed = float(velocity @ ahead)
        if speed > 0.9 * needed or (np.linalg.norm(velocity) > 0.1 and along < -1.6 * _CONTACT_M):
            # It is on its way; keep out of it.
            return np.append(-0.3 * ahead, 0.3)
        if tool[2] < puck[2] + 0.03 and -3.0 * _CONTACT_M < along < -0.5 * _CONTACT_M and abs(aside) < 0.02:
            side = np.array([-ahead[1], ahead[0]])
            stroke = min(1.0, _STROKE * needed)
            return np.append(stroke * ahead - 10.0 * aside * side, (puck[2] - tool[2]) / 0.05)
        behind = puck.copy()
        behind[:2] -= (_CONTACT_M + 0.03) * ahead
        missed = float(np.linalg.norm((tool - behind)[:2]))
        if missed < 0.012:
            return towards(tool, behind)
        if tool[2] < puck[2] + 0.7 * _ABOVE_M and missed > 0.03:
            return np.append(np.zeros(2), 1.0)
        return towards(tool, raised(behind, _ABOVE_M))
