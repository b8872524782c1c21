from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from calibration.kinematics import frame_matrices, nominal_world, urdf_names
from calibration.rig_file import load_rig
from calibration.view import CameraView
from calibration.world import CameraParams, JointParams
from envs.labels.poses import camera_from_frames
from envs.scene import Scene
from envs.simulation import Simulation


def test_links_are_where_pybullet_has_them() -> None:
    rig = load_rig("panda_tabletop")
    nominal = nominal_world(rig)
    joints = tuple(JointParams(j.name, j.position + 0.1 * (k % 3)) for k, j in enumerate(nominal.joints))
    world = replace(nominal, joints=joints)
    view = CameraView.of(rig).moved(CameraParams((0.1, 0.0, 0.2), (0.1, -0.2, 0.3)))
    poses = camera_from_frames(rig, world, view)
    assert urdf_names(rig)[0] <= set(poses)
    assert not {b.name for b in world.bodies if not b.present} & set(poses)
    with Simulation() as simulation:
        index = Scene(simulation, rig).apply(world)
        p, client = simulation.pybullet, simulation.client
        robot = next(b for b, k in index.items() if world.bodies[k].name == "robot")
        for k in range(p.getNumJoints(robot, physicsClientId=client)):
            link = p.getJointInfo(robot, k, physicsClientId=client)[12].decode()
            state = p.getLinkState(robot, k, computeForwardKinematics=True, physicsClientId=client)
            expected = np.eye(4)
            expected[:3, :3] = Rotation.from_quat(state[5]).as_matrix()
            expected[:3, 3] = state[4]
            found = view.world_from_camera.matrix() @ poses[link]
            np.testing.assert_allclose(found, expected, atol=1e-5, err_msg=link)


@pytest.mark.parametrize("name", ["cube_on_table", "psm_tool"])
def test_poses_are_rigid_and_take_points_to_their_pixels(name: str) -> None:
    rig = load_rig(name)
    world = nominal_world(rig)
    view = CameraView.of(rig).moved(CameraParams((0.01, -0.02, 0.0), (0.0, 0.1, 0.02)))
    poses = camera_from_frames(rig, world, view)
    assert set(poses) == {b.name for b in world.bodies if b.present}
    local = np.array([[0.01, 0.0, 0.0], [0.0, 0.01, 0.02]])
    for body, pose in poses.items():
        np.testing.assert_allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3), atol=1e-12)
        assert np.linalg.det(pose[:3, :3]) == pytest.approx(1)
        frame = frame_matrices(rig, world)[body]
        pixels = view.intrinsics.project(local @ pose[:3, :3].T + pose[:3, 3])
        np.testing.assert_allclose(pixels, view.project(local @ frame[:3, :3].T + frame[:3, 3]), atol=1e-9)
