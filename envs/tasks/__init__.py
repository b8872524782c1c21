"""Tasks by name."""

from __future__ import annotations

from calibration.errors import InputError
from calibration.rig import Rig
from envs.tasks.pick_and_place import PickAndPlace
from envs.tasks.push import Push
from envs.tasks.reach import Reach
from envs.tasks.slide import Slide
from envs.tasks.stack import Stack
from envs.tasks.task import Region, Reward, Start, Task

TASKS: dict[str, type[Task]] = {
    "Reach": Reach,
    "Push": Push,
    "Slide": Slide,
    "PickAndPlace": PickAndPlace,
    "Stack": Stack,
}

__all__ = ["TASKS", "Region", "Reward", "Start", "Task", "make_task"]


def make_task(name: str, rig: Rig) -> Task:
    """Return a task of this name in the rig.

    Raises:
        InputError: there is no such task, or the rig lacks what it needs.
    """
    if name not in TASKS:
        raise InputError(f"task must be one of {', '.join(TASKS)}, got '{name}'")
    return TASKS[name](rig)
