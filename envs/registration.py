"""The ids of the environments; nothing is loaded before one is made."""

from __future__ import annotations

import importlib
from typing import Any

# Rig of each arm that comes with the package.
ARM_RIGS = {"Panda": "panda_tabletop", "Kuka": "kuka_tabletop", "XArm": "xarm_tabletop"}
# Rig of the ids without an arm, where none is given.
DEFAULT_RIG = "panda_tabletop"
# Steps of an episode.
HORIZONS = {"Reach": 50, "Push": 50, "Slide": 50, "PickAndPlace": 50, "Stack": 100}
_ARM_ENV = "envs.arm.env:ArmEnv"
_VECTOR_ENV = "envs.vector.env:ArmVectorEnv"


def environment_table() -> dict[str, tuple[str, dict[str, Any], int]]:
    """Return entry point, keyword arguments and steps of an episode of each id."""
    table: dict[str, tuple[str, dict[str, Any], int]] = {}
    for task, horizon in HORIZONS.items():
        table[f"sim2real/{task}-v0"] = (_ARM_ENV, {"task": task}, horizon)
        for arm, rig in ARM_RIGS.items():
            table[f"sim2real/{arm}{task}-v0"] = (_ARM_ENV, {"task": task, "rig": rig}, horizon)
    return table


def register_envs() -> None:
    """Register every id with Gymnasium; twice is fine."""
    gymnasium = importlib.import_module("gymnasium")
    for name, (entry_point, kwargs, steps) in environment_table().items():
        if name not in gymnasium.registry:
            gymnasium.register(
                name,
                entry_point=entry_point,
                vector_entry_point=_VECTOR_ENV,
                kwargs=kwargs,
                max_episode_steps=steps,
            )
