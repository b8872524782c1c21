"""Contacts, masses, motors and gravity of a world, given to a MuJoCo model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from calibration.physics import ContactParams, GravityParams, MassParams, MotorParams
from calibration.rig import Rig
from calibration.world import BodyParams, WorldParams
from envs.arm.settings import PhysicsSettings
from envs.scene_shapes import body_shape
from envs.standin.arm_data import ArmData
from envs.standin.model import ARM, BASE

Float = NDArray[np.float64]

# No motor accelerates its joint more than this, rad/s2 or m/s2: its rotor has inertia, too. Without it the motors of
# light joints would be springs too weak to hold anything.
_FASTEST = 500.0
# A motor's damper over the inertia of its joint, a second; see `tune`.
_VELOCITY_RATE = 500.0
# Friction of links other than the fingers; Bullet's default.
_LINK_FRICTION = 0.5


class MujocoDynamics:
    """Sets a model's physical values from a world; what the world does not say is nominal.

    Restitution is not taken: MuJoCo's contacts are critically damped springs.
    """

    def __init__(
        self,
        mujoco: Any,
        model: Any,
        rig: Rig,
        pairs: Sequence[tuple[str, str]],
        movable: Sequence[str],
        joints: Sequence[str],
        arm: ArmData,
    ) -> None:
        """Find what is set.

        Args:
            mujoco: the module.
            model: compiled.
            rig: of the model.
            pairs: what touches in each of the model's contact pairs.
            movable: names of the bodies that can be moved.
            joints: names of the moving joints.
            arm: what the source simulation knows of it.
        """
        self._mujoco, self._model, self._rig, self._pairs = mujoco, model, rig, list(pairs)
        self._movable = list(movable)
        self._geoms = {b.name: model.geom(b.name).id for b in rig.bodies if self._has(b.name)}
        self._bodies = np.array([model.body(name).id for name in movable], np.int64)
        self._dofs = [int(model.joint(name).dofadr[0]) for name in movable]
        self._joints, self._joint_dofs = list(joints), [int(model.joint(name).dofadr[0]) for name in joints]
        self._motors = np.array([model.actuator(name).id for name in joints])
        self._links = np.array([int(model.jnt_bodyid[model.joint(name).id]) for name in joints])
        self._link_mass, self._link_inertia = (
            model.body_mass[self._links].copy(),
            model.body_inertia[self._links].copy(),
        )
        gripper = {} if rig.robot is None or rig.robot.gripper is None else rig.robot.gripper.open
        strength = 0.0 if rig.robot is None or rig.robot.gripper is None else rig.robot.gripper.force
        self._force = np.array([strength if name in gripper else arm.motors[name].force for name in joints])
        self._drag = np.zeros(len(movable))
        self._angular_drag = np.zeros(len(movable))

    def _has(self, name: str) -> bool:
        return bool(self._mujoco.mj_name2id(self._model, self._mujoco.mjtObj.mjOBJ_GEOM, name) >= 0)

    def tune(self, data: Any, qpos: NDArray[np.int64], home: Float, settings: PhysicsSettings) -> None:
        """Choose the motors' gains for the source simulation's response.

        PyBullet's position motor makes a joint close `position_gain_per_s` of its error a second, of first order. A
        spring kp and a damper kv on an inertia M do nearly the same when kp/kv is that rate and kv/M much faster. M is
        that of the joint at home.
        """
        m = self._model
        m.dof_armature[self._joint_dofs] = 0.0
        data.qpos[qpos] = home
        self._mujoco.mj_forward(m, data)
        inertia = np.zeros((m.nv, m.nv))
        self._mujoco.mj_fullM(m, data, inertia)
        link = np.diag(inertia)[self._joint_dofs]
        rotor = np.maximum(self._force / _FASTEST - link, 0.0)
        m.dof_armature[self._joint_dofs] = rotor
        self._inertia = link + rotor
        self._period_s = settings.timestep_s
        self._damping = _VELOCITY_RATE * self._inertia
        self._gain = settings.position_gain_per_s * self._damping
        self._damping = self._damping * settings.velocity_gain

    def apply(self, data: Any, world: WorldParams) -> None:
        """Make the model have a world's sizes and physical values."""
        m = self._model
        gravity = world.gravity or GravityParams()
        down = Rotation.from_euler("xyz", (*gravity.tilt_rad, 0.0)).apply((0.0, 0.0, -gravity.magnitude_m_s2))
        m.opt.gravity[:] = down
        for body in world.bodies:
            if body.name in self._geoms:
                self._resize(body)
        self._set_masses(world)
        self._set_motors({motor.name: motor for motor in world.motors})
        self._set_contacts(world)
        # Constants that follow from masses and sizes, such as how strongly constraints act.
        self._mujoco.mj_setConst(m, data)

    def _resize(self, params: BodyParams) -> None:
        m, geom = self._model, self._geoms[params.name]
        shape, lengths = body_shape(self._rig, params)
        scale = params.size_scale * np.asarray(params.shape_scale)
        if shape == "box":
            size = scale * lengths / 2
            m.geom_size[geom], m.geom_rbound[geom] = size, np.linalg.norm(size)
            m.geom_aabb[geom, 3:] = size
        elif shape == "sphere":
            radius = lengths[0] * scale[0]
            m.geom_size[geom, 0], m.geom_rbound[geom] = radius, radius
            m.geom_aabb[geom, 3:] = radius
        else:
            radius, half = lengths[0] * scale[0], lengths[1] * scale[2] / 2
            m.geom_size[geom, :2], m.geom_rbound[geom] = (radius, half), np.hypot(radius, half)
            m.geom_aabb[geom, 3:] = (radius, radius, half)

    def _set_masses(self, world: WorldParams) -> None:
        m, named = self._model, {mass.name: mass for mass in world.masses}
        robot = named.get("robot", MassParams("robot"))
        m.body_mass[self._links] = self._link_mass * robot.mass_scale
        m.body_inertia[self._links] = self._link_inertia * robot.mass_scale * robot.inertia_scale
        for k, name in enumerate(self._movable):
            mass = named.get(name, MassParams(name))
            kilograms = self._rig.body(name).mass_kg * mass.mass_scale
            inertia = kilograms * mass.inertia_scale * self._inertia_of_1_kg(name)
            body, dof = self._bodies[k], self._dofs[k]
            m.body_mass[body], m.body_inertia[body] = kilograms, inertia
            m.dof_damping[dof : dof + 3] = kilograms * mass.linear_damping
            m.dof_damping[dof + 3 : dof + 6] = inertia * mass.angular_damping
            self._drag[k], self._angular_drag[k] = kilograms * mass.linear_damping, mass.angular_damping

    def _inertia_of_1_kg(self, name: str) -> Float:
        """Return the diagonal (3,) of a solid shape's inertia about its middle, kg m2."""
        size = self._model.geom_size[self._geoms[name]]
        shape = self._rig.body(name).shape
        if shape == "box":
            squares = size**2
            return np.asarray((squares.sum() - squares) / 3)
        if shape == "sphere":
            return np.full(3, 0.4 * size[0] ** 2)
        across = size[0] ** 2 / 4 + size[1] ** 2 / 3
        return np.array([across, across, size[0] ** 2 / 2])

    def _set_motors(self, motors: dict[str, MotorParams]) -> None:
        m, each = self._model, [motors.get(name, MotorParams(name)) for name in self._joints]
        gain = self._gain * [motor.gain_scale for motor in each]
        damping = self._damping * [motor.damping_scale for motor in each]
        force = self._force * [motor.torque_scale for motor in each]
        m.actuator_gainprm[self._motors, 0] = gain
        m.actuator_biasprm[self._motors, 1], m.actuator_biasprm[self._motors, 2] = -gain, -damping
        # The damper works within a period too; with this much more force, the joint gains force x period / inertia.
        steps = round(self._period_s / m.opt.timestep)
        slowing = damping * m.opt.timestep / self._inertia
        self._more = damping * self._period_s / self._inertia / (1.0 - (1.0 + slowing) ** -steps)
        self._highest, self._spring, self._damper = force, gain, damping
        m.dof_damping[self._joint_dofs] = [motor.joint_damping for motor in each]

    def _set_contacts(self, world: WorldParams) -> None:
        m, named = self._model, {contact.name: contact for contact in world.contacts}
        named |= {name: ContactParams(name, _LINK_FRICTION) for name in (ARM, BASE)}
        for k, (one, two) in enumerate(self._pairs):
            a, b = (named.get(name, ContactParams(name)) for name in (one, two))
            # Bullet's way to combine two bodies.
            slide = a.friction * b.friction
            spin = a.spinning_friction * b.friction + b.spinning_friction * a.friction
            roll = a.rolling_friction * b.friction + b.rolling_friction * a.friction
            m.pair_friction[k] = np.maximum((slide, slide, spin, roll, roll), self._mujoco.mjMINMU)

    def reachable(self, targets: Float, positions: Float, velocities: Float, load: Float) -> Float:
        """Return what the springs must aim at (J,) to hold targets against a load within their highest force.

        A limit on the force itself would act after the integrator's implicit damping, and two joints with nearly the
        same axis then hammer against each other at full force.

        Args:
            targets: positions to hold.
            positions: of the joints now.
            velocities: the same a second.
            load: torque or force of gravity and of the motion itself on each joint.
        """
        wanted = self._spring * (targets - positions) + load
        low, high = load - self._more * (self._highest + load), load + self._more * (self._highest - load)
        moving = self._damper * velocities
        return np.asarray(positions + np.clip(wanted, moving + low, moving + high) / self._spring)

    def drag(self, data: Any, dofs: Sequence[int]) -> None:
        """Add the part of the air's drag that grows with the square of the speed; the other part is damping."""
        for k, dof in enumerate(dofs):
            velocity = data.qvel[dof : dof + 3]
            data.qfrc_applied[dof : dof + 3] = -self._drag[k] * np.sqrt(velocity @ velocity) * velocity
