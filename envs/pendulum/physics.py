"""A pendulum in a physics client: put in a state, drive by torques, read."""

from __future__ import annotations

import tempfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from calibration.pendulum import PendulumRig
from envs.simulation import Simulation, without_chatter

Float = NDArray[np.float64]

TIMESTEP_S = 0.001
# Links turn about y; this one hangs along -z.
_AXIS = "0 1 0"


class PendulumPhysics:
    """One PyBullet client with one pendulum.

    Attributes:
        rig: the pendulum.
    """

    def __init__(self, rig: PendulumRig) -> None:
        """Load the pendulum."""
        self.rig = rig
        self._simulation = Simulation()
        p, client = self._simulation.pybullet, self._simulation.client
        self._pybullet, self._client = p, client
        p.setGravity(0.0, 0.0, -rig.gravity_m_s2, physicsClientId=client)
        p.setPhysicsEngineParameter(fixedTimeStep=TIMESTEP_S, numSolverIterations=50, physicsClientId=client)
        with tempfile.TemporaryDirectory() as folder, without_chatter():
            path = Path(folder) / "pendulum.urdf"
            path.write_text(urdf_of(rig), encoding="utf-8")
            # Or Bullet would make inertias up from collision shapes, which there are none of.
            flags = p.URDF_USE_INERTIA_FROM_FILE
            self._body = p.loadURDF(str(path), useFixedBase=True, flags=flags, physicsClientId=client)
        self._joints = list(range(len(rig.links)))
        for k, link in enumerate(rig.links):
            # Bullet's own damping of links is drag of air that nobody measured.
            p.changeDynamics(
                self._body, k, linearDamping=0.0, angularDamping=0.0, jointDamping=link.damping, physicsClientId=client
            )
            # A motor that wants to stand still and has no more than the friction is dry friction.
            p.setJointMotorControl2(
                self._body, k, p.VELOCITY_CONTROL, targetVelocity=0.0, force=link.friction, physicsClientId=client
            )

    def place(self, positions: Float, velocities: Float) -> None:
        """Put the joints at positions (J,) and velocities (J,), radians, a second."""
        for k, position, velocity in zip(self._joints, positions.tolist(), velocities.tolist(), strict=True):
            self._pybullet.resetJointState(self._body, k, position, velocity, physicsClientId=self._client)

    def step(self, torques: Float, steps: int) -> None:
        """Go on by a number of steps of `TIMESTEP_S` with torques (J,), N m, held."""
        p, values = self._pybullet, torques.tolist()
        for _ in range(steps):
            p.setJointMotorControlArray(
                self._body, self._joints, p.TORQUE_CONTROL, forces=values, physicsClientId=self._client
            )
            p.stepSimulation(physicsClientId=self._client)

    def read(self) -> tuple[Float, Float]:
        """Return positions and velocities (J,)."""
        states = self._pybullet.getJointStates(self._body, self._joints, physicsClientId=self._client)
        return np.array([s[0] for s in states]), np.array([s[1] for s in states])

    def close(self) -> None:
        """Disconnect; twice is fine."""
        self._simulation.close()


def urdf_of(rig: PendulumRig) -> str:
    """Return the pendulum as URDF text."""
    robot = ElementTree.Element("robot", name=rig.name)
    base = ElementTree.SubElement(robot, "link", name="base")
    _inertial(base, 1.0, 0.0, 1.0)
    above, drop = "base", 0.0
    for k, link in enumerate(rig.links):
        part = ElementTree.SubElement(robot, "link", name=f"link{k + 1}")
        _inertial(part, link.mass_kg, -link.centre_m, link.inertia_kg_m2)
        joint = ElementTree.SubElement(robot, "joint", name=f"joint{k + 1}", type="continuous")
        ElementTree.SubElement(joint, "parent", link=above)
        ElementTree.SubElement(joint, "child", link=f"link{k + 1}")
        ElementTree.SubElement(joint, "origin", xyz=f"0 0 {-drop:.17g}")
        ElementTree.SubElement(joint, "axis", xyz=_AXIS)
        above, drop = f"link{k + 1}", link.length_m
    return ElementTree.tostring(robot, encoding="unicode")


def _inertial(part: ElementTree.Element, mass_kg: float, z_m: float, inertia: float) -> None:
    inertial = ElementTree.SubElement(part, "inertial")
    ElementTree.SubElement(inertial, "origin", xyz=f"0 0 {z_m:.17g}")
    ElementTree.SubElement(inertial, "mass", value=f"{mass_kg:.17g}")
    value = f"{inertia:.17g}"
    ElementTree.SubElement(inertial, "inertia", ixx=value, ixy="0", ixz="0", iyy=value, iyz="0", izz=value)
