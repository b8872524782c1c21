"""Environments by id, with worlds drawn from a preset."""

from __future__ import annotations

import difflib
from typing import Any

import gymnasium
import numpy as np

from calibration.errors import InputError
from calibration.kinematics import nominal_world
from calibration.rig import Rig
from calibration.rig_file import load_rig
from calibration.world import WorldParams
from envs.arm.task_world import WorldSource
from envs.registration import environment_table, register_envs
from sim2real.presets import load_preset, rig_spec
from sim2real.randomization import WorldSampler


def make_environment(name: str, rig: str | None = None, randomization: str | None = None, **kwargs: Any) -> Any:
    """Return the environment of an id.

    Args:
        name: its id; "sim2real/" may be left out.
        rig: station for ids without an arm.
        randomization: preset name or TOML file; the world of an episode follows from its seed.
        **kwargs: of the environment.

    Raises:
        InputError: there is no such id, or a setting that does not fit.
    """
    register_envs()
    table = environment_table()
    full = f"sim2real/{name}" if f"sim2real/{name}" in table else name
    if full not in gymnasium.registry:
        near = difflib.get_close_matches(full, gymnasium.registry, 3, 0.5) or sorted(table)
        raise InputError(f"env must be a registered id, got '{name}'; nearest: {', '.join(near)}")
    own = {"rig": rig, "randomization": randomization, **kwargs}
    meant = [key for key, value in own.items() if value is not None and key != "render_mode"]
    if full not in table and meant:
        raise InputError(f"{' and '.join(meant)}: only environments of sim2real have this, got '{name}'")
    if rig is not None:
        kwargs["rig"] = rig
    if randomization is not None:
        # The task adds bodies to the rig, so what varies is known when the environment is there.
        station = gymnasium.make(full, **kwargs)
        inner: Any = station.unwrapped
        kwargs["worlds"] = world_source(inner.rig, randomization)
        station.close()
    return gymnasium.make(full, **kwargs)


def world_source(rig: str | Rig, randomization: str) -> WorldSource:
    """Return what draws the world of an episode from the episode's generator."""
    station = load_rig(rig) if isinstance(rig, str) else rig
    sampler = WorldSampler(rig_spec(station, load_preset(randomization)), nominal_world(station))

    def draw(rng: np.random.Generator) -> WorldParams:
        return sampler.sample(int(rng.integers(2**31)))

    return draw
