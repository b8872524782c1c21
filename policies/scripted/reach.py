"""Straight to the goal."""

from __future__ import annotations

from policies.scripted.expert import Expert, Float, towards


class ReachExpert(Expert):
    """Brings the tool to the goal."""

    def act(self, vector: Float, goal: Float) -> Float:
        """Return the step towards the goal."""
        return towards(vector[:3], goal)
