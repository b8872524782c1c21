"""Contacts, masses, motors and gravity of a world, given to a physics client."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from calibration.physics import ContactParams, GravityParams, MassParams, MotorParams
from calibration.world import WorldParams

Float = NDArray[np.float64]


class Dynamics:
    """Sets what differs from what was set before; a world without physical values leaves the nominal ones.

    Attributes:
        gains, dampings, torques: (J,), factors on the motors' position gains, velocity gains and highest torques.
    """

    def __init__(
        self, pybullet: Any, client: int, robot: int, links: Sequence[int], fingers: Sequence[int], timestep_s: float
    ) -> None:
        """Read the arm's nominal masses.

        Args:
            pybullet: the module.
            client: of it.
            robot: number of the arm.
            links: number of the link behind each moving joint.
            fingers: numbers of the links that touch objects.
            timestep_s: of the simulation.
        """
        self._pybullet, self._client, self._robot = pybullet, client, robot
        self._timestep_s = timestep_s
        self._links, self._fingers = list(links), list(fingers)
        count = pybullet.getNumJoints(robot, physicsClientId=client)
        self._link_masses = {k: self._mass(robot, k) for k in range(-1, count)}
        self._body_masses: dict[int, tuple[float, Float]] = {}
        self._set: dict[tuple[int, str], object] = {}
        self._gravity: GravityParams | None = None
        self._motors: tuple[MotorParams, ...] = ()
        self.gains, self.dampings, self.torques = np.ones((3, len(self._links)))
        self._set_gravity(GravityParams())
        self._inertias = self._joint_inertias()

    def _joint_inertias(self) -> Float:
        """Return what each joint has to move when all others are free (J,), kg m2 or kg, as the arm is now."""
        p, client = self._pybullet, self._client
        positions = [float(p.getJointState(self._robot, link, physicsClientId=client)[0]) for link in self._links]
        matrix = np.array(p.calculateMassMatrix(self._robot, positions, physicsClientId=client))
        return np.asarray(1.0 / np.diag(np.linalg.inv(matrix)))

    def _mass(self, body: int, link: int) -> tuple[float, Float]:
        info = self._pybullet.getDynamicsInfo(body, link, physicsClientId=self._client)
        return float(info[0]), np.array(info[2])

    def apply(self, world: WorldParams, bodies: Mapping[str, int], joints: Sequence[str]) -> None:
        """Make the client have a world's physical values.

        Args:
            world: with values or without.
            bodies: number of each body that is there.
            joints: names of the moving joints.
        """
        self._set_gravity(world.gravity or GravityParams())
        for contact in world.contacts:
            for body, link in self._touching(contact.name, bodies):
                self._change(body, link, "contact", contact)
        for mass in world.masses:
            if mass.name == "robot":
                for link in self._link_masses:
                    self._change(self._robot, link, "mass", mass)
            elif mass.name in bodies:
                self._change(bodies[mass.name], -1, "mass", mass)
        if world.motors != self._motors:
            self._set_motors({m.name: m for m in world.motors}, joints)
            self._motors = world.motors

    def _touching(self, name: str, bodies: Mapping[str, int]) -> list[tuple[int, int]]:
        if name == "robot":
            return [(self._robot, link) for link in self._fingers]
        return [(bodies[name], -1)] if name in bodies else []

    def _change(self, body: int, link: int, kind: str, value: ContactParams | MassParams) -> None:
        key = (body, f"{kind}{link}")
        # What was never set is nominal, and so is the default mass.
        if self._set.get(key, MassParams(value.name) if kind == "mass" else None) == value:
            return
        self._set[key] = value
        given: dict[str, Any]
        if isinstance(value, ContactParams):
            given = {
                "lateralFriction": value.friction,
                "spinningFriction": value.spinning_friction,
                "rollingFriction": value.rolling_friction,
                "restitution": value.restitution,
            }
        else:
            given = self._heavier(body, link, value)
        self._pybullet.changeDynamics(body, link, **given, physicsClientId=self._client)

    def _heavier(self, body: int, link: int, value: MassParams) -> dict[str, Any]:
        if body == self._robot:
            mass, inertia = self._link_masses[link]
        else:
            if body not in self._body_masses:
                self._body_masses[body] = self._mass(body, link)
            mass, inertia = self._body_masses[body]
        scaled = inertia * value.mass_scale * value.inertia_scale
        given: dict[str, Any] = {"mass": mass * value.mass_scale, "localInertiaDiagonal": scaled.tolist()}
        if body != self._robot:
            given |= {"linearDamping": value.linear_damping, "angularDamping": value.angular_damping}
        return given

    def forget(self, body: int) -> None:
        """Forget a body that was removed; its number may come again."""
        self._set = {key: value for key, value in self._set.items() if key[0] != body}
        self._body_masses.pop(body, None)

    def _set_motors(self, motors: Mapping[str, MotorParams], joints: Sequence[str]) -> None:
        each = [motors.get(name, MotorParams(name)) for name in joints]
        self.gains = np.array([m.gain_scale for m in each])
        self.dampings = np.array([m.damping_scale for m in each])
        self.torques = np.array([m.torque_scale for m in each])
        for link, motor, inertia in zip(self._links, each, self._inertias.tolist(), strict=True):
            key = (self._robot, f"damping{link}")
            if self._set.get(key, 0.0) != motor.joint_damping:
                self._set[key] = motor.joint_damping
                # Bullet takes friction from the speed before a step, and a light joint with much of it would speed up
                # without end. This much takes in one step what the friction takes in that time from the joint alone.
                rate = self._timestep_s / inertia
                damping = -math.expm1(-motor.joint_damping * rate) / rate
                self._pybullet.changeDynamics(self._robot, link, jointDamping=damping, physicsClientId=self._client)

    def _set_gravity(self, gravity: GravityParams) -> None:
        if gravity == self._gravity:
            return
        self._gravity = gravity
        down = Rotation.from_euler("xyz", (*gravity.tilt_rad, 0.0)).apply((0.0, 0.0, -gravity.magnitude_m_s2))
        self._pybullet.setGravity(*down.tolist(), physicsClientId=self._client)
