import csv
import re
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from calibration.errors import InputError
from calibration.kinematics import nominal_world
from calibration.rig_file import load_rig, parse_rig, rig_names

# rgb_T_depth of the pack's camera.yaml.
COLOUR_FROM_DEPTH = np.array(
    [
        [0.9934369921684265, 0.00046422486775554717, 0.11437983065843582],
        [0.0016417854931205511, 0.9998309016227722, -0.018317537382245064],
        [-0.1143689900636673, 0.018385106697678566, 0.9932681918144226],
    ]
)
COLOUR_FROM_DEPTH_M = np.array([15.051234245300293, -1.116340160369873, 0.4433121085166931]) / 1000


@pytest.mark.parametrize("name", rig_names())
def test_a_shipped_rig_loads(name: str) -> None:
    rig = load_rig(name)
    assert rig.name == name
    world = nominal_world(rig)
    assert len({b.name for b in world.bodies}) == len(world.bodies)
    camera = rig.input_camera()
    assert (camera.width_px, camera.height_px) == rig.input_size_px


def test_rigs_are_shipped() -> None:
    assert rig_names() == ["cube_on_table", "kuka_tabletop", "panda_tabletop", "psm_tool", "xarm_tabletop"]


def test_numbers_of_a_rig_file_arrive() -> None:
    rig = load_rig("psm_tool")
    camera = rig.camera.intrinsics()
    assert (camera.fx_px, camera.fy_px) == (1030.518066, 1030.378662)
    assert (camera.cx_px, camera.cy_px) == (373.680725, 328.659149)
    np.testing.assert_allclose(rig.camera.world_from_camera().position_m, (0.0660754, 0.210358, -0.0037586))
    assert rig.body("large_ball").radius_m == 0.012
    assert [j.type for j in rig.joints] == ["revolute", "revolute", "prismatic"]
    assert rig.label.point_frame == "insertion"


@pytest.mark.real
def test_camera_of_the_tool_is_the_rigid_fit_that_its_file_names(real_data: Path) -> None:
    with (real_data / "dvrk_psm_tool" / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))[:10]
    base = np.array([[float(r[f"base_{a}_m"]) for a in "xyz"] for r in rows])
    depth = np.array([[float(r[f"depthcam_{a}_m"]) for a in "xyz"] for r in rows])
    turn, _ = Rotation.align_vectors(depth - depth.mean(0), base - base.mean(0))
    shift = depth.mean(0) - turn.apply(base.mean(0))
    colour_turn = Rotation.from_matrix(COLOUR_FROM_DEPTH)
    camera_from_base = colour_turn * turn
    origin = colour_turn.apply(shift) + COLOUR_FROM_DEPTH_M
    pose = load_rig("psm_tool").camera.world_from_camera()
    np.testing.assert_allclose(pose.position_m, -camera_from_base.inv().apply(origin), atol=1e-5)
    assert (pose.rotation * camera_from_base).magnitude() < 1e-5


def test_a_rig_by_path_knows_its_folder(small_rig: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(small_rig)
    rig = load_rig(str(file))
    assert rig.folder == tmp_path.resolve()
    assert rig.body("target").half_extents_m() == (0.1, 0.1, 0.1)
    assert (rig.camera.intrinsics().cx_px, rig.camera.intrinsics().cy_px) == (159.5, 119.5)


@pytest.mark.parametrize(
    ("lens", "numbers"),
    [("pinhole", [0.49, -2.71, 0.0006, -0.0002, 1.58, 0.37, -2.54, 1.51]), ("fisheye", [0.02, -0.01, 0.003, 0.0, 0.0])],
)
def test_a_camera_may_have_any_lens(lens: str, numbers: list[float], small_rig: str) -> None:
    more = f'focal_px = [300.0, 300.0]\nlens = "{lens}"\ndistortion = {numbers}'
    camera = parse_rig(small_rig.replace("focal_px = [300.0, 300.0]", more), "test", Path()).camera.intrinsics()
    assert (camera.model, camera.distortion) == (lens, tuple(numbers))


def test_field_of_view_instead_of_focal_length(small_rig: str) -> None:
    rig = parse_rig(small_rig.replace("focal_px = [300.0, 300.0]", "vertical_fov_rad = 0.9"), "test", Path())
    assert rig.camera.intrinsics().fy_px == pytest.approx(120 / np.tan(0.45))


JOINT = """\
[[joints]]
name = "q1"
parent = "{parent}"
type = "revolute"
axis = [0.0, 0.0, 1.0]
limits = [-1.0, 1.0]

"""
PLACEMENT = """\
[[placements]]
body = "{body}"
x_m = [{low}, 1.0]
y_m = [0.0, 1.0]
z_m = [0.0, 1.0]

[[keypoints]]"""
SCREEN = "size_m = [0.02, 1.0, 1.0]"
BAD_RIGS = {
    "unknown key": (
        ("position_m = [0.0, 0.0, 0.5]", "positon_m = [0.0, 0.0, 0.5]"),
        r"my\.toml\.bodies\[0\]: unknown key 'positon_m'; did you mean 'position_m'\?",
    ),
    "unknown table": (
        ("[camera]", "[weather]\nrain = 1\n\n[camera]"),
        r"my\.toml: unknown key 'weather'; known: name, ",
    ),
    "folder is not the user's": (
        ("format = 1", 'format = 1\nfolder = "x"'),
        r"my\.toml: unknown key 'folder'",
    ),
    "format of another version": (("format = 1", "format = 2"), r"my\.toml: format must be 1, got 2"),
    "size in mm by name": (
        (SCREEN, "size_mm = [20.0, 1000.0, 1000.0]"),
        r"bodies\[1\]: unknown key 'size_mm'; did you mean 'size_m'\?",
    ),
    "size in mm by value": (
        (SCREEN, "size_m = [80.0, 1.0, 1.0]"),
        r"bodies\[1\]: size_m must be at most 50 m, got 80; is it in mm\?",
    ),
    "size of zero": (
        (SCREEN, "size_m = [0.02, 0.0, 1.0]"),
        r"bodies\[1\]: size_m must be more than 0 m, got 0",
    ),
    "negative size": ((SCREEN, "size_m = [0.02, 1.0, -1.0]"), r"size_m must be more than 0 m, got -1"),
    "size that is no number": (
        (SCREEN, "size_m = [0.02, nan, 1.0]"),
        r"bodies\[1\]\.size_m\[1\] must be finite, got nan",
    ),
    "position that is no number": (
        ("position_m = [0.0, 0.0, 0.5]", "position_m = [0.0, inf, 0.5]"),
        r"bodies\[0\]\.position_m\[1\] must be finite, got inf",
    ),
    "too few sizes": ((SCREEN, "size_m = [0.02, 1.0]"), r"bodies\[1\]\.size_m must have 3 values, got 2"),
    "size of another shape": ((SCREEN, "radius_m = 0.02"), r"a box needs size_m, not "),
    "relative size in percent": (
        (SCREEN, SCREEN + "\nsize_uncertainty = 5.0"),
        r"size_uncertainty is relative, 0 to 0\.5, got 5",
    ),
    "unknown shape": (
        ('shape = "box"', 'shape = "cube"'),
        r"bodies\[0\]\.shape must be one of box, sphere, cylinder, got 'cube'",
    ),
    "field of view in degrees": (
        ("focal_px = [300.0, 300.0]", "vertical_fov_rad = 45.0"),
        r"camera: vertical_fov_rad must lie between 0 and pi, got 45; is it in degrees\?",
    ),
    "rotation uncertainty in degrees": (
        ("focal_px = [300.0, 300.0]", "focal_px = [300.0, 300.0]\nrotation_std_rad = 2.0"),
        r"camera: rotation_std_rad must be below 1, got 2; is it in degrees\?",
    ),
    "negative uncertainty": (
        ("focal_px = [300.0, 300.0]", "focal_px = [300.0, 300.0]\nfocal_std = -0.1"),
        r"camera: position_std_m, rotation_std_rad and focal_std must be 0 or more",
    ),
    "focal length of zero": (
        ("focal_px = [300.0, 300.0]", "focal_px = [0.0, 300.0]"),
        r"camera: focal length must be positive, got 0\.0, 300\.0",
    ),
    "both intrinsics": (
        ("focal_px = [300.0, 300.0]", "focal_px = [300.0, 300.0]\nvertical_fov_rad = 0.8"),
        r"camera: give one of focal_px and vertical_fov_rad",
    ),
    "no direction": (("look_at_m = [0.0, 0.0, 0.5]", ""), r"camera: give one of look_at_m and quat_xyzw"),
    "camera looks at itself": (
        ("look_at_m = [0.0, 0.0, 0.5]", "look_at_m = [-2.0, 0.0, 0.5]"),
        r"camera: look_at needs a target away from the eye",
    ),
    "picture without pixels": (
        ("image_size_px = [320, 240]", "image_size_px = [320, 0]"),
        r"camera: image size must be positive, got 320 x 0",
    ),
    "camera inside a box": (
        ("position_m = [-2.0, 0.0, 0.5]", "position_m = [0.05, 0.0, 0.52]"),
        r"my\.toml: the camera at \[0\.05, 0\.0, 0\.52\] m is inside body 'target'",
    ),
    "tiny input": (
        ("input_size_px = [160, 120]", "input_size_px = [16, 12]"),
        r"my\.toml: input_size_px must be at least 32, got \[16, 12\]",
    ),
    "no TOML": (
        ('description = "a box; a screen waits at its side"', "description = a box"),
        r"my\.toml line 3 must be TOML: Invalid value",
    ),
    "TOML that ends too early": (
        ('lift = "plane"\nplane_z_m = 0.5\n', 'lift = "plane'),
        r"my\.toml.* must be TOML: ",
    ),
    "unknown parent": (
        (SCREEN, SCREEN + '\nparent = "q1"'),
        r"my\.toml: body 'screen' has parent 'q1', which is no joint",
    ),
    "joint before its parent": (
        ("[[bodies]]", JOINT.format(parent="q2") + "[[bodies]]"),
        r"my\.toml: joint 'q1' has parent 'q2', not world or an earlier joint",
    ),
    "limits in the wrong order": (
        ("[[bodies]]", JOINT.format(parent="world").replace("[-1.0, 1.0]", "[1.0, -1.0]") + "[[bodies]]"),
        r"joints\[0\]: limits must be \[low, high\], got \[1\.0, -1\.0\]",
    ),
    "axis of another length": (
        (
            "[[bodies]]",
            JOINT.format(parent="world").replace("[0.0, 0.0, 1.0]", "[0.0, 1.0, 1.0]") + "[[bodies]]",
        ),
        r"joints\[0\]: axis must have length 1, got \[0\.0, 1\.0, 1\.0\]",
    ),
    "one name for two bodies": (
        ('name = "screen"', 'name = "target"'),
        r"my\.toml: 'target' names two things; give each body and joint its own name",
    ),
    "a body called world": (('name = "screen"', 'name = "world"'), r"my\.toml: 'world' names two things"),
    "a name with a dot": (
        ('name = "screen"', 'name = "big.screen"'),
        r"my\.toml: 'big\.screen' must be a word of letters, digits and _",
    ),
    "keypoint in an unknown frame": (
        ('frame = "target"', 'frame = "targt"'),
        r"my\.toml: keypoint 'centre' is in frame 'targt'; known: screen, target, world",
    ),
    "no keypoint": (('[[keypoints]]\nname = "centre"\nframe = "target"', "keypoints = []"), r"my\.toml"),
    "placement of nothing": (
        (
            "[[keypoints]]",
            PLACEMENT.format(body="cup", low=0.0),
        ),
        r"my\.toml: placement of unknown body 'cup'",
    ),
    "placement from high to low": (
        (
            "[[keypoints]]",
            PLACEMENT.format(body="target", low=2.0),
        ),
        r"placements\[0\]: x_m must be \[low, high\], got \(2\.0, 1\.0\)",
    ),
    "placement of an unknown joint": (
        ("[[keypoints]]", '[[placements]]\njoint = "q7"\nrange = [0.0, 1.0]\n[[keypoints]]'),
        r"my\.toml: placement of unknown joint 'q7'",
    ),
    "alignment on nothing": (
        ("input_size_px", 'alignment_body = "desk"\ninput_size_px'),
        r"my\.toml: alignment_body must name a box, got 'desk'",
    ),
    "plane without a height": (("plane_z_m = 0.5", ""), r"label: lift 'plane' needs plane_z_m"),
    "pnp without a frame": (('lift = "plane"', 'lift = "pnp"'), r"label: lift 'pnp' needs point_frame"),
    "pnp with one keypoint": (
        ('lift = "plane"', 'lift = "pnp"\npoint_frame = "target"'),
        r"my\.toml: lift 'pnp' needs at least 4 keypoints, got 1",
    ),
    "joints without joints": (
        ('lift = "plane"', 'lift = "joints"\npoint_frame = "target"'),
        r"my\.toml: lift 'joints' needs \[\[joints\]\]",
    ),
    "six numbers of distortion": (
        ("focal_px = [300.0, 300.0]", "focal_px = [300.0, 300.0]\ndistortion = [0.1, 0.0, 0.0, 0.0, 0.0, 0.0]"),
        r"camera: distortion of a pinhole must have 5 or 8 numbers, got 6",
    ),
    "a lens that there is not": (
        ("focal_px = [300.0, 300.0]", 'focal_px = [300.0, 300.0]\nlens = "mirror"'),
        r"camera\.lens must be one of pinhole, fisheye, got 'mirror'",
    ),
    "label in millimetres": (
        ("plane_z_m = 0.5", "plane_z_m = 0.5\nstd_m = 5.0"),
        r"label: std_m must lie between 0 and 1 m, got 5",
    ),
    "columns without components": (
        ('components = ["x", "y", "z"]', 'components = ["x"]'),
        r"label: columns and components must have the same length",
    ),
    "no such URDF": (
        ("[camera]", '[robot]\nurdf = "arm.urdf"\n\n[camera]'),
        r"rig small: robot\.urdf must be a file, got 'arm\.urdf', looked for ",
    ),
}


@pytest.mark.parametrize("case", BAD_RIGS)
def test_a_bad_rig_says_what_is_wrong_in_one_line(case: str, small_rig: str, tmp_path: Path) -> None:
    (old, new), message = BAD_RIGS[case]
    assert old in small_rig
    file = tmp_path / "my.toml"
    file.write_text(small_rig.replace(old, new, 1))
    with pytest.raises(InputError) as error:
        load_rig(str(file))
    assert re.search(message, str(error.value)), str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("shape", "eye"),
    [
        ('shape = "sphere"\nradius_m = 0.3', [0.0, 0.1, 0.7]),
        ('shape = "cylinder"\nradius_m = 0.2\nlength_m = 1.0', [0.1, 0.1, 0.95]),
        ('shape = "box"\nsize_m = [2.0, 0.1, 0.1]\nrpy_rad = [0.0, 0.0, 1.5708]', [0.0, 0.9, 0.5]),
    ],
)
def test_the_camera_must_be_outside_of_any_shape(shape: str, eye: list[float], small_rig: str) -> None:
    text = small_rig.replace('shape = "box"\nsize_m = [0.2, 0.2, 0.2]', shape).replace(
        "look_at_m = [0.0, 0.0, 0.5]", "look_at_m = [3.0, 3.0, 0.5]"
    )
    parse_rig(text, "test", Path())  # from -2 m away it is fine
    with pytest.raises(InputError, match="is inside body 'target'"):
        parse_rig(text.replace("position_m = [-2.0, 0.0, 0.5]", f"position_m = {eye}"), "test", Path())


def test_neither_a_file_nor_a_name() -> None:
    with pytest.raises(InputError) as error:
        load_rig("cube_on_tabel")
    assert str(error.value) == (
        "rig must be a TOML file or one of cube_on_table, kuka_tabletop, panda_tabletop, psm_tool, xarm_tabletop, "
        "got 'cube_on_tabel', which is neither"
    )


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    file = tmp_path / "rig.toml"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"cannot read rig .*rig\.toml: "):
        load_rig(str(file))


ROBOT = '[robot]\nurdf = "arm.urdf"\n\n[camera]'
BAD_URDFS = {
    "no XML": ("robot { }", r"robot\.urdf must be a URDF file, got .*arm\.urdf: "),
    "another XML": ("<svg/>", r"robot\.urdf must hold a <robot> with links, got .*arm\.urdf with <svg>"),
    "two roots": (
        '<robot name="a"><link name="b"/><link name="c"/></robot>',
        r"robot\.urdf must have one root link, got 2",
    ),
    "too few numbers": (
        '<robot name="a"><link name="b"/><link name="c"/><joint name="j" type="revolute"><parent link="b"/>'
        '<child link="c"/><origin xyz="0 1"/></joint></robot>',
        r"robot\.urdf must be a URDF file, got .*arm\.urdf: ",
    ),
    "a link with the name of a body": (
        '<robot name="a"><link name="target"/></robot>',
        r"'target' names two things",
    ),
}


@pytest.mark.parametrize("case", BAD_URDFS)
def test_a_bad_urdf_says_what_is_wrong_when_the_rig_is_loaded(case: str, small_rig: str, tmp_path: Path) -> None:
    urdf, message = BAD_URDFS[case]
    (tmp_path / "arm.urdf").write_text(urdf)
    (tmp_path / "my.toml").write_text(small_rig.replace("[camera]", ROBOT))
    with pytest.raises(InputError, match=message) as error:
        load_rig(str(tmp_path / "my.toml"))
    assert "\n" not in str(error.value)


def test_a_keypoint_on_a_link_of_the_urdf(small_rig: str, tmp_path: Path) -> None:
    (tmp_path / "arm.urdf").write_text('<robot name="a"><link name="tip"/></robot>')
    text = small_rig.replace("[camera]", ROBOT)
    (tmp_path / "good.toml").write_text(text.replace('frame = "target"', 'frame = "tip"'))
    (tmp_path / "bad.toml").write_text(text.replace('frame = "target"', 'frame = "tipp"'))
    assert load_rig(str(tmp_path / "good.toml")).keypoints[0].frame == "tip"
    with pytest.raises(
        InputError, match=r"keypoint 'centre' is in frame 'tipp'; known: robot, screen, target, tip, world"
    ):
        load_rig(str(tmp_path / "bad.toml"))


def test_pnp_needs_its_keypoints_on_one_body(small_rig: str) -> None:
    more = "".join(f'[[keypoints]]\nname = "{n}"\nframe = "screen"\n' for n in "abc")
    text = small_rig.replace("[label]", more + "[label]").replace(
        'lift = "plane"', 'lift = "pnp"\npoint_frame = "target"'
    )
    with pytest.raises(
        InputError,
        match=r"^test: lift 'pnp' needs all keypoints in label\.point_frame 'target', got 'a' in 'screen'$",
    ):
        parse_rig(text, "test", Path())
