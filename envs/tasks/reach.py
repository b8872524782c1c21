"""Bring the tool to a point."""

from __future__ import annotations

import numpy as np

from envs.tasks.task import Float, Start, Task


class Reach(Task):
    """The goal is a point above the table."""

    def start(self, rng: np.random.Generator, heights_m: Float) -> Start:
        """Return a goal anywhere in the region, from just above the table upwards."""
        goal = self.region.on_table(rng, 0.02)
        goal[2] += rng.uniform(0.0, self.region.height_m)
        return Start(np.zeros((0, 3)), goal)

    def achieved(self, tool_m: Float, objects_m: Float) -> Float:
        """Return where the tool is."""
        return tool_m
