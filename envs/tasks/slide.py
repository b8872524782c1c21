"""Strike a puck so that it slides to a place out of the tool's reach."""

from __future__ import annotations

import dataclasses

import numpy as np

from calibration.bodies import Body
from calibration.rig import Rig
from envs.tasks.task import Float, Start, Task

_PUCK = Body(
    "puck",
    "object",
    "cylinder",
    radius_m=0.03,
    length_m=0.03,
    rgb=(0.15, 0.55, 0.2),
    mass_kg=1.0,
    friction=0.04,
)
# How much farther than the puck's own square the goals' lies, in its sides; as in panda-gym.
_AHEAD = 1.33
_MORE_TABLE_M = 0.7


class Slide(Task):
    """The goal is a place on the table ahead of the puck, most of them farther than the tool goes."""

    def prepare(self, rig: Rig) -> Rig:
        """Add a puck with little friction and make the table long enough."""
        self.objects = (_PUCK.name,)
        kept = [b for b in rig.bodies if b.name != _PUCK.name]
        for k, body in enumerate(kept):
            if body.role == "surface" and body.parent == "world" and body.size_m is not None:
                kept[k] = _longer(body)
                break
        return dataclasses.replace(rig, bodies=(*kept, _PUCK))

    def start(self, rng: np.random.Generator, heights_m: Float) -> Start:
        """Return the puck anywhere in the region and a goal in a region ahead of it."""
        puck = self.region.on_table(rng, heights_m[0])
        goal = self.region.on_table(rng, heights_m[0])
        goal[0] += 2 * _AHEAD * self.region.half_m[0]
        return Start(puck[None], goal)

    def achieved(self, tool_m: Float, objects_m: Float) -> Float:
        """Return where the puck is."""
        return np.asarray(objects_m[0])


def _longer(table: Body) -> Body:
    """Return the table with more of it ahead of the arm."""
    assert table.size_m is not None
    (length, width, height), (x, y, z) = table.size_m, table.position_m
    return dataclasses.replace(
        table, size_m=(length + _MORE_TABLE_M, width, height), position_m=(x + _MORE_TABLE_M / 2, y, z)
    )
