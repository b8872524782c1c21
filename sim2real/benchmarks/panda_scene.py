"""The scene of the rendering benchmark: a Franka Panda behind a table with a cube on it, over a floor, in PyBullet."""

from __future__ import annotations

import importlib

import numpy as np
from numpy.typing import NDArray

from calibration.camera import CameraIntrinsics
from calibration.pose import look_at
from calibration.view import CameraView
from calibration.world import LightParams
from envs.rendering.client_arrays import ClientArrays
from envs.rendering.scene_arrays import SceneArrays
from envs.simulation import Simulation

EYE_M, TARGET_M = (1.3, 0.6, 0.8), (0.3, 0.0, 0.2)
VERTICAL_FOV_RAD = np.pi / 4
NEAR_M, FAR_M = 0.02, 20.0
JOINTS = 7


class PandaScene:
    """The scene in a physics client, with `count` poses of the arm."""

    def __init__(self, count: int, seed: int = 0) -> None:
        """Load the bodies and draw the poses: each joint within 0.5 rad of where the arm is bent."""
        self.simulation = Simulation()
        p, client = self.simulation.pybullet, self.simulation.client
        self.pybullet, self.client = p, client
        p.setAdditionalSearchPath(importlib.import_module("pybullet_data").getDataPath(), physicsClientId=client)
        p.loadURDF("plane.urdf", [0, 0, -0.6], physicsClientId=client)
        self.robot: int = p.loadURDF("franka_panda/panda.urdf", useFixedBase=True, physicsClientId=client)
        self._add_box((0.5, 0.6, 0.02), (0.3, 0.0, -0.02), (0.8, 0.7, 0.5, 1.0), 0.0)
        self.cube = self._add_box((0.02, 0.02, 0.02), (0.5, 0.1, 0.02), (1.0, 0.1, 0.1, 1.0), 0.1)
        rng = np.random.default_rng(seed)
        bent = np.array([0.0, -0.4, 0.0, -1.8, 0.0, 1.6, 0.8])
        self.joints: NDArray[np.float64] = bent + rng.uniform(-0.5, 0.5, (count, JOINTS))
        self.arrays = ClientArrays(p, client)
        self.view = look_at(EYE_M, TARGET_M)
        self.poses = np.array([self._pose(k) for k in range(count)])

    def _add_box(self, half: tuple[float, ...], at: tuple[float, ...], rgba: tuple[float, ...], mass: float) -> int:
        p, options = self.pybullet, {"physicsClientId": self.client}
        visual = p.createVisualShape(p.GEOM_BOX, halfExtents=half, rgbaColor=rgba, **options)
        solid = p.createCollisionShape(p.GEOM_BOX, halfExtents=half, **options)
        return int(p.createMultiBody(mass, solid, visual, at, **options))

    def place(self, k: int) -> None:
        """Bring the arm to pose `k`."""
        for joint, position in enumerate(self.joints[k]):
            self.pybullet.resetJointState(self.robot, joint, position, physicsClientId=self.client)

    def _pose(self, k: int) -> NDArray[np.float32]:
        self.place(k)
        return self.arrays.poses()

    def camera(self, size_px: int) -> CameraIntrinsics:
        """Return the square camera of the benchmark."""
        return CameraIntrinsics.from_vertical_fov(size_px, size_px, VERTICAL_FOV_RAD)

    def scene(self, size_px: int, shadow: bool, poses: NDArray[np.float32] | None = None) -> SceneArrays:
        """Return the views of all poses, or of those given, (N, I, 3, 4)."""
        chosen = self.poses if poses is None else poses
        views = [CameraView(self.camera(size_px), self.view)] * len(chosen)
        return self.arrays.arrays(chosen, views, LightParams(shadow=shadow))

    def close(self) -> None:
        """Disconnect; twice is fine."""
        self.simulation.close()
