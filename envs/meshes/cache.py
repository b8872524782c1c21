"""Prepared meshes, made once and kept on disk."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
import zipfile
import zlib
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote

import numpy as np

from calibration.errors import InputError
from envs.meshes.files import load_mesh
from envs.meshes.mesh import Mesh, MeshLevels, Part, Vector3
from envs.meshes.simplify import simplified
from envs.meshes.texture_coordinates import with_texture_coordinates

# To be raised with every change of what a prepared mesh looks like.
RULE = 5

_ARRAYS = {
    "positions_m": (np.float32, 3),
    "normals": (np.float32, 3),
    "uvs": (np.float32, 2),
    "triangles": (np.int32, 3),
    "triangle_part": (np.int32, 0),
}


def mesh_levels(path: Path, scale: Vector3 = (1.0, 1.0, 1.0)) -> MeshLevels:
    """Return the shape of a mesh file in levels of detail, with texture coordinates.

    What is made is kept in `meshes` within the folder that SIM2REAL_CACHE names, else ~/.cache/sim2real; where that
    cannot be written nothing is kept. A file of the cache that is damaged is made anew.

    Raises:
        InputError: the file cannot be used; see `load_mesh`.
    """
    try:
        stat = path.stat()
    except OSError:
        raise InputError(f"a mesh must be a file, got {path}, which is not there") from None
    x, y, z = (float(factor) for factor in scale)
    return _prepared(path.resolve(), (x, y, z), stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=512)
def _prepared(path: Path, scale: Vector3, _changed_ns: int, _bytes: int) -> MeshLevels:
    folder = cache_folder()
    kept = folder / f"{_key(path, scale)}.npz"
    levels = _read(kept, path.parent)
    if levels is None:
        levels = prepared(load_mesh(path, scale))
        _write(kept, levels, path.parent)
    return levels


def prepared(mesh: Mesh) -> MeshLevels:
    """Return levels of a mesh with texture coordinates where it has none.

    These are made after simplifying, as their seams would stand in its way.
    """
    extent = float(np.ptp(mesh.positions_m, axis=0).max())
    levels = simplified(mesh)
    return MeshLevels(tuple(with_texture_coordinates(level, extent) for level in levels.meshes), levels.errors_m)


def cache_folder() -> Path:
    """Return the folder of prepared meshes; it need not exist."""
    named = os.environ.get("SIM2REAL_CACHE")
    try:
        root = Path(named) if named else Path.home() / ".cache" / "sim2real"
    except RuntimeError:  # a user without a home
        root = Path(tempfile.gettempdir()) / "sim2real"
    return root / "meshes"


def _key(path: Path, scale: Vector3) -> str:
    """Return a digest of all that a prepared mesh depends on."""
    digest = hashlib.sha256(json.dumps([RULE, path.suffix.lower(), scale]).encode())
    content = path.read_bytes()
    for part in (content, *(file.read_bytes() if file.is_file() else b"" for file in _files_beside(path, content))):
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()


def _files_beside(path: Path, content: bytes) -> list[Path]:
    """Return the material files and pictures that a mesh file names."""
    if path.suffix.lower() == ".dae":
        return [path.parent / unquote(name) for name in _found(rb"<init_from>\s*([^<]+?)\s*</init_from>", content)]
    if path.suffix.lower() != ".obj":
        return []
    files = [path.parent / name for name in _found(rb"^\s*mtllib\s+(.+?)\s*$", content)]
    for material in [file for file in files if file.is_file()]:
        names = _found(rb"^\s*map_Kd\s.*?(\S+)\s*$", material.read_bytes())
        for name in names:
            relative = name.replace("\\", "/")
            files += [path.parent / relative, path.parent / relative.rpartition("/")[2]]
    return files


def _found(pattern: bytes, content: bytes) -> list[str]:
    return [name.decode(errors="replace") for name in re.findall(pattern, content, re.MULTILINE)]


def _write(file: Path, levels: MeshLevels, folder: Path) -> None:
    """Write the levels; textures are named relative to the folder of the mesh. Nothing happens where that fails."""
    header = {
        "errors_m": levels.errors_m,
        "parts": [[[part.rgb, _relative(part.texture, folder)] for part in mesh.parts] for mesh in levels.meshes],
    }
    arrays = {f"{name}_{k}": getattr(mesh, name) for k, mesh in enumerate(levels.meshes) for name in _ARRAYS}
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    unfinished = None
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=file.parent, prefix=file.stem[:16], suffix=".part", delete=False) as out:
            unfinished = Path(out.name)
            np.savez_compressed(out, **arrays)
        unfinished.replace(file)
    except OSError:
        if unfinished is not None:
            unfinished.unlink(missing_ok=True)


def _read(file: Path, folder: Path) -> MeshLevels | None:
    """Return what `_write` wrote, or None where there is nothing whole."""
    try:
        with file.open("rb") as stored, np.load(stored, allow_pickle=False) as arrays:
            header = json.loads(arrays["header"].tobytes())
            meshes = []
            for k, parts in enumerate(header["parts"]):
                found = {name: arrays[f"{name}_{k}"] for name in _ARRAYS}
                known = tuple(Part((r, g, b), _absolute(texture, folder)) for (r, g, b), texture in parts)
                mesh = Mesh(**found, parts=known)
                if not _whole(mesh):
                    return None
                meshes.append(mesh)
        errors = tuple(float(error) for error in header["errors_m"])
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
    return MeshLevels(tuple(meshes), errors) if meshes and len(meshes) == len(errors) else None


def _whole(mesh: Mesh) -> bool:
    for name, (dtype, width) in _ARRAYS.items():
        array = getattr(mesh, name)
        if array.dtype != dtype or array.shape[1:] != ((width,) if width else ()):
            return False
    vertices, triangles = len(mesh.positions_m), len(mesh.triangles)
    return (
        len(mesh.normals) == len(mesh.uvs) == vertices
        and len(mesh.triangle_part) == triangles > 0
        and 0 <= int(mesh.triangles.min()) <= int(mesh.triangles.max()) < vertices
        and 0 <= int(mesh.triangle_part.min()) <= int(mesh.triangle_part.max()) < len(mesh.parts)
    )


def _relative(texture: str, folder: Path) -> str:
    return "file:" + os.path.relpath(texture[5:], folder) if texture.startswith("file:") else texture


def _absolute(texture: str, folder: Path) -> str:
    return f"file:{(folder / texture[5:]).resolve()}" if texture.startswith("file:") else texture
