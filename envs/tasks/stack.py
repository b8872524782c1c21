"""Put one object at a place on the table and a second one on top of it."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np

from calibration.rig import Rig
from envs.tasks.task import Float, Start, Task, rig_object

# Objects and goals keep this far from each other at the start.
_APART_M = 0.09
_TRIES = 100


class Stack(Task):
    """The goal is six numbers: where the first object is to stand, and the second on it."""

    uses_gripper: ClassVar[bool] = True
    horizon: ClassVar[int] = 100
    # Of both objects together, as in panda-gym.
    threshold_m = 0.04

    def prepare(self, rig: Rig) -> Rig:
        """Take the rig's own object and another of its kind in blue."""
        first = rig_object(rig)
        second = dataclasses.replace(first, name=f"{first.name}_on_top", rgb=(0.15, 0.3, 0.8))
        self.objects = (first.name, second.name)
        kept = tuple(b for b in rig.bodies if b.name != second.name)
        return dataclasses.replace(rig, bodies=(*kept, second))

    def start(self, rng: np.random.Generator, heights_m: Float) -> Start:
        """Return two objects and a place, apart from each other, anywhere in the region."""
        points = [self.region.on_table(rng, heights_m[0])]
        for _ in range(_TRIES):
            point = self.region.on_table(rng, heights_m[len(points) % 2])
            if min(np.linalg.norm((point - other)[:2]) for other in points) > _APART_M:
                points.append(point)
            if len(points) == 3:
                break
        else:
            # A region that is too small for three: in a row.
            (x, y), z = self.region.centre_m, self.region.table_z_m
            points = [np.array([x, y + _APART_M * k, z + heights_m[k % 2]]) for k in (-1, 1, 0)]
        first, second, place = points
        place[2] = self.region.table_z_m + heights_m[0]
        above = np.array([place[0], place[1], place[2] + heights_m.sum()])
        return Start(np.array([first, second]), np.concatenate([place, above]))

    def achieved(self, tool_m: Float, objects_m: Float) -> Float:
        """Return where both objects are."""
        return np.asarray(objects_m.reshape(-1))
