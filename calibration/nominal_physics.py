"""The physical values of a rig, added to its nominal world."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from calibration.physics import (
    ActuationParams,
    ContactParams,
    FrameParams,
    GravityParams,
    MassParams,
    MotorParams,
    MountParams,
    ObservationParams,
    PushParams,
)
from calibration.rig import Rig
from calibration.world import WorldParams

# Of Bullet's links by default.
_LINK_FRICTION = 0.5
# Torsional friction that keeps what is held between two flat fingers from turning, metres.
_FINGER_SPIN_M = 0.001


def with_physics(world: WorldParams, rig: Rig, movable: Sequence[str]) -> WorldParams:
    """Return a world with the rig's contacts, masses and motors, and neutral gravity, delays, noise and pushes.

    Args:
        world: what is seen of it.
        rig: has frictions and masses.
        movable: names of the bodies that move.
    """
    robot = rig.robot
    fingers = _LINK_FRICTION if robot is None or robot.gripper is None else robot.gripper.friction
    contacts = [ContactParams("robot", fingers, _FINGER_SPIN_M)]
    contacts += [ContactParams(b.name, b.friction) for b in rig.bodies if b.role in ("object", "surface")]
    return dataclasses.replace(
        world,
        contacts=tuple(contacts),
        masses=(MassParams("robot"), *(MassParams(name) for name in movable)),
        motors=tuple(MotorParams(joint.name) for joint in world.joints),
        mounts=tuple(MountParams(camera.name) for camera in rig.cameras),
        gravity=GravityParams(),
        actuation=ActuationParams(),
        observation=ObservationParams(),
        frames=FrameParams(),
        pushes=PushParams(),
    )
