"""Behind the object, then through it to the goal."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np

from envs.tasks import Task
from policies.scripted.expert import Expert, Float, raised, towards


def _between(default: float, low: float, high: float) -> float:
    """Return a setting's field, with the range in which a search may move it."""
    value: float = field(default=default, metadata={"range": (low, high)})
    return value


@dataclass(frozen=True)
class PushStyle:
    """How the expert pushes. Gains are full actions a metre, where nothing else is said; an action has 5 cm at most.

    Attributes:
        approach_gain: share of the way to where it wants to be that an action asks for.
        slowest: action of a push at the goal.
        push_gain: how much faster it pushes for each metre to the goal.
        fastest: action of a push at most.
        steer_gain: against what is off the line of the push.
        press_gain: share of the way to the object's height that an action asks for while it pushes.
        aside_m: off the line by more than this, it gives up the push and begins anew.
        behind_m: gap between fingers and object where it comes down.
        there_m: how near to that point is near enough to come down.
        above_m: over the object's middle when it goes round it.
        lift: share of that height below which it rises before it goes anywhere.
        low_m: over the object's middle at most while it pushes.
        stop_m: it stands still when the object is this near to the goal.
    """

    approach_gain: float = _between(1.0, 0.3, 2.0)
    slowest: float = _between(0.12, 0.05, 0.5)
    push_gain: float = _between(4.0, 2.0, 15.0)
    fastest: float = _between(0.5, 0.3, 1.0)
    steer_gain: float = _between(12.0, 3.0, 30.0)
    press_gain: float = _between(1.0, 0.3, 2.0)
    aside_m: float = _between(0.02, 0.01, 0.04)
    behind_m: float = _between(0.02, 0.005, 0.04)
    there_m: float = _between(0.012, 0.008, 0.03)
    above_m: float = _between(0.09, 0.06, 0.11)
    lift: float = _between(0.7, 0.4, 0.9)
    low_m: float = _between(0.03, 0.02, 0.05)
    stop_m: float = _between(0.008, 0.004, 0.03)

    @classmethod
    def ranges(cls) -> dict[str, tuple[float, float]]:
        """Return the range of each setting in which a search may move it."""
        return {f.name: f.metadata["range"] for f in fields(cls)}


class PushExpert(Expert):
    """Goes over the object to the far side of it from the goal, down, and pushes."""

    def __init__(self, task: Task, style: PushStyle | None = None) -> None:
        """Read the object's size; the default style was set by hand in the nominal world."""
        super().__init__(task)
        self.style = style or PushStyle()
        self._half = max(task.rig.body(task.objects[0]).half_extents_m()[:2])
        # Of the middle of closed fingers from the object's while they push.
        self._contact = self._half + 0.012

    def act(self, vector: Float, goal: Float) -> Float:
        """Return the step for where tool, object and goal are."""
        s = self.style
        tool, cube = vector[:3], self.object_at(vector)
        way = (goal - cube)[:2]
        distance = float(np.linalg.norm(way))
        low = np.append(tool[:2], cube[2])
        if distance < s.stop_m:
            return towards(tool, low, gain=s.approach_gain)
        ahead = way / distance
        offset = (tool - cube)[:2]
        along, aside = float(offset @ ahead), float(offset @ (-ahead[1], ahead[0]))
        if tool[2] < cube[2] + s.low_m and -2.5 * self._contact < along < -0.6 * self._half and abs(aside) < s.aside_m:
            # Behind it: push, and steer against what is off the line.
            speed = min(s.fastest, s.slowest + s.push_gain * distance)
            side = np.array([-ahead[1], ahead[0]])
            step = speed * ahead - s.steer_gain * aside * side
            return np.append(step, s.press_gain * (cube[2] - tool[2]) / 0.05)
        behind = cube.copy()
        behind[:2] -= (self._contact + s.behind_m) * ahead
        missed = float(np.linalg.norm((tool - behind)[:2]))
        if missed < s.there_m:
            return towards(tool, behind, gain=s.approach_gain)
        if tool[2] < cube[2] + s.lift * s.above_m and missed > 0.03:
            # Up first, away from the object.
            return np.append(np.zeros(2), 1.0)
        return towards(tool, raised(behind, s.above_m), gain=s.approach_gain)
