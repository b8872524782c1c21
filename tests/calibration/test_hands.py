from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from calibration.bodies import Robot
from calibration.errors import InputError
from calibration.hands import with_hand
from calibration.kinematics import joint_matrices, urdf_path
from calibration.rig_file import load_rig

ARM = """<robot name="arm"><link name="base"/><link name="tip"/>
<joint name="turn" type="revolute"><parent link="base"/><child link="tip"/><origin xyz="0 0 1"/><axis xyz="0 0 1"/>
<limit lower="-1" upper="1" effort="1" velocity="1"/></joint></robot>"""
HAND = """<robot name="hand"><link name="palm"><visual><geometry><mesh filename="meshes/palm.stl"/></geometry></visual>
</link></robot>"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SIM2REAL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    (tmp_path / "arm.urdf").write_text(ARM)
    (tmp_path / "hand.urdf").write_text(HAND)
    return tmp_path / "arm.urdf", tmp_path / "hand.urdf"


def test_the_hand_is_where_it_was_put_and_its_meshes_are_found(files: tuple[Path, Path], cache: Path) -> None:
    joined = with_hand(*files, "tip", (0.0, 0.0, 0.5), (0.0, np.pi / 2, 0.0))
    assert joined.is_relative_to(cache)
    mesh = next(ElementTree.parse(joined).getroot().iter("mesh"))
    assert mesh.get("filename") == str(files[1].parent / "meshes" / "palm.stl")
    panda = load_rig("panda_tabletop")
    rig = replace(panda, robot=Robot(str(joined)))
    palm = joint_matrices(rig, {"turn": np.pi / 2})["palm"]
    np.testing.assert_allclose(palm[:3, 3], [0.0, 0.0, 1.5], atol=1e-8)
    np.testing.assert_allclose(palm[:3, :3] @ [0, 0, 1], [0, 1, 0], atol=1e-8)


def test_joined_twice_is_the_same_file_and_another_place_is_another(files: tuple[Path, Path]) -> None:
    zero = (0.0, 0.0, 0.0)
    one = with_hand(*files, "tip", zero, zero)
    assert with_hand(*files, "tip", zero, zero) == one
    assert with_hand(*files, "base", zero, zero) != one


def test_what_cannot_be_joined_is_said(files: tuple[Path, Path], tmp_path: Path) -> None:
    zero = (0.0, 0.0, 0.0)
    with pytest.raises(InputError, match=r"hand_link must be a link of arm.urdf, got 'wrist'; known: base, tip"):
        with_hand(*files, "wrist", zero, zero)
    with pytest.raises(InputError, match="must have different names, but both have the joint 'turn'"):
        with_hand(files[0], files[0], "tip", zero, zero)
    (tmp_path / "bad.urdf").write_text("<robot")
    with pytest.raises(InputError, match=r"must be URDF files, got .*bad.urdf"):
        with_hand(files[0], tmp_path / "bad.urdf", "tip", zero, zero)


def test_a_cache_that_cannot_be_written_is_done_without(files: tuple[Path, Path], cache: Path) -> None:
    cache.write_text("a file where a folder should be")
    assert with_hand(*files, "tip", (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)).is_file()


def test_the_shipped_arm_with_a_hand_is_one_file() -> None:
    rig = load_rig("kuka_tabletop")
    names = {e.get("name") for e in ElementTree.parse(urdf_path(rig)).getroot().iter("link")}
    assert {"lbr_iiwa_link_7", "gripper_left_finger"} <= names
