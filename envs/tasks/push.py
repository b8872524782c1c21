"""Push an object over the table to a point."""

from __future__ import annotations

import numpy as np

from calibration.rig import Rig
from envs.tasks.task import Float, Start, Task, rig_object


class Push(Task):
    """The goal is a place on the table for the rig's object."""

    def prepare(self, rig: Rig) -> Rig:
        """Take the rig's own object."""
        self.objects = (rig_object(rig).name,)
        return rig

    def start(self, rng: np.random.Generator, heights_m: Float) -> Start:
        """Return object and goal, anywhere in the region."""
        return Start(self.region.on_table(rng, heights_m[0])[None], self.region.on_table(rng, heights_m[0]))

    def achieved(self, tool_m: Float, objects_m: Float) -> Float:
        """Return where the object is."""
        return np.asarray(objects_m[0])
