"""A rig's arm and bodies in one physics client: put in a state, step, read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from calibration.errors import InputError
from calibration.kinematics import urdf_path
from calibration.rig import Rig
from calibration.world import BodyParams, WorldParams
from envs.arm.dynamics import Dynamics
from envs.arm.settings import PhysicsSettings
from envs.scene_shapes import body_shape
from envs.simulation import Simulation, without_chatter

Float = NDArray[np.float64]

# Where bodies wait that are not in the world: below everything, in a row.
_PARKED_Z_M = -100.0
_PARKED_APART_M = 10.0
# Different sizes of one body that are kept; PyBullet never gives back all memory of a removed one.
_VARIANTS = 64
# Torque or force of a joint whose URDF gives none.
_DEFAULT_FORCE = 100.0


@dataclass(frozen=True)
class MotorLimits:
    """What the URDF says of one moving joint: positions, highest speed, highest torque or force."""

    low: float
    high: float
    speed: float
    force: float


class PhysicsWorld:
    """One PyBullet client with the arm of a rig and its bodies; loaded once, reset by state.

    Attributes:
        joints: moving joints of the URDF, in the order of every array here.
        motors: limits of each.
        movable: names of the bodies that can be moved, in the order of every array here.
        robot: PyBullet's number of the arm.
        bodies: PyBullet's number of each body that is in the world now.
    """

    def __init__(self, rig: Rig, settings: PhysicsSettings, movable: tuple[str, ...]) -> None:
        """Load the arm.

        Raises:
            InputError: the URDF cannot be loaded.
        """
        assert rig.robot is not None
        self.rig, self.settings, self.movable = rig, settings, movable
        self.simulation = Simulation()
        self.pybullet: Any = self.simulation.pybullet
        self.client = self.simulation.client
        p, client = self.pybullet, self.client
        p.setPhysicsEngineParameter(
            fixedTimeStep=settings.timestep_s,
            numSolverIterations=settings.iterations,
            solverResidualThreshold=settings.residual,
            deterministicOverlappingPairs=1,
            physicsClientId=client,
        )
        path = urdf_path(rig)
        quat = Rotation.from_euler("xyz", rig.robot.rpy_rad).as_quat().tolist()
        try:
            # Fixed links only cost time, as the tool is found by our own kinematics; visual shapes cost 60 MB.
            with without_chatter():
                number = p.loadURDF(
                    str(path),
                    rig.robot.position_m,
                    quat,
                    useFixedBase=True,
                    flags=p.URDF_MERGE_FIXED_LINKS | p.URDF_IGNORE_VISUAL_SHAPES,
                    physicsClientId=client,
                )
        except p.error as error:
            raise InputError(f"rig {rig.name}: PyBullet cannot load {path}: {error}") from None
        self.robot = int(number)
        self._read_joints()
        fingers = self._links_of_fingers()
        self._dynamics = Dynamics(p, client, self.robot, self._index, fingers, settings.timestep_s)
        self.bodies: dict[str, int] = {}
        self._variants: dict[tuple[str, float, tuple[float, ...]], int] = {}
        self._numbers: list[int] = []
        self._force = np.array([m.force for m in self.motors.values()])
        if rig.robot.gripper is not None:
            for name in rig.robot.gripper.open:
                self._force[self.joints.index(name)] = rig.robot.gripper.force
        self._position_gain = np.full(len(self.joints), settings.position_gain_per_s * settings.timestep_s)
        self._velocity_gain = np.full(len(self.joints), settings.velocity_gain)
        self._scale_motors()
        self._blank = -1
        for body in rig.bodies:
            if body.role in ("object", "surface"):
                self._body(BodyParams(body.name, body.role))

    def _save_blank(self) -> None:
        """Save a state in which every body waits; one from before a body came cannot be restored."""
        p, client = self.pybullet, self.client
        if self._blank >= 0:
            p.removeState(self._blank, physicsClientId=client)
        for k, number in enumerate(self._variants.values()):
            place = (_PARKED_APART_M * k, 0.0, _PARKED_Z_M)
            p.resetBasePositionAndOrientation(number, place, (0.0, 0.0, 0.0, 1.0), physicsClientId=client)
            p.resetBaseVelocity(number, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), physicsClientId=client)
        p.performCollisionDetection(physicsClientId=client)
        self._blank = int(p.saveState(physicsClientId=client))

    def _read_joints(self) -> None:
        p = self.pybullet
        moving: dict[str, tuple[int, MotorLimits]] = {}
        for k in range(p.getNumJoints(self.robot, physicsClientId=self.client)):
            info = p.getJointInfo(self.robot, k, physicsClientId=self.client)
            if info[2] not in (p.JOINT_REVOLUTE, p.JOINT_PRISMATIC):
                continue
            low, high = (info[8], info[9]) if info[8] < info[9] else (-2 * np.pi, 2 * np.pi)
            limits = MotorLimits(low, high, info[11] or np.inf, info[10] or _DEFAULT_FORCE)
            moving[info[1].decode()] = (k, limits)
        self.joints = tuple(moving)
        self.motors = {name: limits for name, (_, limits) in moving.items()}
        self._index = [index for index, _ in moving.values()]
        for index in self._index:
            # A motor of zero force, or PyBullet's default velocity motor would brake a joint that nobody drives.
            p.setJointMotorControl2(
                self.robot, index, p.VELOCITY_CONTROL, targetVelocity=0.0, force=0.0, physicsClientId=self.client
            )

    def _links_of_fingers(self) -> list[int]:
        robot = self.rig.robot
        if robot is None or robot.gripper is None:
            return []
        for name in robot.gripper.open:
            if name not in self.joints:
                raise InputError(
                    f"rig {self.rig.name}: robot.gripper names the joint '{name}', which the URDF does not have; "
                    f"known: {', '.join(self.joints)}"
                )
        return [self._index[self.joints.index(name)] for name in robot.gripper.open]

    def _scale_motors(self) -> None:
        found = self._dynamics
        self._gains = (self._position_gain * found.gains).tolist()
        self._dampings = (self._velocity_gain * found.dampings).tolist()
        self._forces = (self._force * found.torques).tolist()

    def place(self, world: WorldParams, positions: Float) -> None:
        """Put the arm at joint positions (J,), at rest, and every body where the world has it."""
        p, client = self.pybullet, self.client
        present = [b for b in world.bodies if b.role in ("object", "surface") and b.present]
        self.bodies = {params.name: self._body(params) for params in present}
        self._dynamics.apply(world, self.bodies, self.joints)
        self._scale_motors()
        self._numbers = [self.bodies[name] for name in self.movable]
        # Every body back to where it waits, and a look that nothing touches there: contacts of the last episode, which
        # PyBullet keeps otherwise, would warm-start the solver, and the same seed would differ.
        p.restoreState(self._blank, physicsClientId=client)
        p.performCollisionDetection(physicsClientId=client)
        for index, position in zip(self._index, positions.tolist(), strict=True):
            p.resetJointState(self.robot, index, position, 0.0, physicsClientId=client)
        self.set_targets(positions)
        for params in present:
            number, quat = self.bodies[params.name], _quat(params.rpy_rad)
            p.resetBasePositionAndOrientation(number, params.position_m, quat, physicsClientId=client)
            p.resetBaseVelocity(number, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), physicsClientId=client)

    def _body(self, params: BodyParams) -> int:
        key = (params.name, params.size_scale, params.shape_scale)
        if key not in self._variants:
            same = [k for k in self._variants if k[0] == params.name]
            if len(same) >= _VARIANTS:
                oldest = self._variants.pop(same[0])
                self._dynamics.forget(oldest)
                self.pybullet.removeBody(oldest, physicsClientId=self.client)
            self._variants[key] = self._make(params)
            self._save_blank()
        return self._variants[key]

    def _make(self, params: BodyParams) -> int:
        p = self.pybullet
        shape, size = body_shape(self.rig, params)
        scale = params.size_scale * np.asarray(params.shape_scale)
        if shape == "box":
            given: dict[str, Any] = {"shapeType": p.GEOM_BOX, "halfExtents": (scale * size / 2).tolist()}
        elif shape == "sphere":
            given = {"shapeType": p.GEOM_SPHERE, "radius": float(size[0] * scale[0])}
        else:
            given = {
                "shapeType": p.GEOM_CYLINDER,
                "radius": float(size[0] * scale[0]),
                "height": float(size[1] * scale[2]),
            }
        body = self.rig.body(params.name)
        number = p.createMultiBody(
            baseMass=body.mass_kg if params.name in self.movable else 0.0,
            baseCollisionShapeIndex=p.createCollisionShape(**given, physicsClientId=self.client),
            basePosition=(0.0, 0.0, _PARKED_Z_M),
            physicsClientId=self.client,
        )
        p.changeDynamics(
            number, -1, lateralFriction=body.friction, activationState=p.ACTIVATION_STATE_DISABLE_SLEEPING,
            physicsClientId=self.client,
        )  # fmt: skip
        return int(number)

    def set_targets(self, positions: Float) -> None:
        """Give every motor a position (J,) to hold."""
        p = self.pybullet
        p.setJointMotorControlArray(
            self.robot,
            self._index,
            p.POSITION_CONTROL,
            targetPositions=positions.tolist(),
            forces=self._forces,
            positionGains=self._gains,
            velocityGains=self._dampings,
            physicsClientId=self.client,
        )

    def step(self, substeps: int, impulses: Mapping[str, Float] | None = None) -> None:
        """Go on by a number of solver steps; impulses (3,) in N s on bodies act in the first."""
        p, client = self.pybullet, self.client
        for name, impulse in (impulses or {}).items():
            position, _ = p.getBasePositionAndOrientation(self.bodies[name], physicsClientId=client)
            force = (impulse / self.settings.timestep_s).tolist()
            p.applyExternalForce(self.bodies[name], -1, force, position, p.WORLD_FRAME, physicsClientId=client)
        for _ in range(substeps):
            p.stepSimulation(physicsClientId=client)

    def read_joints(self) -> tuple[Float, Float]:
        """Return positions and velocities (J,) of the joints."""
        states = self.pybullet.getJointStates(self.robot, self._index, physicsClientId=self.client)
        return np.array([s[0] for s in states]), np.array([s[1] for s in states])

    def read_bodies(self) -> tuple[Float, Float]:
        """Return poses (B, 7: position, quaternion) and velocities (B, 6: linear, angular) of the movable bodies."""
        p, client = self.pybullet, self.client
        poses, velocities = [], []
        for number in self._numbers:
            position, quat = p.getBasePositionAndOrientation(number, physicsClientId=client)
            linear, angular = p.getBaseVelocity(number, physicsClientId=client)
            poses.append(position + quat)
            velocities.append(linear + angular)
        return np.array(poses).reshape(-1, 7), np.array(velocities).reshape(-1, 6)

    def save(self) -> int:
        """Return the number of a copy of the present state, for `restore`."""
        return int(self.pybullet.saveState(physicsClientId=self.client))

    def restore(self, number: int) -> None:
        """Go back to a saved state; motors keep their targets, which PyBullet does not save."""
        self.pybullet.restoreState(number, physicsClientId=self.client)

    def forget(self, number: int) -> None:
        """Drop a saved state."""
        self.pybullet.removeState(number, physicsClientId=self.client)

    def close(self) -> None:
        """Disconnect; twice is fine."""
        self.simulation.close()


def _quat(rpy_rad: tuple[float, float, float]) -> tuple[float, float, float, float]:
    """Return the xyzw quaternion of fixed-axis roll, pitch, yaw."""
    (cr, cp, cy), (sr, sp, sy) = np.cos(np.divide(rpy_rad, 2)).tolist(), np.sin(np.divide(rpy_rad, 2)).tolist()
    return (
        sr * cp * cy - cr * sp * sy,
        cr * sp * cy + sr * cp * sy,
        cr * cp * sy - sr * sp * cy,
        cr * cp * cy + sr * sp * sy,
    )
