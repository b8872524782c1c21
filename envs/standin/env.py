"""Arm tasks in the held-out simulation, as Gymnasium environments."""

from __future__ import annotations

import importlib
from typing import Any

from numpy.typing import NDArray

from calibration.errors import InputError
from calibration.rig import Rig
from envs.arm.engine import Physics
from envs.arm.env import ArmEnv
from envs.arm.settings import PhysicsSettings
from envs.arm.task_world import Observation
from envs.registration import DEFAULT_RIG, held_out_id, register_envs
from envs.standin.physics import MujocoWorld
from envs.standin.station import Difficulty, Station, StationWorlds


class HeldOutEnv(ArmEnv):
    """The task of an `ArmEnv` at a pretend station: MuJoCo moves arm and bodies, TinyRenderer draws.

    Actions, observations, goals and rewards are those of the source environment, and the same seed has the same start
    and goal there. What differs, beside engine and renderer, is the station's; it is hidden from learners.

    Attributes:
        station: where it is.
    """

    def __init__(
        self,
        rig: str | Rig = DEFAULT_RIG,
        task: str = "Reach",
        *,
        station: int | Station = 0,
        difficulty: Difficulty = "mild",
        **kwargs: Any,
    ) -> None:
        """Build the station.

        Args:
            rig: as of `ArmEnv`.
            task: as of `ArmEnv`.
            station: its number in the family, or the station.
            difficulty: of a numbered station: mild, medium or hard.
            **kwargs: of `ArmEnv`, but `worlds` and `renderer`, which are the station's.

        Raises:
            InputError: anything of this cannot be, or MuJoCo is not installed.
        """
        for name in ("worlds", "renderer"):
            if kwargs.get(name) is not None:
                raise InputError(f"{name} of a held-out simulation are its station's own, got {name}={kwargs[name]!r}")
        self.station = station if isinstance(station, Station) else Station(station, difficulty)
        super().__init__(rig, task, **{**kwargs, "renderer": "pybullet"})
        self.worlds = StationWorlds(self.station.world(self.rig, self._nominal))
        self.begin(0)

    def make_physics(self, settings: PhysicsSettings) -> Physics:
        """Return MuJoCo with the rig."""
        return MujocoWorld(self.rig, settings, self.task.objects)

    def hidden(self) -> dict[str, dict[str, Any]]:
        """Return the truth about the station: for each cause, value by path of the world."""
        return self.station.hidden(self.rig, self._nominal)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode; as of `ArmEnv`, with `info["simulation"]`, the name of the station."""
        observation, info = super().reset(seed=seed, options=options)
        return observation, {**info, "simulation": self.station.name}

    def step(self, action: NDArray[Any]) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Act for one period of control; as of `ArmEnv`."""
        observation, reward, terminated, truncated, info = super().step(action)
        return observation, reward, terminated, truncated, {**info, "simulation": self.station.name}


def standin_env(env_id: str, station: int | Station = 0, difficulty: Difficulty = "mild", **kwargs: Any) -> Any:
    """Return the environment of a source id at a pretend station, with its limit of steps.

    Args:
        env_id: of the source environment, such as sim2real/PandaPush-v0.
        station: its number in the family, or the station.
        difficulty: of a numbered station.
        **kwargs: of `HeldOutEnv`.

    Raises:
        InputError: no arm environment has this id, or a setting that cannot be.
    """
    register_envs()
    held_out = held_out_id(env_id)
    return importlib.import_module("gymnasium").make(held_out, station=station, difficulty=difficulty, **kwargs)
