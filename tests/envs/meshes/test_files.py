import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.errors import InputError
from envs.meshes.files import load_mesh
from envs.meshes.mesh import Mesh

OBJ = """\
mtllib some colours.mtl
v 0 0 0
v 1 0 0
v 1 1 0
v 0 1 0
v 0 0 1
v 1 0 1
vt 0 0
vt 1 0
vt 1 1
vt 0 1
vn 0 0 1
usemtl red
f 1 2 3 4
usemtl pictured
f 1/1/1 2/2/1 -4/3/1 -3/4/1
usemtl unmapped
f 1//1 2//1 6//1
usemtl red
f 1 1 2
f 5 6 1 # with a note
"""
MTL = """\
newmtl red
Kd 0.75 0.25 1.5
newmtl pictured
Kd 0.5 0.5 0.5
map_Kd -s 1 1 1 sub/picture.png
newmtl unmapped
Kd 0 0 1
map_Kd sub/picture.png
"""

CUBE = [(a, b, c) for a in (0, 1) for b in (0, 1) for c in (0, 1)]
CUBE_FACES = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.obj").write_text(OBJ)
    (tmp_path / "some colours.mtl").write_text(MTL)
    (tmp_path / "sub").mkdir()
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[:4] = 255
    cv2.imwrite(str(tmp_path / "sub" / "picture.png"), picture)
    return tmp_path


def part_of(mesh: Mesh, rgb: tuple[float, float, float], texture: str = "none") -> np.ndarray:
    number = [(p.rgb, p.texture) for p in mesh.parts].index((rgb, texture))
    return mesh.triangles[mesh.triangle_part == number]


def test_obj_keeps_colours_textures_coordinates_and_normals(folder: Path) -> None:
    mesh = load_mesh(folder / "a.obj")
    assert len(mesh.triangles) == 6
    assert len(part_of(mesh, (0.75, 0.25, 1.0))) == 3
    pictured = part_of(mesh, (1.0, 1.0, 1.0), f"file:{folder.resolve() / 'sub' / 'picture.png'}")
    np.testing.assert_array_equal(mesh.uvs[pictured], mesh.positions_m[pictured][:, :, :2])
    np.testing.assert_array_equal(mesh.normals[pictured], np.broadcast_to([0, 0, 1], (2, 3, 3)))
    # A texture without coordinates shows nothing.
    assert np.isnan(mesh.uvs[part_of(mesh, (0.0, 0.0, 1.0))]).all()


def test_a_texture_that_shows_one_colour_becomes_that_colour(folder: Path) -> None:
    text = OBJ.replace("vt 1 1\nvt 0 1", "vt 1 0.4\nvt 0 0.4")
    (folder / "a.obj").write_text(text)
    mesh = load_mesh(folder / "a.obj")
    assert len(part_of(mesh, (0.0, 0.0, 0.0))) == 2
    # The same texture seen a hundred times over is not of one colour, whatever the phase.
    (folder / "a.obj").write_text(text.replace("vt 1 0.4\nvt 0 0.4", "vt 100 100\nvt 0 100"))
    assert any(p.texture.startswith("file:") for p in load_mesh(folder / "a.obj").parts)


def test_obj_without_its_material_file_is_white_and_a_missing_picture_is_a_warning(folder: Path) -> None:
    (folder / "sub" / "picture.png").unlink()
    with pytest.warns(UserWarning, match=r"no texture 'sub/picture\.png' beside"):
        mesh = load_mesh(folder / "a.obj")
    assert {p.texture for p in mesh.parts} == {"none"}
    (folder / "some colours.mtl").unlink()
    assert [p.rgb for p in load_mesh(folder / "a.obj").parts] == [(1.0, 1.0, 1.0)]


def write_stl(path: Path, triangles: np.ndarray) -> None:
    records = [struct.pack("<12fH", 0, 0, 0, *t.ravel(), 0) for t in triangles]
    path.write_bytes(b"\0" * 80 + struct.pack("<I", len(records)) + b"".join(records))


def cube_triangles() -> np.ndarray:
    corners = np.array(CUBE, np.float64)
    return np.concatenate([[corners[[a, b, c]], corners[[a, c, d]]] for a, b, c, d in CUBE_FACES])


def test_stl_of_both_kinds_gives_the_same_cube_with_creases(tmp_path: Path) -> None:
    triangles = cube_triangles()
    write_stl(tmp_path / "binary.STL", triangles)
    facets = [
        "facet normal 0 0 0\nouter loop\n"
        + "".join(f"vertex {x:g} {y:g} {z:g}\n" for x, y, z in t)
        + "endloop\nendfacet"
        for t in triangles
    ]
    (tmp_path / "text.stl").write_text("solid cube\n" + "\n".join(facets) + "\nendsolid cube\n")
    for name in ("binary.STL", "text.stl"):
        mesh = load_mesh(tmp_path / name)
        assert (len(mesh.positions_m), len(mesh.triangles)) == (24, 12)
        np.testing.assert_allclose(np.abs(mesh.normals).max(axis=1), 1.0)
        outwards = mesh.positions_m - 0.5
        assert (np.einsum("vi,vi->v", outwards, mesh.normals) > 0).all()


def test_small_angles_are_smoothed_and_flat_normals_of_a_file_too(tmp_path: Path) -> None:
    angles = np.linspace(0, 2 * np.pi, 25)[:-1]
    low = np.column_stack([np.cos(angles), np.sin(angles), 0 * angles])
    lines = [f"v {x} {y} {z}" for x, y, z in [*low.tolist(), *(low + np.array([0, 0, 1])).tolist()]]
    for k in range(24):
        middle = (angles[k] + np.pi / 24) % (2 * np.pi)
        lines.append(f"vn {np.cos(middle)} {np.sin(middle)} 0")
        a, b = k + 1, (k + 1) % 24 + 1
        lines.append(f"f {a}//{k + 1} {b}//{k + 1} {b + 24}//{k + 1} {a + 24}//{k + 1}")
    (tmp_path / "tube.obj").write_text("\n".join(lines))
    mesh = load_mesh(tmp_path / "tube.obj", (0.5, 0.5, 2.0))
    assert len(mesh.positions_m) == 48
    radial = mesh.positions_m * [2.0, 2.0, 0.0]
    np.testing.assert_allclose(mesh.normals, radial, atol=0.03)


def test_scale_mirrors_and_turns_normals(folder: Path) -> None:
    write_stl(folder / "cube.stl", cube_triangles())
    mesh = load_mesh(folder / "cube.stl", (-2.0, 1.0, 0.5))
    p = mesh.positions_m.astype(np.float64)[mesh.triangles]
    assert np.einsum("ti,ti->t", p[:, 0], np.cross(p[:, 1], p[:, 2])).sum() / 6 == pytest.approx(1.0)
    slanted = "v 0 0 0\nv 1 0 1\nv 0 1 0\nv 2 1 4\nvn -1 0 1\nvn -2 0 1\nf 1//1 2//1 3//1\nf 3//2 2//1 4//2\n"
    (folder / "s.obj").write_text(slanted)
    mesh = load_mesh(folder / "s.obj", (2.0, 1.0, 1.0))
    expected = np.array([-0.5, 0, 1]) / np.linalg.norm([-0.5, 0, 1])
    assert np.isclose(mesh.normals, expected, atol=1e-3).all(axis=1).any()


def test_polygons_and_degenerate_triangles(tmp_path: Path) -> None:
    (tmp_path / "a.obj").write_text("v 0 0 0\nv 1 0 0\nv 2 0 0\nv 2 2 0\nv 0 2 0\nf 1 2 3 4 5\n")
    assert len(load_mesh(tmp_path / "a.obj").triangles) == 2


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.ply", "", r"must end in \.obj, \.stl or \.dae"),
        ("a.obj", "v 0 0 0\n", "must have a triangle with an area"),
        ("a.obj", "v 0 0 0\nv 1 0 0\nv 2 0 0\nf 1 2 3\n", "must have a triangle with an area"),
        ("a.obj", "v 0 0 0\nv nan 0 0\nv 2 1 0\nf 1 2 3\n", "must be finite numbers"),
        ("a.obj", "v 0 0 0\nf 1 2 3\n", r"names number 2 of 1 .*line 2"),
        ("a.obj", "v 0 0 zero\n", r"could not convert .*line 1"),
        ("a.stl", "solid nothing", "mesh must"),
        ("a.stl", "\0" * 90, "mesh must"),
        ("a.dae", "<COLLADA", "must be a COLLADA file"),
    ],
)
def test_files_that_cannot_be_used_are_input_errors(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        load_mesh(tmp_path / name)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="which is not there"):
        load_mesh(tmp_path / "missing.obj")
