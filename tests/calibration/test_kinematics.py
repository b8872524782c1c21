import csv
import math
from pathlib import Path

import numpy as np
import pybullet
import pybullet_data
import pytest

from calibration.errors import InputError
from calibration.kinematics import frame_matrices, joint_matrices, nominal_world, urdf_path
from calibration.lifting import label_point, label_point_of_joints
from calibration.rig import Rig
from calibration.rig_file import load_rig, parse_rig
from calibration.world import with_values

PANDA = Path(pybullet_data.getDataPath()) / "franka_panda/panda.urdf"
BASE_POSITION, BASE_RPY = (0.1, -0.2, 0.3), (0.2, -0.1, 0.7)


def joint_four(q1: float, q2: float, q3: float) -> np.ndarray:
    """Return joint 4 of the PSM in its base, as the README of the recording gives it."""
    d = q3 - 0.4318 + 0.4162
    x = d * math.cos(q2) * math.sin(q1)
    return np.array([x, -d * math.sin(q2), -d * math.cos(q1) * math.cos(q2)])


def test_primitive_arm_is_its_closed_form() -> None:
    rig = load_rig("psm_tool")
    rng = np.random.default_rng(0)
    for _ in range(20):
        q = dict(zip(("yaw", "pitch", "insertion"), rng.uniform((-1.2, -0.9, 0.05), (1.2, 0.9, 0.3)), strict=True))
        np.testing.assert_allclose(label_point_of_joints(rig, q), joint_four(*q.values()), atol=1e-12)


@pytest.mark.real
def test_primitive_arm_is_where_the_recording_says(real_data: Path) -> None:
    rig = load_rig("psm_tool")
    columns = {joint.name: joint.column for joint in rig.joints}
    with (real_data / "dvrk_psm_tool" / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) >= 30
    for row in rows:
        joints = {name: float(row[str(column)]) for name, column in columns.items()}
        measured = [float(row[column]) for column in rig.label.columns]
        np.testing.assert_allclose(label_point_of_joints(rig, joints), measured, atol=1e-6, err_msg=row["frame"])


def rig_with_robot(text: str, urdf: Path | str) -> Rig:
    place = f"position_m = {list(BASE_POSITION)}\nrpy_rad = {list(BASE_RPY)}"
    return parse_rig(text.replace("[camera]", f'[robot]\nurdf = "{urdf}"\n{place}\n\n[camera]'), "test", Path())


def frames_of_pybullet(urdf: Path, drawn: list[dict[str, float]]) -> list[dict[str, np.ndarray]]:
    """Return world_from_link (4, 4) of each link but the root, for each set of joint positions."""
    client = pybullet.connect(pybullet.DIRECT)
    try:
        turn = pybullet.getQuaternionFromEuler(BASE_RPY)
        body = pybullet.loadURDF(str(urdf), BASE_POSITION, turn, useFixedBase=True, physicsClientId=client)
        count = pybullet.getNumJoints(body, physicsClientId=client)
        infos = [pybullet.getJointInfo(body, k, physicsClientId=client) for k in range(count)]
        found = []
        for joints in drawn:
            for k, info in enumerate(infos):
                position = joints.get(info[1].decode(), 0.0)
                pybullet.resetJointState(body, k, position, physicsClientId=client)
            frames = {}
            for k, info in enumerate(infos):
                state = pybullet.getLinkState(body, k, computeForwardKinematics=True, physicsClientId=client)
                matrix = np.eye(4)
                matrix[:3, :3] = np.reshape(pybullet.getMatrixFromQuaternion(state[5]), (3, 3))
                matrix[:3, 3] = state[4]
                frames[info[12].decode()] = matrix
            found.append(frames)
        return found
    finally:
        pybullet.disconnect(physicsClientId=client)


def check_against_pybullet(rig: Rig, urdf: Path, moving: int) -> None:
    rng = np.random.default_rng(1)
    world = nominal_world(rig)
    assert len(world.joints) == moving
    drawn = [{j.name: float(rng.uniform(-1.5, 1.5)) for j in world.joints} for _ in range(5)]
    for joints, truth in zip(drawn, frames_of_pybullet(urdf, drawn), strict=True):
        ours = frame_matrices(rig, with_values(world, {f"joints.{n}.position": q for n, q in joints.items()}))
        assert len(truth) >= moving
        for link, matrix in truth.items():
            np.testing.assert_allclose(ours[link][:3, 3], matrix[:3, 3], atol=1e-5, err_msg=link)
            np.testing.assert_allclose(ours[link][:3, :3], matrix[:3, :3], atol=1e-5, err_msg=link)


def test_panda_is_where_pybullet_puts_it(small_rig: str) -> None:
    rig = rig_with_robot(small_rig, "pybullet_data:franka_panda/panda.urdf")
    assert urdf_path(rig) == PANDA
    check_against_pybullet(rig, PANDA, moving=9)


def test_arm_by_path_is_where_pybullet_puts_it(small_rig: str, robots: Path) -> None:
    urdf = robots / "so101" / "so101_new_calib.urdf"
    check_against_pybullet(rig_with_robot(small_rig, urdf), urdf, moving=6)


def test_a_moved_robot_takes_its_links_along(small_rig: str) -> None:
    """The renderer moves the base by `bodies.robot`, so the frames that labels come from must follow."""
    rig = rig_with_robot(small_rig, "pybullet_data:franka_panda/panda.urdf")
    world = nominal_world(rig)
    moved = with_values(world, {"bodies.robot.position_m": (0.0, 0.0, 0.25), "bodies.robot.rpy_rad": (0.0, 0.0, 0.4)})
    base = frame_matrices(rig, world)["panda_link0"]
    own = np.eye(4)
    own[:3, :3] = [[math.cos(0.4), -math.sin(0.4), 0], [math.sin(0.4), math.cos(0.4), 0], [0, 0, 1]]
    own[2, 3] = 0.25
    for link in ("panda_link0", "panda_hand", "robot"):
        before = frame_matrices(rig, world)[link]
        expected = base @ own @ np.linalg.inv(base) @ before
        np.testing.assert_allclose(frame_matrices(rig, moved)[link], expected, atol=1e-12, err_msg=link)


URDF_WITH_WORLD = """\
<robot name="crane">
  <link name="world"/>
  <link name="hook"/>
  <joint name="lift" type="prismatic">
    <parent link="world"/><child link="hook"/>
    <origin xyz="0 0 1"/><axis xyz="0 0 2"/>
  </joint>
</robot>
"""


def test_a_urdf_whose_root_is_called_world_moves_no_other_body(small_rig: str, tmp_path: Path) -> None:
    (tmp_path / "crane.urdf").write_text(URDF_WITH_WORLD)
    rig = rig_with_robot(small_rig, tmp_path / "crane.urdf")
    frames = frame_matrices(rig, with_values(nominal_world(rig), {"joints.lift.position": 0.5}))
    np.testing.assert_allclose(frames["world"], np.eye(4))
    np.testing.assert_allclose(frames["target"][:3, 3], [0.0, 0.0, 0.5])
    base = np.array(pybullet.getMatrixFromQuaternion(pybullet.getQuaternionFromEuler(BASE_RPY))).reshape(3, 3)
    np.testing.assert_allclose(frames["hook"][:3, 3], np.array(BASE_POSITION) + base @ (0, 0, 1.5), atol=1e-9)


def test_every_object_stands_in_the_middle_of_its_placement() -> None:
    world = nominal_world(load_rig("cube_on_table"))
    cube = world.body("cube")
    np.testing.assert_allclose(cube.position_m, (-0.88, 0.0, 0.93))
    assert cube.rpy_rad == (0.0, 0.0, 0.0)
    assert world.body("table").rgb == (0.82, 0.67, 0.47)
    assert (world.light.azimuth_rad, world.light.elevation_rad, world.light.diffuse) == (2.6, 1.2, 0.4)
    distractors = [b for b in world.bodies if b.role == "distractor"]
    assert len(distractors) == 14
    assert not any(b.present for b in distractors)
    joints = nominal_world(load_rig("psm_tool")).joint_positions()
    assert joints == pytest.approx({"yaw": -0.45, "pitch": -0.14, "insertion": 0.2125})
    assert nominal_world(load_rig("panda_tabletop")).joint_positions()["panda_joint4"] == -2.4


def test_the_label_of_the_nominal_cube_counts_from_the_robot() -> None:
    rig = load_rig("cube_on_table")
    np.testing.assert_allclose(label_point(rig, nominal_world(rig)), (-0.88, 0.0, 0.33))


def test_a_joint_left_out_is_at_zero() -> None:
    rig = load_rig("psm_tool")
    np.testing.assert_allclose(
        joint_matrices(rig, {})["insertion"],
        joint_matrices(rig, dict.fromkeys(("yaw", "pitch", "insertion"), 0.0))["insertion"],
    )


def test_no_such_joint_in_the_urdf(small_rig: str, tmp_path: Path) -> None:
    (tmp_path / "crane.urdf").write_text(URDF_WITH_WORLD)
    text = small_rig.replace(
        "[camera]", f'[robot]\nurdf = "{tmp_path}/crane.urdf"\njoints = {{ lifd = 0.1 }}\n\n[camera]'
    )
    with pytest.raises(InputError, match="rig small: the URDF has no joint 'lifd'; known: lift"):
        nominal_world(parse_rig(text, "test", Path()))
