from pathlib import Path

import numpy as np
import pytest

from calibration.errors import InputError
from calibration.kinematics import frame_matrices, nominal_world
from calibration.rig import Rig
from calibration.rig_file import load_rig, parse_rig
from calibration.world import with_values
from envs.scene import Scene
from envs.scene_shapes import distractor_shape
from envs.simulation import Simulation

ROBOT = """\
[robot]
urdf = "pybullet_data:franka_panda/panda.urdf"
position_m = [0.1, -0.2, 0.3]
rpy_rad = [0.1, -0.2, 0.7]

[camera]"""


@pytest.fixture(scope="module")
def panda(small_rig: str) -> Rig:
    return parse_rig(small_rig.replace("[camera]", ROBOT), "test", Path())


def matrix(p: object, position: list[float], quat: list[float]) -> np.ndarray:
    result = np.eye(4)
    result[:3, :3] = np.reshape(p.getMatrixFromQuaternion(quat), (3, 3))  # type: ignore[attr-defined]
    result[:3, 3] = position
    return result


def test_links_of_the_scene_are_the_frames_that_labels_come_from(panda: Rig) -> None:
    nominal = nominal_world(panda)
    moved = with_values(
        nominal,
        {
            "bodies.robot.position_m": (0.05, 0.1, -0.2),
            "bodies.robot.rpy_rad": (0.2, 0.1, -0.4),
            "joints.panda_joint2.position": 0.7,
            "joints.panda_joint4.position": -1.5,
            "joints.panda_finger_joint1.position": 0.03,
        },
    )
    with Simulation() as simulation:
        scene = Scene(simulation, panda)
        p = simulation.pybullet
        for world in (moved, nominal):
            index = scene.apply(world)
            robot = next(body for body, k in index.items() if world.bodies[k].name == "robot")
            frames = frame_matrices(panda, world)
            for k in range(p.getNumJoints(robot, physicsClientId=simulation.client)):
                name = p.getJointInfo(robot, k, physicsClientId=simulation.client)[12].decode()
                state = p.getLinkState(robot, k, computeForwardKinematics=True, physicsClientId=simulation.client)
                np.testing.assert_allclose(matrix(p, state[4], state[5]), frames[name], atol=1e-5, err_msg=name)


def test_bodies_of_the_scene_stand_where_the_world_says() -> None:
    rig = load_rig("psm_tool")
    world = with_values(nominal_world(rig), {"joints.yaw.position": -0.6, "bodies.shaft.rpy_rad": (0.1, 0.2, 0.3)})
    with Simulation() as simulation:
        index = Scene(simulation, rig).apply(world)
        frames = frame_matrices(rig, world)
        assert {world.bodies[k].name for k in index.values()} == {
            "shaft",
            "small_ball",
            "large_ball",
            "gripper",
        }
        for body, k in index.items():
            place = simulation.pybullet.getBasePositionAndOrientation(body, physicsClientId=simulation.client)
            name = world.bodies[k].name
            np.testing.assert_allclose(matrix(simulation.pybullet, *place), frames[name], atol=1e-6, err_msg=name)


def test_a_primitive_body_may_be_called_robot(small_rig: str) -> None:
    text = small_rig.replace('name = "screen"\nrole = "surface"', 'name = "robot"\nrole = "robot"')
    rig = parse_rig(text, "test", Path())
    world = nominal_world(rig)
    with Simulation() as simulation:
        index = Scene(simulation, rig).apply(world)
    assert {world.bodies[k].name for k in index.values()} == {"target", "robot"}


def test_a_urdf_that_pybullet_cannot_load(small_rig: str, tmp_path: Path) -> None:
    (tmp_path / "arm.urdf").write_text('<robot name="a"><link name="tip"><inertial/></link></robot>')
    text = small_rig.replace("[camera]", '[robot]\nurdf = "arm.urdf"\n\n[camera]')
    (tmp_path / "rig.toml").write_text(text)
    rig = load_rig(str(tmp_path / "rig.toml"))
    with (
        Simulation() as simulation,
        pytest.raises(InputError, match=r"rig small: PyBullet cannot load .*arm\.urdf: "),
    ):
        Scene(simulation, rig)


def test_a_distractor_keeps_its_shape_within_the_range_of_sizes() -> None:
    rig = load_rig("cube_on_table")
    assert rig.distractors is not None
    low, high = rig.distractors.size_m
    shapes = [distractor_shape(rig, f"distractor{k}") for k in range(rig.distractors.count)]
    assert shapes == [distractor_shape(rig, f"distractor{k}") for k in range(rig.distractors.count)]
    assert {shape for shape, _ in shapes} == {"box", "sphere", "cylinder"}
    assert len(set(shapes)) == len(shapes)
    for shape, size in shapes:
        if shape == "sphere":
            assert low / 2 <= size[0] <= high / 2
        elif shape == "cylinder":
            assert low / 3 <= size[0] <= high / 3
            assert low <= size[1] <= high
        else:
            assert all(low <= side <= high for side in size[:2])
            assert 0.999 * low / 10 <= size[2] <= high


def test_a_simulation_closes_twice_and_leaves_others_open() -> None:
    one, other = Simulation(), Simulation()
    one.close()
    one.close()
    assert other.pybullet.isConnected(other.client)
    other.close()
    assert not other.pybullet.isConnected(other.client)
