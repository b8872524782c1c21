"""What a station's sensors say, whether simulated, recorded or live."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from envs.arm.engine import Physics

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Readings:
    """One moment.

    Attributes:
        joint_positions: (J,), radians or metres.
        joint_velocities: (J,), a second.
        body_poses: (B, 7), position in the world and xyzw quaternion of each object.
        body_velocities: (B, 6), linear (m/s) and angular (rad/s), in the world.
    """

    joint_positions: Float
    joint_velocities: Float
    body_poses: Float
    body_velocities: Float


class Sensors(Protocol):
    """Where readings come from. A recording or a real arm can stand in for the simulator."""

    def read(self) -> Readings:
        """Return what the sensors say now."""
        ...


class SimulatedSensors:
    """The truth of a physics engine."""

    def __init__(self, physics: Physics) -> None:
        """Keep the engine."""
        self._physics = physics

    def read(self) -> Readings:
        """Return the present state."""
        return Readings(*self._physics.read_joints(), *self._physics.read_bodies())
