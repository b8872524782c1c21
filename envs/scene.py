"""Build a rig's world in PyBullet once, then move, colour and hide its bodies."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from calibration.errors import InputError
from calibration.kinematics import frame_matrices, urdf_path
from calibration.rig import Rig
from calibration.world import BodyParams, WorldParams
from envs.scene_shapes import body_shape
from envs.simulation import Simulation
from envs.textures import texture_picture

# Where bodies wait that are not in the world: too far to be seen.
_PARKED_M = (0.0, 0.0, -1000.0)
# Sizes of one body that are kept; a spec that draws more different ones makes the oldest go.
_VARIANTS = 64


class Scene:
    """The bodies of a rig in one physics client.

    PyBullet never gives back all memory of a removed body, so bodies are made once for each size that is
    drawn and are parked while they are not needed.
    """

    def __init__(self, simulation: Simulation, rig: Rig) -> None:
        """Load what does not change.

        Raises:
            InputError: the URDF cannot be loaded.
        """
        self.rig = rig
        self._p: Any = simulation.pybullet
        self._client = simulation.client
        self._variants: dict[str, dict[float, int]] = {}
        self._shown: dict[str, int] = {}
        self._look: dict[int, tuple[object, str]] = {}
        self._textures: dict[str, int] = {}
        self._robot: int | None = None
        self._joint_index: dict[str, int] = {}
        self._link_colours: list[tuple[int, tuple[float, ...]]] = []
        if rig.robot is not None:
            self._load_robot()

    def apply(self, world: WorldParams) -> dict[int, int]:
        """Bring the client to a world.

        Returns:
            The index into `world.bodies` for each PyBullet body that is shown.
        """
        frames = frame_matrices(self.rig, world)
        names = [b.name for b in world.bodies if b.name in frames]
        quats = Rotation.from_matrix(np.array([frames[n][:3, :3] for n in names])).as_quat().tolist()
        quat_of = dict(zip(names, quats, strict=True))
        shown: dict[str, int] = {}
        index: dict[int, int] = {}
        for k, params in enumerate(world.bodies):
            if params.name == "robot" and self._robot is not None:
                if params.present:
                    index[self._apply_robot(world, params)] = k
                else:
                    self._park(self._robot)
                continue
            if not params.present:
                continue
            body = self._body(params)
            shown[params.name] = body
            index[body] = k
            position = frames[params.name][:3, 3].tolist()
            self._p.resetBasePositionAndOrientation(body, position, quat_of[params.name], physicsClientId=self._client)
            self._paint(body, params)
        for name, body in self._shown.items():
            if shown.get(name) != body:
                self._park(body)
        self._shown = shown
        return index

    def _park(self, body: int) -> None:
        self._p.resetBasePositionAndOrientation(body, _PARKED_M, (0, 0, 0, 1), physicsClientId=self._client)

    def _body(self, params: BodyParams) -> int:
        variants = self._variants.setdefault(params.name, {})
        if params.size_scale not in variants:
            if len(variants) >= _VARIANTS:
                oldest = variants.pop(next(iter(variants)))
                self._look.pop(oldest, None)
                self._shown = {n: b for n, b in self._shown.items() if b != oldest}
                self._p.removeBody(oldest, physicsClientId=self._client)
            variants[params.size_scale] = self._make(params)
        return variants[params.size_scale]

    def _make(self, params: BodyParams) -> int:
        shape, size = body_shape(self.rig, params)
        scaled = [params.size_scale * v for v in size]
        kinds = {
            "box": lambda: {"shapeType": self._p.GEOM_BOX, "halfExtents": [v / 2 for v in scaled]},
            "sphere": lambda: {"shapeType": self._p.GEOM_SPHERE, "radius": scaled[0]},
            "cylinder": lambda: {
                "shapeType": self._p.GEOM_CYLINDER,
                "radius": scaled[0],
                "length": scaled[1],
            },
        }
        visual = self._p.createVisualShape(**kinds[shape](), physicsClientId=self._client)
        return int(
            self._p.createMultiBody(
                baseMass=0, baseVisualShapeIndex=visual, basePosition=_PARKED_M, physicsClientId=self._client
            )
        )

    def _paint(self, body: int, params: BodyParams) -> None:
        look = (params.rgb, params.texture)
        if self._look.get(body) == look:
            return
        self._look[body] = look
        # TinyRenderer's bytes overflow for colours above 1.
        colour = [min(max(c, 0.0), 1.0) for c in params.rgb]
        texture = -1 if params.texture == "none" else self._texture(params.texture)
        self._p.changeVisualShape(
            body, -1, textureUniqueId=texture, rgbaColor=[*colour, 1.0], physicsClientId=self._client
        )

    def _texture(self, name: str) -> int:
        """Return PyBullet's id of a texture; each is loaded once, since PyBullet never frees one."""
        if name not in self._textures:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "texture.png"
                cv2.imwrite(str(path), np.ascontiguousarray(texture_picture(name)[..., ::-1]))
                self._textures[name] = self._p.loadTexture(str(path), physicsClientId=self._client)
        return self._textures[name]

    def _load_robot(self) -> None:
        assert self.rig.robot is not None
        path = urdf_path(self.rig)
        quat = Rotation.from_euler("xyz", self.rig.robot.rpy_rad).as_quat().tolist()
        try:
            self._robot = self._p.loadURDF(
                str(path), self.rig.robot.position_m, quat, useFixedBase=True, physicsClientId=self._client
            )
        except self._p.error as error:
            raise InputError(f"rig {self.rig.name}: PyBullet cannot load {path}: {error}") from None
        for k in range(self._p.getNumJoints(self._robot, physicsClientId=self._client)):
            name = self._p.getJointInfo(self._robot, k, physicsClientId=self._client)[1].decode()
            self._joint_index[name] = k
        for shape in self._p.getVisualShapeData(self._robot, physicsClientId=self._client):
            self._link_colours.append((shape[1], tuple(shape[7])))

    def _apply_robot(self, world: WorldParams, params: BodyParams) -> int:
        assert self._robot is not None
        for name, position in world.joint_positions().items():
            self._p.resetJointState(self._robot, self._joint_index[name], position, physicsClientId=self._client)
        matrix = frame_matrices_of_robot(self.rig, params)
        dynamics = self._p.getDynamicsInfo(self._robot, -1, physicsClientId=self._client)
        # PyBullet places the base by its centre of mass, a URDF by its link frame.
        position, quat = self._p.multiplyTransforms(matrix[0], matrix[1], dynamics[3], dynamics[4])
        self._p.resetBasePositionAndOrientation(self._robot, position, quat, physicsClientId=self._client)
        look = (params.rgb, "none")
        if self._look.get(self._robot) != look:
            self._look[self._robot] = look
            for link, rgba in self._link_colours:
                tinted = [min(max(c * t, 0.0), 1.0) for c, t in zip(rgba, params.rgb, strict=False)]
                self._p.changeVisualShape(self._robot, link, rgbaColor=[*tinted, rgba[3]], physicsClientId=self._client)
        return self._robot


def frame_matrices_of_robot(rig: Rig, params: BodyParams) -> tuple[list[float], list[float]]:
    """Return position and xyzw quaternion of the robot's base link in the world."""
    assert rig.robot is not None
    nominal = Rotation.from_euler("xyz", rig.robot.rpy_rad)
    own = Rotation.from_euler("xyz", params.rpy_rad)
    position = np.asarray(rig.robot.position_m) + nominal.apply(params.position_m)
    return position.tolist(), (nominal * own).as_quat().tolist()
