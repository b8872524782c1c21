"""What a task is: objects, where they and the goal begin, when it is done."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from calibration.bodies import Body
from calibration.errors import InputError
from calibration.kinematics import nominal_world
from calibration.nominal_physics import with_physics
from calibration.rig import Rig
from calibration.world import WorldParams

Float = NDArray[np.float64]
Reward = Literal["sparse", "dense"]

# Half the side of the square in which objects and goals begin, where the workspace is large enough.
_HALF_REGION_M = 0.15


@dataclass(frozen=True)
class Region:
    """Where objects stand and goals are.

    Attributes:
        centre_m: (2,), x and y of its middle.
        half_m: (2,), half its sides.
        table_z_m: height of the table.
        height_m: how far above the table goals may be.
    """

    centre_m: Float
    half_m: Float
    table_z_m: float
    height_m: float

    def on_table(self, rng: np.random.Generator, height_m: float) -> Float:
        """Return a random point (3,) that much above the table."""
        return np.append(self.centre_m + self.half_m * rng.uniform(-1, 1, 2), self.table_z_m + height_m)


@dataclass(frozen=True)
class Start:
    """How an episode begins: positions of the objects (O, 3) and the goal (G,)."""

    objects_m: Float
    goal: Float


class Task(ABC):
    """One task in one rig; immutable, so that many environments may share it.

    Attributes:
        uses_gripper: whether actions have an element for the gripper.
        horizon: steps of an episode.
        threshold_m: how near is done, in a region of full size; in a smaller one it is as much smaller.
        objects: names of the bodies that it is about.
        rig: the station, with the task's own bodies.
    """

    uses_gripper: ClassVar[bool] = False
    horizon: ClassVar[int] = 50
    threshold_m: float = 0.05
    objects: tuple[str, ...] = ()

    def __init__(self, rig: Rig) -> None:
        """Find the task's region and bodies in the rig.

        Raises:
            InputError: the rig lacks what the task needs.
        """
        if rig.robot is None or rig.robot.workspace is None:
            raise InputError(
                f"rig {rig.name}: tasks need [robot.workspace] with x_m, y_m, z_m: where the tool may go, metres"
            )
        if self.uses_gripper and rig.robot.gripper is None:
            raise InputError(
                f"rig {rig.name}: this task needs [robot.gripper] with open and closed positions of its joints"
            )
        self.rig = self.prepare(rig)
        space = rig.robot.workspace
        box = np.array([space.x_m, space.y_m])
        surfaces = [b for b in rig.bodies if b.role == "surface" and b.parent == "world"]
        table = surfaces[0].position_m[2] + surfaces[0].half_extents_m()[2] if surfaces else 0.0
        self.region = Region(
            box.mean(axis=1),
            np.minimum(_HALF_REGION_M, 0.3 * (box[:, 1] - box[:, 0])),
            table,
            min(0.3, 0.6 * (space.z_m[1] - table)),
        )
        # In a smaller region, done is nearer.
        self.threshold_m *= min(1.0, float(self.region.half_m.min()) / _HALF_REGION_M)

    def prepare(self, rig: Rig) -> Rig:
        """Return the rig with the bodies that the task needs, and remember their names."""
        return rig

    def nominal_world(self) -> WorldParams:
        """Return the rig's nominal world with the task's bodies and all physical values."""
        return with_physics(nominal_world(self.rig), self.rig, self.objects)

    @abstractmethod
    def start(self, rng: np.random.Generator, heights_m: Float) -> Start:
        """Return a random beginning.

        Args:
            rng: of the episode.
            heights_m: (O,), half the height of each object as it is drawn.
        """

    @abstractmethod
    def achieved(self, tool_m: Float, objects_m: Float) -> Float:
        """Return what the goal is compared with, (G,), for the tool (3,) and objects (O, 3)."""

    def distance(self, achieved: Float, desired: Float) -> Float:
        """Return how far it is from being done, metres; goals (..., G) give (...)."""
        return np.asarray(np.linalg.norm(np.asarray(achieved) - np.asarray(desired), axis=-1))

    def is_success(self, achieved: Float, desired: Float, info: Any = None) -> NDArray[np.bool_]:
        """Return whether goals (..., G) are reached."""
        return np.asarray(self.distance(achieved, desired) < self.threshold_m)

    def reward(self, kind: Reward, achieved: Float, desired: Float) -> NDArray[np.float32]:
        """Return 0 where the goal is reached and -1 elsewhere (sparse), or minus the distance in metres (dense)."""
        if kind == "sparse":
            return self.is_success(achieved, desired).astype(np.float32) - np.float32(1.0)
        return -self.distance(achieved, desired).astype(np.float32)


def rig_object(rig: Rig) -> Body:
    """Return the first body of the rig that a task can move.

    Raises:
        InputError: there is none.
    """
    for body in rig.bodies:
        if body.role == "object" and body.parent == "world":
            return body
    raise InputError(f"rig {rig.name}: this task needs a body with role 'object' and parent 'world'")
