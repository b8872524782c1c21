"""What a physics engine does for an arm environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from calibration.world import WorldParams
from envs.arm.physics import MotorLimits

Float = NDArray[np.float64]


class Physics(Protocol):
    """An arm and bodies in one engine: put in a state, step, read. See `PhysicsWorld`, which is PyBullet's."""

    joints: tuple[str, ...]
    motors: dict[str, MotorLimits]
    movable: tuple[str, ...]

    def place(self, world: WorldParams, positions: Float) -> None:
        """Put the arm at joint positions (J,), at rest, and every body where the world has it."""
        ...

    def set_targets(self, positions: Float) -> None:
        """Give every motor a position (J,) to hold."""
        ...

    def step(self, substeps: int, impulses: Mapping[str, Float] | None = None) -> None:
        """Go on by a number of the settings' time steps; impulses (3,) in N s on bodies act in the first."""
        ...

    def read_joints(self) -> tuple[Float, Float]:
        """Return positions and velocities (J,) of the joints."""
        ...

    def read_bodies(self) -> tuple[Float, Float]:
        """Return poses (B, 7: position, quaternion) and velocities (B, 6: linear, angular) of the movable bodies."""
        ...

    def save(self) -> int:
        """Return the number of a copy of the present state, for `restore`."""
        ...

    def restore(self, number: int) -> None:
        """Go back to a saved state."""
        ...

    def forget(self, number: int) -> None:
        """Drop a saved state."""
        ...

    def close(self) -> None:
        """Release what it holds; twice is fine."""
        ...
