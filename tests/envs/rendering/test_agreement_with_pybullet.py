"""Arms at random poses: the CPU rasteriser against TinyRenderer, the independent reference."""

from pathlib import Path

import numpy as np
import pybullet
import pybullet_data
import pytest

from calibration.camera import CameraIntrinsics
from calibration.pose import look_at
from calibration.view import CameraView
from envs.rendering.client_arrays import ClientArrays
from envs.rendering.cpu.rasterizer import CpuRasterizer
from envs.rendering.opengl import depth_from_buffer, projection_matrix, view_matrix
from envs.simulation import Simulation

SIZE = 224
NEAR_M, FAR_M = 0.02, 20.0
# File, eye and what it looks at.
ROBOTS = {
    "Panda": ("franka_panda/panda.urdf", (1.3, 0.9, 0.9), (0.1, 0.0, 0.4)),
    "KUKA iiwa": ("kuka_iiwa/model.urdf", (1.5, 1.0, 1.0), (0.0, 0.0, 0.6)),
    "xArm": ("xarm/xarm6_robot.urdf", (1.2, 0.9, 0.8), (0.1, 0.0, 0.3)),
    "SO-101": ("so101/so101_new_calib.urdf", (0.5, 0.4, 0.4), (0.1, 0.0, 0.12)),
}


def urdf_of(name: str, request: pytest.FixtureRequest) -> Path:
    folder = request.getfixturevalue("robots") if name == "SO-101" else Path(pybullet_data.getDataPath())
    return folder / ROBOTS[name][0]


def agreement(
    urdf: Path, eye: tuple[float, ...], target: tuple[float, ...], count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the share of pixels with the same segment, and the median depth difference, metres, of each pose."""
    rng = np.random.default_rng(7)
    camera = CameraIntrinsics.from_vertical_fov(SIZE, SIZE, 0.8)
    view = look_at(eye, target)
    shares, depths = [], []
    with Simulation() as simulation:
        client = {"physicsClientId": simulation.client}
        robot = pybullet.loadURDF(str(urdf), useFixedBase=True, **client)
        arrays = ClientArrays(pybullet, simulation.client)
        rasterizer = CpuRasterizer(samples=1)
        joints = [pybullet.getJointInfo(robot, k, **client) for k in range(pybullet.getNumJoints(robot, **client))]
        moving = [(j[0], j[8], j[9]) for j in joints if j[2] != pybullet.JOINT_FIXED]
        for _ in range(count):
            for joint, low, high in moving:
                low, high = (low, high) if low < high else (-1.0, 1.0)
                pybullet.resetJointState(robot, joint, rng.uniform(max(low, -2.0), min(high, 2.0)), **client)
            _, _, _, buffer, bodies = pybullet.getCameraImage(
                SIZE,
                SIZE,
                view_matrix(view).T.ravel().tolist(),
                # TinyRenderer samples half a pixel off.
                projection_matrix(camera, NEAR_M, FAR_M, -0.5).T.ravel().tolist(),
                renderer=pybullet.ER_TINY_RENDERER,
                **client,
            )
            depth = depth_from_buffer(np.reshape(np.asarray(buffer, np.float32), (SIZE, SIZE)), NEAR_M, FAR_M)
            bodies = np.reshape(bodies, (SIZE, SIZE))
            drawing = rasterizer.draw(arrays.arrays(arrays.poses()[None], [CameraView(camera, view)]))
            segment = drawing.segment[0]
            both = (segment >= 0) & (bodies >= 0)
            assert both.sum() > 1000
            shares.append((segment == bodies).mean())
            depths.append(np.median(np.abs(drawing.depth_m[0][both] - depth[both])))
        rasterizer.close()
    return np.array(shares), np.array(depths)


@pytest.mark.parametrize("name", ROBOTS)
def test_a_few_poses_agree(name: str, request: pytest.FixtureRequest) -> None:
    shares, depths = agreement(urdf_of(name, request), *ROBOTS[name][1:], count=3)
    assert shares.min() > 0.99
    assert depths.max() < 0.001


@pytest.mark.slow
@pytest.mark.parametrize("name", ROBOTS)
def test_fifty_poses_agree(name: str, request: pytest.FixtureRequest) -> None:
    shares, depths = agreement(urdf_of(name, request), *ROBOTS[name][1:], count=50)
    assert shares.min() > 0.99
    assert depths.max() < 0.001
