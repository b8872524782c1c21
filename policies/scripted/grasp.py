"""Open, over it, down, close: what picking and stacking have in common."""

from __future__ import annotations

import numpy as np

from policies.scripted.expert import Float, raised, towards

OPEN, CLOSE = 1.0, -1.0
# The tool is at the object's middle when it is this near.
_THERE_M = 0.012
_ABOVE_M = 0.08


def has_grasped(tool: Float, width_m: float, thing: Float, size_m: float) -> bool:
    """Return whether the fingers hold a thing of this size between them."""
    return float(np.linalg.norm(tool - thing)) < 0.03 and width_m < size_m + 0.006


def go_and_grasp(tool: Float, width_m: float, thing: Float, size_m: float) -> Float:
    """Return the action (4,) that opens the fingers, comes from above and closes them about a thing."""
    aside = float(np.linalg.norm((tool - thing)[:2]))
    if aside < _THERE_M and abs(tool[2] - thing[2]) < _THERE_M:
        return np.append(towards(tool, thing, 0.3), CLOSE)
    if aside < _THERE_M and width_m > size_m + 0.01:
        return np.append(towards(tool, thing, 0.8), OPEN)
    if tool[2] < thing[2] + 0.6 * _ABOVE_M and aside > 0.02:
        # Up first, so that the thing is not struck.
        return np.array([0.0, 0.0, 1.0, OPEN])
    return np.append(towards(tool, raised(thing, _ABOVE_M)), OPEN)
