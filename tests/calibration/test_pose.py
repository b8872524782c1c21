import math

import numpy as np
import pybullet
import pytest
from scipy.spatial.transform import Rotation

from calibration.kinematics import matrix_of
from calibration.pose import Pose, look_at


def random_pose(rng: np.random.Generator, parent: str, child: str) -> tuple[Pose, np.ndarray]:
    """Return a pose and the same as a (4, 4) matrix, made without Pose."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.random(rng=rng).as_matrix()
    matrix[:3, 3] = rng.normal(size=3)
    quat = tuple(Rotation.from_matrix(matrix[:3, :3]).as_quat())
    return Pose(parent, child, tuple(matrix[:3, 3]), quat), matrix


@pytest.mark.parametrize("seed", range(5))
def test_chain_and_inverse_are_those_of_matrices(seed: int) -> None:
    rng = np.random.default_rng(seed)
    world_from_arm, a = random_pose(rng, "world", "arm")
    arm_from_tool, b = random_pose(rng, "arm", "tool")

    chained = world_from_arm @ arm_from_tool

    assert (chained.parent, chained.child) == ("world", "tool")
    np.testing.assert_allclose(chained.matrix(), a @ b, atol=1e-12)
    assert (chained.inverse().parent, chained.inverse().child) == ("tool", "world")
    np.testing.assert_allclose(chained.inverse().matrix(), np.linalg.inv(a @ b), atol=1e-12)
    np.testing.assert_allclose(Pose.from_matrix("world", "arm", a).matrix(), a, atol=1e-12)


def test_apply_keeps_the_shape_and_moves_each_point() -> None:
    rng = np.random.default_rng(3)
    world_from_arm, matrix = random_pose(rng, "world", "arm")
    points = rng.normal(size=(2, 4, 3))
    homogeneous = np.concatenate([points, np.ones((2, 4, 1))], axis=-1)
    np.testing.assert_allclose(world_from_arm.apply(points), (homogeneous @ matrix.T)[..., :3], rtol=0, atol=1e-12)
    assert world_from_arm.apply(points[0, 0]).shape == (3,)


def test_frames_that_do_not_meet_cannot_be_chained() -> None:
    world_from_arm = Pose("world", "arm", (0.0, 0.0, 0.0))
    with pytest.raises(ValueError, match="cannot chain") as error:
        world_from_arm @ Pose("camera", "board", (0.0, 0.0, 0.0))
    assert str(error.value) == "cannot chain world_from_arm with camera_from_board: 'arm' is not 'camera'"


@pytest.mark.parametrize("rpy", [(0.3, -0.7, 1.9), (-2.5, 1.2, 0.1), (0.0, 0.0, math.pi / 2), (3.0, 0.4, -3.0)])
def test_roll_pitch_yaw_is_the_one_of_pybullet(rpy: tuple[float, float, float]) -> None:
    truth = np.reshape(pybullet.getMatrixFromQuaternion(pybullet.getQuaternionFromEuler(rpy)), (3, 3))
    position = (0.1, 0.2, 0.3)
    pose = Pose.from_rpy("world", "body", position, rpy)
    np.testing.assert_allclose(pose.matrix()[:3, :3], truth, atol=1e-9)
    np.testing.assert_allclose(matrix_of(position, rpy), pose.matrix(), atol=1e-12)


def test_look_at_has_x_right_y_down_z_forward() -> None:
    # From the origin along +y, with z up: right is +x, down is -z.
    pose = look_at((0.0, 0.0, 1.0), (0.0, 5.0, 1.0))
    np.testing.assert_allclose(pose.rotation.as_matrix().T, [[1, 0, 0], [0, 0, -1], [0, 1, 0]], atol=1e-12)
    assert pose.position_m == (0.0, 0.0, 1.0)
    assert (pose.parent, pose.child) == ("world", "camera")


def test_look_at_puts_the_target_on_the_optical_axis_and_the_horizon_level() -> None:
    pose = look_at((1.0, -2.0, 3.0), (0.2, 0.5, 0.7))
    in_camera = pose.inverse().apply([(0.2, 0.5, 0.7), (1.0, -2.0, 4.0)])
    np.testing.assert_allclose(in_camera[0], [0, 0, math.dist((1, -2, 3), (0.2, 0.5, 0.7))], atol=1e-12)
    assert abs(in_camera[1, 0]) < 1e-12, "a point straight above the camera has no x"
    assert in_camera[1, 1] < 0, "and lies up, against y"


@pytest.mark.parametrize("target", [(1.0, 2.0, 3.0), (1.0, 2.0, 7.0)])
def test_look_at_without_a_direction(target: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="look_at needs a target away from the eye and off its up axis, got"):
        look_at((1.0, 2.0, 3.0), target)


def test_a_pose_holds_a_rotation_and_finite_numbers() -> None:
    with pytest.raises(ValueError, match=r"a_from_b: \|quat_xyzw\| must be 1, got 2\.000000"):
        Pose("a", "b", (0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 2.0))
    with pytest.raises(ValueError, match="a_from_b must be finite"):
        Pose("a", "b", (0.0, math.nan, 0.0))


def test_chains_and_rotation_vectors_are_as_scipy_has_them() -> None:
    rng = np.random.default_rng(5)
    for scale in (0.0, 1e-12, 0.3, 3.0, 7.0):
        for _ in range(20):
            one, two = rng.normal(size=3), rng.normal(size=3)
            turn = tuple((scale * rng.normal(size=3)).tolist())
            other = Rotation.from_rotvec(rng.normal(size=3) * 3)
            made = Pose.from_rotvec("a", "b", tuple(one.tolist()), turn)
            expected = Pose.from_rotation("a", "b", one, Rotation.from_rotvec(turn))
            np.testing.assert_allclose(made.quat_xyzw, expected.quat_xyzw, atol=1e-12)
            chained = made @ Pose.from_rotation("b", "c", two, other)
            whole = expected.matrix() @ Pose.from_rotation("b", "c", two, other).matrix()
            np.testing.assert_allclose(chained.matrix(), whole, atol=1e-12)
            np.testing.assert_allclose(
                chained.quat_xyzw, (expected.rotation * other).as_quat(canonical=True), atol=1e-12
            )
