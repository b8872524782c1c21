"""What the source simulation knows of an arm: joints, motors, masses and inertias, so that both begin alike."""

from __future__ import annotations

from dataclasses import dataclass

from calibration.rig import Rig
from envs.arm.physics import MotorLimits, PhysicsWorld
from envs.arm.settings import PhysicsSettings


@dataclass(frozen=True)
class LinkInertia:
    """Of the link behind a moving joint, with the links that are fixed to it.

    Attributes:
        mass_kg: of all.
        centre_m: of mass, in the link.
        quat_xyzw: axes of the inertia, in the link.
        diagonal_kg_m2: of the inertia about the centre of mass.
    """

    mass_kg: float
    centre_m: tuple[float, ...]
    quat_xyzw: tuple[float, ...]
    diagonal_kg_m2: tuple[float, ...]


@dataclass(frozen=True)
class ArmData:
    """Moving joints in the URDF's order, by name: limits, and the inertia of the link behind each."""

    motors: dict[str, MotorLimits]
    inertias: dict[str, LinkInertia]


def read_arm(rig: Rig, settings: PhysicsSettings) -> ArmData:
    """Return what PyBullet makes of the rig's URDF, whose own inertias it does not use.

    Raises:
        InputError: the URDF cannot be loaded.
    """
    source = PhysicsWorld(rig, settings, ())
    try:
        p, robot, client = source.pybullet, source.robot, source.client
        inertias = {}
        for k in range(p.getNumJoints(robot, physicsClientId=client)):
            name = p.getJointInfo(robot, k, physicsClientId=client)[1].decode()
            if name in source.motors:
                mass, _, diagonal, centre, quat = p.getDynamicsInfo(robot, k, physicsClientId=client)[:5]
                inertias[name] = LinkInertia(mass, centre, quat, diagonal)
        return ArmData(dict(source.motors), inertias)
    finally:
        source.close()
