from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from calibration.kinematics import urdf_path
from calibration.rig_file import load_rig
from envs.arm.physics import PhysicsWorld
from envs.arm.settings import PhysicsSettings
from envs.arm.tool_kinematics import ToolKinematics
from envs.simulation import Simulation

RIG = load_rig("panda_tabletop")


@pytest.fixture(scope="module")
def physics() -> Iterator[PhysicsWorld]:
    world = PhysicsWorld(RIG, PhysicsSettings(), ("cube",))
    yield world
    world.close()


@pytest.fixture(scope="module")
def kinematics(physics: PhysicsWorld) -> ToolKinematics:
    return ToolKinematics(RIG, {n: (m.low, m.high) for n, m in physics.motors.items()})


def random_positions(kinematics: ToolKinematics, seed: int) -> Any:
    return np.random.default_rng(seed).uniform(kinematics.limits.low, kinematics.limits.high)


@pytest.mark.parametrize("seed", range(5))
def test_the_tool_is_where_pybullet_has_it(kinematics: ToolKinematics, seed: int) -> None:
    positions = random_positions(kinematics, seed)
    with Simulation() as simulation:
        p, client = simulation.pybullet, simulation.client
        robot = p.loadURDF(str(urdf_path(RIG)), useFixedBase=True, physicsClientId=client)
        infos = [p.getJointInfo(robot, k, physicsClientId=client) for k in range(p.getNumJoints(robot, client))]
        index = {info[1].decode(): k for k, info in enumerate(infos)}
        link = {info[12].decode(): k for k, info in enumerate(infos)}["panda_grasptarget"]
        for name, value in zip(kinematics.joints, positions, strict=True):
            p.resetJointState(robot, index[name], value, physicsClientId=client)
        state = p.getLinkState(robot, link, computeForwardKinematics=True, physicsClientId=client)
        rotation = np.reshape(p.getMatrixFromQuaternion(state[5]), (3, 3))
    found, turned = kinematics.pose(positions)
    np.testing.assert_allclose(found, state[4], atol=1e-6)
    np.testing.assert_allclose(turned, rotation, atol=1e-6)


def test_the_jacobian_is_the_slope_of_the_pose(kinematics: ToolKinematics) -> None:
    positions = random_positions(kinematics, 7)
    jacobian, step = kinematics.jacobian(positions), 1e-6
    for j in range(len(positions)):
        moved = np.eye(len(positions))[j] * step
        (ahead, turned), (behind, before) = kinematics.pose(positions + moved), kinematics.pose(positions - moved)
        spin = (turned - before) @ kinematics.pose(positions)[1].T / (2 * step)
        np.testing.assert_allclose(jacobian[:3, j], (ahead - behind) / (2 * step), atol=1e-7)
        np.testing.assert_allclose(jacobian[3:, j], [spin[2, 1], spin[0, 2], spin[1, 0]], atol=1e-7)


def test_the_tool_reaches_a_pose_within_the_limits(kinematics: ToolKinematics) -> None:
    rest = np.array([RIG.robot.start[name] for name in kinematics.joints]) if RIG.robot else np.zeros(7)
    _, down = kinematics.pose(rest)
    rng = np.random.default_rng(0)
    for _ in range(50):
        target = np.array([0.5, 0.0, 0.2]) + rng.uniform(-0.15, 0.15, 3)
        found = kinematics.reach(rest, target, down, rest, 60)
        place, rotation = kinematics.pose(found)
        np.testing.assert_allclose(place, target, atol=2e-4)
        np.testing.assert_allclose(rotation, down, atol=4e-3)
        assert (found >= kinematics.limits.low).all()
        assert (found <= kinematics.limits.high).all()
