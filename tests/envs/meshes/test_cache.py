from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.errors import InputError
from envs.meshes import cache
from envs.meshes.cache import mesh_levels
from envs.meshes.mesh import MeshLevels, Part

OBJ = "mtllib m.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nvt 0 0\nvt 1 0\nvt 0 1\nusemtl a\nf 1/1 2/2 3/3\nf 1 3 4\n"


@pytest.fixture
def mesh_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SIM2REAL_CACHE", str(tmp_path / "cache"))
    cache._prepared.cache_clear()
    folder = tmp_path / "robot"
    folder.mkdir()
    (folder / "m.mtl").write_text("newmtl a\nKd 0.25 0.5 0.75\nmap_Kd picture.png\n")
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[::2] = 255
    cv2.imwrite(str(folder / "picture.png"), picture)
    (folder / "a.obj").write_text(OBJ)
    return folder / "a.obj"


def kept(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache" / "meshes").iterdir())


def again(path: Path, scale: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> MeshLevels:
    cache._prepared.cache_clear()
    return mesh_levels(path, scale)


def same(one: MeshLevels, two: MeshLevels) -> bool:
    return one.errors_m == two.errors_m and all(
        a.parts == b.parts
        and all(np.array_equal(getattr(a, n), getattr(b, n)) for n in ("positions_m", "normals", "uvs", "triangles"))
        for a, b in zip(one.meshes, two.meshes, strict=True)
    )


def test_what_is_read_is_what_was_made(mesh_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = mesh_levels(mesh_file)
    assert mesh_levels(mesh_file) is made
    (file,) = kept(tmp_path)
    assert file.suffix == ".npz"
    assert np.isfinite(made.meshes[0].uvs).all()
    assert {p.texture for p in made.meshes[0].parts} == {"none", f"file:{mesh_file.parent.resolve()}/picture.png"}
    monkeypatch.setattr(cache, "load_mesh", lambda *_: pytest.fail("made again"))
    assert same(again(mesh_file), made)


def test_textures_are_those_beside_the_mesh_that_is_asked_for(mesh_file: Path, tmp_path: Path) -> None:
    mesh_levels(mesh_file)
    moved = mesh_file.parent.rename(tmp_path / "moved")
    textures = {p.texture for p in again(moved / "a.obj").meshes[0].parts}
    assert f"file:{moved.resolve()}/picture.png" in textures
    assert len(kept(tmp_path)) == 1


def test_each_input_makes_another_file(mesh_file: Path, tmp_path: Path) -> None:
    mesh_levels(mesh_file)
    again(mesh_file, (1.0, 2.0, 1.0))
    assert len(kept(tmp_path)) == 2
    (mesh_file.parent / "m.mtl").write_text("newmtl a\nKd 1 0 0\n")
    assert again(mesh_file).meshes[0].parts == (Part((1.0, 0.0, 0.0)),)
    assert len(kept(tmp_path)) == 3
    mesh_file.write_text(OBJ.replace("v 0 0 1", "v 0 0 2"))
    assert mesh_levels(mesh_file).meshes[0].positions_m.max() == 2.0
    assert len(kept(tmp_path)) == 4


def test_a_changed_picture_is_seen(mesh_file: Path) -> None:
    assert len(mesh_levels(mesh_file).meshes[0].parts) == 2
    cv2.imwrite(str(mesh_file.parent / "picture.png"), np.full((8, 8, 3), 255, np.uint8))
    parts = again(mesh_file).meshes[0].parts
    assert {p.texture for p in parts} == {"none"}


@pytest.mark.parametrize("damage", ["cut", "bytes", "empty", "header"])
def test_a_damaged_file_is_made_anew(mesh_file: Path, tmp_path: Path, damage: str) -> None:
    made = mesh_levels(mesh_file)
    (file,) = kept(tmp_path)
    content = file.read_bytes()
    if damage == "cut":
        file.write_bytes(content[: len(content) // 2])
    elif damage == "bytes":
        file.write_bytes(content[:200] + b"\xff" * 40 + content[240:])
    elif damage == "empty":
        file.write_bytes(b"")
    else:
        np.savez(file, header=np.frombuffer(b'{"parts": [[]]}', np.uint8))
    assert same(again(mesh_file), made)
    assert same(again(mesh_file), made)
    assert len(kept(tmp_path)) == 1


def test_a_cache_that_cannot_be_written_is_no_matter(mesh_file: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert len(mesh_levels(mesh_file).meshes[0].triangles) == 2
    assert (tmp_path / "cache").is_file()


def test_a_missing_mesh_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="which is not there"):
        mesh_levels(tmp_path / "none.obj")
