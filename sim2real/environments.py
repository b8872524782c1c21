"""Environments by id, with worlds drawn from a preset."""

from __future__ import annotations

import difflib
import functools
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np

from calibration.errors import InputError
from calibration.pendulum import load_pendulum
from calibration.rig_file import load_rig
from calibration.world import WorldParams
from envs.pendulum.spread import SpreadRigs
from envs.registration import (
    DEFAULT_RIG,
    HELD_OUT,
    PENDULUM_RIGS,
    environment_table,
    held_out_id,
    register_envs,
)
from envs.standin import Station
from envs.standin.env import standin_env
from envs.standin.mujoco_import import import_mujoco
from envs.tasks import Task, make_task
from sim2real.presets import join_specs, load_preset, rig_spec
from sim2real.randomization import WorldSampler


def make_environment(name: str, rig: str | None = None, randomization: str | None = None, **kwargs: Any) -> Any:
    """Return the environment of an id.

    Args:
        name: its id; "sim2real/" may be left out.
        rig: station for ids without an arm.
        randomization: preset name or TOML file, or several joined by "+"; of a pendulum "spread:NUMBER". The world of
            an episode follows from its seed.
        **kwargs: of the environment.

    Raises:
        InputError: there is no such id, or a setting that does not fit.
    """
    full, own = environment_settings(name, rig, randomization, **kwargs)
    return gymnasium.make(full, **own)


def make_held_out(name: str, station: Station, rig: str | None = None, **kwargs: Any) -> Any:
    """Return the environment of an id at a pretend station of the held-out simulation.

    Args:
        name: id of the source environment; "sim2real/" may be left out.
        station: with its hidden values.
        rig: station for ids without an arm.
        **kwargs: of the environment.

    Raises:
        InputError: no arm environment has this id, MuJoCo is not installed, or a setting that does not fit.
    """
    if rig is not None:
        kwargs["rig"] = rig
    return standin_env(check_held_out(name), station, **kwargs)


def check_held_out(name: str) -> str:
    """Return the whole id of a source environment that has a held-out simulation.

    Raises:
        InputError: it has none, or MuJoCo is not installed.
    """
    full = name if name in environment_table() else f"sim2real/{name}"
    held_out_id(full)
    import_mujoco()
    return full


def environment_settings(
    name: str, rig: str | None = None, randomization: str | None = None, **kwargs: Any
) -> tuple[str, dict[str, Any]]:
    """Return the whole id and the keyword arguments with which to make an environment; as of `make_environment`.

    Those of an arm environment are complete, so that they can be given to `ArmEnv` and `ArmVectorEnv` as well.
    """
    register_envs()
    table = environment_table()
    full = f"sim2real/{name}" if f"sim2real/{name}" in gymnasium.registry else name
    if full not in gymnasium.registry:
        near = difflib.get_close_matches(full, gymnasium.registry, 3, 0.5) or sorted(table)
        raise InputError(f"env must be a registered id, got '{name}'; nearest: {', '.join(near)}")
    given = {"rig": rig, "randomization": randomization, **kwargs}
    if full in (f"sim2real/{name}-v0" for name in PENDULUM_RIGS):
        return full, _of_pendulum(full, given)
    if full.startswith(HELD_OUT):
        raise InputError(
            f"{full} is a held-out simulation, which nothing is trained in; "
            f"score a policy there: sim2real rollout --env {full.replace(HELD_OUT, 'sim2real/')} --held-out 6"
        )
    if full not in table:
        meant = [key for key, value in given.items() if value is not None and key != "render_mode"]
        if meant:
            raise InputError(f"{' and '.join(meant)}: only the arm environments of sim2real have this, got '{name}'")
        return full, kwargs
    own = {"rig": DEFAULT_RIG, **table[full][1], **kwargs} | ({} if rig is None else {"rig": rig})
    if randomization is not None:
        # The task adds bodies to the rig, and they vary too.
        task = make_task(own["task"], load_rig(own["rig"]))
        own["worlds"] = world_source(task, randomization)
    return full, own


def _of_pendulum(full: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return the keyword arguments of a pendulum; its randomization is "spread:NUMBER"."""
    own = {key: value for key, value in given.items() if value is not None and key != "randomization"}
    own.setdefault("rig", PENDULUM_RIGS[full.removeprefix("sim2real/").removesuffix("-v0")])
    if given["randomization"] is not None:
        word, _, number = str(given["randomization"]).partition(":")
        try:
            if word != "spread":
                raise ValueError(f"got '{given['randomization']}'")
            own["rigs"] = SpreadRigs(load_pendulum(own["rig"]), float(number))
        except ValueError as error:
            raise InputError(
                f"randomization of a pendulum must be spread:NUMBER, such as spread:0.5; {error}"
            ) from None
    return own


@dataclass(eq=False)
class SampledWorlds:
    """Draws the world of an episode from the episode's generator; can be given to other processes.

    Attributes:
        sampler: draws.
        strength: 1 for the draws, 0 for the nominal world, in between for part of the way.
    """

    sampler: WorldSampler
    strength: float = 1.0

    def __call__(self, rng: np.random.Generator) -> WorldParams:
        """Return the next world."""
        return self.sampler.sample(int(rng.integers(2**31)), strength=self.strength)

    def many(self, rng: np.random.Generator, count: int) -> list[WorldParams]:
        """Return several worlds; that costs far less than one by one."""
        return self.sampler.sample_many(int(rng.integers(2**31)), range(count), self.strength)


def world_source(task: Task, randomization: str) -> SampledWorlds:
    """Return what draws the world of an episode.

    Args:
        task: in its rig.
        randomization: preset's name or TOML file; several, joined by "+", each of which wins over those before it.
    """
    specs = [load_preset(name) for name in randomization.split("+")]
    joined = functools.reduce(join_specs, specs)
    return SampledWorlds(WorldSampler(rig_spec(task.rig, joined), task.nominal_world()))
