from pathlib import Path

import numpy as np
import pybullet_data
import pytest

from calibration.errors import InputError
from calibration.kinematics import joint_matrices, matrix_of
from calibration.rig_file import load_rig
from envs.meshes import urdf
from envs.meshes.files import load_mesh
from envs.meshes.mesh import MeshLevels, Part
from envs.meshes.urdf import found_file, urdf_visuals

DATA = Path(pybullet_data.getDataPath())

URDF = """\
<robot name="r">
  <material name="orange"><color rgba="1 0.5 0 1"/></material>
  <link name="world"/>
  <link name="a">
    <visual><origin xyz="1 2 3" rpy="0.1 0.2 0.3"/><geometry><box size="1 2 3"/></geometry>
      <material name="orange"/></visual>
    <visual><geometry><sphere radius="0.5"/></geometry></visual>
    <visual><geometry><cylinder radius="0.1" length="2"/></geometry>
      <material name="own"><color rgba="0 0 1 0.5"/></material></visual>
    <visual><geometry><capsule radius="0.1" length="1"/></geometry><material name="own"/></visual>
    <collision><geometry><box size="9 9 9"/></geometry></collision>
  </link>
  <joint name="j" type="fixed"><parent link="world"/><child link="a"/></joint>
  <link name="b"><visual><geometry><mesh filename="{mesh}" scale="1 1 2"/></geometry>
    <material name="orange"/></visual></link>
</robot>
"""
ONE = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 2 3\nf 1 3 4\n"
TWO = "mtllib m.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nusemtl x\nf 1 2 3\nusemtl y\nf 1 3 4\n"


@pytest.fixture
def robot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SIM2REAL_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "my_robot" / "urdf"
    folder.mkdir(parents=True)
    (tmp_path / "my_robot" / "meshes").mkdir()
    (tmp_path / "my_robot" / "meshes" / "one.obj").write_text(ONE)
    (tmp_path / "my_robot" / "meshes" / "two.obj").write_text(TWO)
    (tmp_path / "my_robot" / "meshes" / "m.mtl").write_text("newmtl x\nKd 1 0 0\nnewmtl y\nKd 0 1 0\n")
    (folder / "r.urdf").write_text(URDF.format(mesh="../meshes/one.obj"))
    return folder / "r.urdf"


def test_primitives_with_poses_and_materials(robot: Path) -> None:
    visuals = urdf_visuals(robot)
    assert [v.link for v in visuals] == ["a", "a", "a", "a", "b"]
    np.testing.assert_allclose(visuals[0].link_from_visual, matrix_of((1, 2, 3), (0.1, 0.2, 0.3)))
    np.testing.assert_array_equal(visuals[1].link_from_visual, np.eye(4))
    extents = [np.ptp(v.levels.meshes[0].positions_m, axis=0).tolist() for v in visuals]
    expected = [[1, 2, 3], [1, 1, 1], [0.2, 0.2, 2], [0.2, 0.2, 1.2], [1, 1, 2]]
    np.testing.assert_allclose(extents, expected, atol=1e-5)
    colours = [[mesh.parts for mesh in v.levels.meshes] for v in visuals]
    orange, white, blue = Part((1.0, 0.5, 0.0)), Part(), Part((0.0, 0.0, 1.0))
    assert [set(parts) for parts in colours] == [{(orange,)}, {(white,)}, {(blue,)}, {(blue,)}, {(orange,)}]


def test_a_mesh_with_several_colours_keeps_them(robot: Path) -> None:
    robot.write_text(URDF.format(mesh="package://my_robot/meshes/two.obj"))
    parts = urdf_visuals(robot)[-1].levels.meshes[0].parts
    assert set(parts) == {Part((1.0, 0.0, 0.0)), Part((0.0, 1.0, 0.0))}


@pytest.mark.parametrize(
    "name",
    ["../meshes/one.obj", "package://my_robot/meshes/one.obj", "model://other_name/meshes/one.obj", "meshes/one.obj"],
)
def test_names_of_meshes_are_found(robot: Path, name: str) -> None:
    assert found_file(name, robot).resolve() == (robot.parents[1] / "meshes" / "one.obj").resolve()
    absolute = found_file(f"file://{robot.parents[1]}/meshes/one.obj", robot)
    assert absolute.is_file()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<robot", "a robot must be a URDF file"),
        (URDF.format(mesh="nowhere.obj"), "got 'nowhere.obj' in .*found neither beside it nor above"),
        (URDF.replace("<sphere radius", "<cone radius").format(mesh="a"), "link 'a' has a visual that is not"),
        (URDF.replace('xyz="1 2 3"', 'xyz="1 2"').format(mesh="a"), "link 'a' has a visual that is not"),
        (URDF.replace('radius="0.5"', 'radius="-1"').format(mesh="a"), "radius of a sphere must be more than 0"),
    ],
)
def test_urdfs_that_cannot_be_used_are_input_errors(robot: Path, text: str, message: str) -> None:
    robot.write_text(text)
    with pytest.raises(InputError, match=message):
        urdf_visuals(robot)


@pytest.fixture
def without_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simplifying whole robots takes a while."""
    monkeypatch.setattr(urdf, "mesh_levels", lambda path, scale: MeshLevels((load_mesh(path, scale),)))


@pytest.mark.usefixtures("without_levels")
def test_colours_of_the_iiwa_are_those_of_its_urdf() -> None:
    colours = [v.levels.meshes[0].parts[0].rgb for v in urdf_visuals(DATA / "kuka_iiwa" / "model.urdf")]
    assert colours[0] == (0.2, 0.2, 0.2)
    assert colours[1] == (0.5, 0.7, 1.0)
    assert colours[3] == pytest.approx((1.0, 0.4235, 0.0392), abs=1e-4)


@pytest.mark.usefixtures("without_levels")
def test_links_of_the_panda_are_frames_of_its_rig_and_its_panel_is_dark() -> None:
    visuals = urdf_visuals(DATA / "franka_panda" / "panda.urdf")
    assert len(visuals) == 11
    assert {v.link for v in visuals} <= set(joint_matrices(load_rig("panda_tabletop"), {}))
    hand = next(v for v in visuals if v.link == "panda_hand").levels.meshes[0]
    shares = np.bincount(hand.triangle_part) / len(hand.triangles)
    dark = sum(share for share, part in zip(shares, hand.parts, strict=True) if max(part.rgb) < 0.6)
    assert 0.3 < dark < 0.5


@pytest.mark.usefixtures("without_levels")
def test_the_so101_has_its_two_colours(robots: Path) -> None:
    visuals = urdf_visuals(robots / "so101" / "so101_new_calib.urdf")
    assert len(visuals) == 17
    assert {v.levels.meshes[0].parts[0].rgb for v in visuals} == {(1.0, 0.82, 0.12), (0.1, 0.1, 0.1)}


@pytest.mark.usefixtures("without_levels")
def test_a_link_called_world_has_the_name_of_its_frame(robot: Path) -> None:
    visual = '<link name="world"><visual><geometry><box size="1 1 1"/></geometry></visual></link>'
    robot.write_text(URDF.replace('<link name="world"/>', visual).format(mesh="../meshes/one.obj"))
    assert urdf_visuals(robot)[0].link == "world of the URDF"
