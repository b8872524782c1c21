"""A rig's arm and bodies in MuJoCo, with the methods of `envs.arm.physics.PhysicsWorld`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from calibration.errors import InputError
from calibration.kinematics import nominal_world
from calibration.rig import Rig
from calibration.world import WorldParams
from envs.arm.settings import PhysicsSettings
from envs.standin.arm_data import read_arm
from envs.standin.dynamics import MujocoDynamics
from envs.standin.model import build_model
from envs.standin.mujoco_import import import_mujoco

Float = NDArray[np.float64]

# MuJoCo's steps in one of the settings' time steps.
STEPS = 2
# Where bodies wait that are not in the world: below everything.
_PARKED_M = (0.0, 0.0, -100.0)


class MujocoWorld:
    """One MuJoCo model with the arm of a rig and its bodies; compiled once, reset by state.

    Attributes:
        joints: moving joints of the URDF, in the order of every array here.
        motors: limits of each.
        movable: names of the bodies that can be moved, in the order of every array here.
        mujoco: the module.
        model, data: MuJoCo's own.
    """

    def __init__(self, rig: Rig, settings: PhysicsSettings, movable: tuple[str, ...]) -> None:
        """Build and compile the model.

        Raises:
            InputError: MuJoCo is not installed, or cannot use the URDF.
        """
        self.rig, self.settings, self.movable = rig, settings, movable
        self.mujoco = import_mujoco()
        arm = read_arm(rig, settings)
        self.motors, self.joints = arm.motors, tuple(arm.motors)
        built = build_model(rig, arm, movable, settings.timestep_s / STEPS)
        try:
            self.model: Any = self.mujoco.MjModel.from_xml_string(built.xml)
        except ValueError as error:
            raise InputError(f"rig {rig.name}: MuJoCo cannot use its URDF: {str(error).splitlines()[0]}") from None
        self.data: Any = self.mujoco.MjData(self.model)
        m = self.model
        joints = [m.joint(name) for name in self.joints]
        self._qpos = np.array([int(j.qposadr[0]) for j in joints])
        self._qvel = np.array([int(j.dofadr[0]) for j in joints])
        self._motors = np.array([m.actuator(name).id for name in self.joints])
        free = [m.joint(name) for name in movable]
        self._free_qpos = [int(j.qposadr[0]) for j in free]
        self._free_qvel = [int(j.dofadr[0]) for j in free]
        self._held = {b.name: int(m.body(b.name).mocapid[0]) for b in rig.bodies if self._is_held(b.name)}
        self._saved: dict[int, tuple[Float, Float]] = {}
        self._next = 0
        assert rig.robot is not None
        home = nominal_world(rig).joint_positions() | dict(rig.robot.start)
        self._dynamics = MujocoDynamics(self.mujoco, m, rig, built.pairs, movable, self.joints, arm)
        self._dynamics.tune(self.data, self._qpos, np.array([home[name] for name in self.joints]), settings)

    def _is_held(self, name: str) -> bool:
        found = self.mujoco.mj_name2id(self.model, self.mujoco.mjtObj.mjOBJ_BODY, name)
        return name not in self.movable and found >= 0 and int(self.model.body(name).mocapid[0]) >= 0

    def place(self, world: WorldParams, positions: Float) -> None:
        """Put the arm at joint positions (J,), at rest, and every body where the world has it."""
        d = self.data
        self._dynamics.apply(d, world)
        self.mujoco.mj_resetData(self.model, d)
        d.qpos[self._qpos] = positions
        self.set_targets(positions)
        present = {b.name: b for b in world.bodies if b.present}
        for name, start in zip(self.movable, self._free_qpos, strict=True):
            body = present.get(name)
            d.qpos[start : start + 3] = _PARKED_M if body is None else body.position_m
            d.qpos[start + 3 : start + 7] = (1.0, 0.0, 0.0, 0.0) if body is None else _quat(body.rpy_rad)
        for name, number in self._held.items():
            body = present.get(name)
            d.mocap_pos[number] = _PARKED_M if body is None else body.position_m
            d.mocap_quat[number] = (1.0, 0.0, 0.0, 0.0) if body is None else _quat(body.rpy_rad)
        self.mujoco.mj_forward(self.model, d)

    def set_targets(self, positions: Float) -> None:
        """Give every motor a position (J,) to hold."""
        self._targets = positions.copy()

    def step(self, substeps: int, impulses: Mapping[str, Float] | None = None) -> None:
        """Go on by a number of the settings' time steps; impulses (3,) in N s on bodies act in the first."""
        d, m = self.data, self.model
        for k in range(substeps):
            d.ctrl[self._motors] = self._dynamics.reachable(
                self._targets, d.qpos[self._qpos], d.qvel[self._qvel], d.qfrc_bias[self._qvel]
            )
            self._dynamics.drag(d, self._free_qvel)
            if k == 0 and impulses:
                for name, impulse in impulses.items():
                    d.xfrc_applied[m.body(name).id, :3] = impulse / self.settings.timestep_s
            self.mujoco.mj_step(m, d, STEPS)
            if k == 0 and impulses:
                d.xfrc_applied[:] = 0.0

    def read_joints(self) -> tuple[Float, Float]:
        """Return positions and velocities (J,) of the joints."""
        return self.data.qpos[self._qpos].copy(), self.data.qvel[self._qvel].copy()

    def read_bodies(self) -> tuple[Float, Float]:
        """Return poses (B, 7: position, quaternion) and velocities (B, 6: linear, angular) of the movable bodies."""
        poses, velocities = np.empty((len(self.movable), 7)), np.empty((len(self.movable), 6))
        for k, (q, v) in enumerate(zip(self._free_qpos, self._free_qvel, strict=True)):
            state = self.data.qpos[q : q + 7]
            poses[k] = state[[0, 1, 2, 4, 5, 6, 3]]
            velocities[k] = self.data.qvel[v : v + 6]
            # MuJoCo has the angular velocity of a free body in its own axes.
            velocities[k, 3:] = _turned(state[3:], velocities[k, 3:])
        return poses, velocities

    def save(self) -> int:
        """Return the number of a copy of the present state, for `restore`."""
        kind = self.mujoco.mjtState.mjSTATE_INTEGRATION
        state = np.empty(self.mujoco.mj_stateSize(self.model, kind))
        self.mujoco.mj_getState(self.model, self.data, state, kind)
        self._next += 1
        self._saved[self._next] = state, self._targets
        return self._next

    def restore(self, number: int) -> None:
        """Go back to a saved state; forces and targets are in it."""
        state, self._targets = self._saved[number]
        self.mujoco.mj_setState(self.model, self.data, state, self.mujoco.mjtState.mjSTATE_INTEGRATION)
        self.mujoco.mj_forward(self.model, self.data)

    def forget(self, number: int) -> None:
        """Drop a saved state."""
        del self._saved[number]

    def close(self) -> None:
        """Do nothing: MuJoCo's memory goes with the object."""


def _quat(rpy_rad: tuple[float, float, float]) -> Float:
    """Return the wxyz quaternion of fixed-axis roll, pitch, yaw."""
    return np.asarray(Rotation.from_euler("xyz", rpy_rad).as_quat(scalar_first=True))


def _turned(quat_wxyz: Float, vector: Float) -> Float:
    w, axis = quat_wxyz[0], quat_wxyz[1:]
    twice = 2.0 * np.cross(axis, vector)
    return np.asarray(vector + w * twice + np.cross(axis, twice))
