"""The ids of the environments; nothing is loaded before one is made."""

from __future__ import annotations

import importlib
from typing import Any

from calibration.errors import InputError

# Rig of each arm that comes with the package.
ARM_RIGS = {"Panda": "panda_tabletop", "Kuka": "kuka_tabletop", "XArm": "xarm_tabletop"}
# Rig of the ids without an arm, where none is given.
DEFAULT_RIG = "panda_tabletop"
# Steps of an episode.
HORIZONS = {"Reach": 50, "Push": 50, "Slide": 50, "PickAndPlace": 50, "Stack": 100}
# How the ids of held-out simulations begin; they are not in the table, so that nothing is trained there.
HELD_OUT = "sim2real/HeldOut"
_ARM_ENV = "envs.arm.env:ArmEnv"
_HELD_OUT_ENV = "envs.standin.env:HeldOutEnv"
_PENDULUM_ENV = "envs.pendulum.env:PendulumEnv"
_VECTOR_ENV = "envs.vector.env:ArmVectorEnv"


# Steps of an episode of a pendulum, and the rig of each id.
_PENDULUM_STEPS = 500
PENDULUM_RIGS = {"SimplePendulum": "simple_pendulum", "DoublePendulum": "double_pendulum"}


def environment_table() -> dict[str, tuple[str, dict[str, Any], int]]:
    """Return entry point, keyword arguments and steps of an episode of each id of an arm."""
    table: dict[str, tuple[str, dict[str, Any], int]] = {}
    for task, horizon in HORIZONS.items():
        table[f"sim2real/{task}-v0"] = (_ARM_ENV, {"task": task}, horizon)
        for arm, rig in ARM_RIGS.items():
            table[f"sim2real/{arm}{task}-v0"] = (_ARM_ENV, {"task": task, "rig": rig}, horizon)
    return table


def held_out_id(name: str) -> str:
    """Return the id of the held-out simulation of an arm environment: `sim2real/HeldOutPandaReach-v0` and so on.

    Raises:
        InputError: no arm environment has this id.
    """
    if name not in environment_table():
        raise InputError(f"a held-out simulation is there for {', '.join(environment_table())}, got '{name}'")
    return name.replace("sim2real/", HELD_OUT, 1)


def register_envs() -> None:
    """Register every id with Gymnasium; twice is fine."""
    gymnasium = importlib.import_module("gymnasium")
    for pendulum, rig in PENDULUM_RIGS.items():
        name = f"sim2real/{pendulum}-v0"
        if name not in gymnasium.registry:
            gymnasium.register(name, _PENDULUM_ENV, max_episode_steps=_PENDULUM_STEPS, kwargs={"rig": rig})
    for name, (entry_point, kwargs, steps) in environment_table().items():
        if name not in gymnasium.registry:
            gymnasium.register(
                name,
                entry_point=entry_point,
                vector_entry_point=_VECTOR_ENV,
                kwargs=kwargs,
                max_episode_steps=steps,
            )
            gymnasium.register(held_out_id(name), _HELD_OUT_ENV, kwargs=kwargs, max_episode_steps=steps)
