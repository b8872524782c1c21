"""Arm tasks in the held-out simulation, as Gymnasium environments."""

from __future__ import annotations

from typing import Any

from calibration.rig import Rig
from envs.arm.engine import Physics
from envs.arm.env import ArmEnv
from envs.arm.settings import PhysicsSettings
from envs.registration import DEFAULT_RIG
from envs.standin.physics import MujocoWorld


class HeldOutEnv(ArmEnv):
    """The task of an `ArmEnv` in the held-out simulation.

    MuJoCo moves arm and bodies, TinyRenderer draws.
    """

    def __init__(self, rig: str | Rig = DEFAULT_RIG, task: str = "Reach", **kwargs: Any) -> None:
        super().__init__(rig, task, **{"renderer": "pybullet", **kwargs})

    def make_physics(self, settings: PhysicsSettings) -> Physics:
        """Return MuJoCo with the rig."""
        return MujocoWorld(self.rig, settings, self.task.objects)
