"""Experts written by hand, one a task; each is a function of the observation alone."""

from __future__ import annotations

from typing import Any

from calibration.errors import InputError
from policies.scripted.expert import Expert
from policies.scripted.pick_and_place import PickAndPlaceExpert
from policies.scripted.push import PushExpert
from policies.scripted.reach import ReachExpert
from policies.scripted.slide import SlideExpert
from policies.scripted.stack import StackExpert

EXPERTS: dict[str, type[Expert]] = {
    "Reach": ReachExpert,
    "Push": PushExpert,
    "Slide": SlideExpert,
    "PickAndPlace": PickAndPlaceExpert,
    "Stack": StackExpert,
}

__all__ = ["EXPERTS", "Expert", "make_expert"]


def make_expert(env: Any) -> Expert:
    """Return the expert for an arm environment's task.

    Raises:
        InputError: there is none, or it cannot use the environment's control or observation.
    """
    world = env.unwrapped
    name = type(getattr(world, "task", world)).__name__
    if name not in EXPERTS:
        raise InputError(f"experts are there for {', '.join(EXPERTS)}, got the task '{name}'")
    if world.controller.control != "ee_displacement":
        raise InputError(f"experts need control 'ee_displacement', got '{world.controller.control}'")
    return EXPERTS[name](world.task)
