"""Read Wavefront OBJ files and their materials."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from calibration.errors import InputError
from envs.meshes.corners import Corners
from envs.meshes.mesh import Part, Vector3

# trimesh is not used here: it drops texture coordinates and normals of a file in which not every face has both.


def read_obj(path: Path) -> Corners:
    """Return the triangles of an OBJ file in the file's units; polygons become fans.

    A material's Kd is the colour of its part. A texture, map_Kd, replaces it, as in PyBullet and Blender, which writes
    a colour beside a texture that it does not use. Faces without texture coordinates show the colour alone. A material
    file that is missing is passed over, as viewers do.

    Raises:
        InputError: a line that cannot be read, or a face with a vertex that is not there.
    """
    points: dict[str, list[list[float]]] = {"v": [], "vt": [], "vn": []}
    sizes = {"v": 3, "vt": 2, "vn": 3}
    materials: dict[str, Part] = {}
    part_index: dict[tuple[str, bool], int] = {}
    material = ""
    corners: list[tuple[int, int, int]] = []
    part: list[int] = []
    for number, words in _lines(path):
        try:
            kind = words[0]
            if kind in points:
                values = [float(word) for word in words[1 : 1 + sizes[kind]]]
                points[kind].append(values + [0.0] * (sizes[kind] - len(values)))
            elif kind == "f":
                face = [_corner(word, points) for word in words[1:]]
                key = (material, all(corner[1] >= 0 for corner in face))
                this = part_index.setdefault(key, len(part_index))
                for k in range(1, len(face) - 1):
                    corners += (face[0], face[k], face[k + 1])
                    part.append(this)
            elif kind == "usemtl":
                material = " ".join(words[1:])
            elif kind == "mtllib":
                materials |= read_mtl(path.parent / " ".join(words[1:]))
        except (ValueError, IndexError) as error:
            raise InputError(f"a line of an OBJ file cannot be read: {error} ({path}, line {number})") from None
    index = np.array(corners, np.int64).reshape(-1, 3)
    arrays = []
    for column, (kind, rows) in enumerate(points.items()):
        table = np.array([*rows, [np.nan] * sizes[kind]], np.float64)
        arrays.append(table[index[:, column]].reshape(-1, 3, sizes[kind]))
    parts = []
    for name, has_uvs in part_index:
        found = materials.get(name, Part())
        parts.append(Part(texture=found.texture) if has_uvs and found.texture != "none" else Part(found.rgb))
    return Corners(arrays[0], arrays[2], arrays[1], np.array(part, np.int64), tuple(parts))


def _corner(word: str, points: dict[str, list[list[float]]]) -> tuple[int, int, int]:
    """Return indices of position, texture coordinates and normal, -1 for one that is not given."""
    indices = [-1, -1, -1]
    for k, (text, values) in enumerate(zip(word.split("/"), points.values(), strict=False)):
        if text:
            index = int(text)
            indices[k] = index - 1 if index > 0 else len(values) + index
            if index == 0 or not 0 <= indices[k] < len(values):
                raise IndexError(f"'{word}' names number {index} of {len(values)}")
    if indices[0] < 0:
        raise ValueError(f"'{word}' names no vertex")
    return indices[0], indices[1], indices[2]


def read_mtl(path: Path) -> dict[str, Part]:
    """Return the materials of an MTL file by name, a texture as "file:" and its absolute path.

    None when there is no such file.

    Raises:
        InputError: a colour that is not three numbers.
    """
    parts: dict[str, Part] = {}
    if not path.is_file():
        return parts
    name = ""
    for number, words in _lines(path):
        if words[0] == "newmtl":
            name = " ".join(words[1:])
            parts[name] = Part()
        elif name and words[0] == "Kd":
            try:
                rgb = colour([float(word) for word in words[1:4]])
            except ValueError as error:
                raise InputError(f"Kd must be three numbers: {error} ({path}, line {number})") from None
            parts[name] = Part(rgb, parts[name].texture)
        elif name and words[0] == "map_Kd":
            parts[name] = Part(parts[name].rgb, texture_beside(path, words[-1]))
    return parts


def texture_beside(path: Path, name: str) -> str:
    """Return "file:" and the absolute path of a picture named in a file, or "none" with a warning if it is missing.

    A path of another machine counts as the name of a picture beside the file.
    """
    relative = name.replace("\\", "/")
    for picture in (path.parent / relative, path.parent / relative.rpartition("/")[2]):
        if picture.is_file():
            return f"file:{picture.resolve()}"
    warnings.warn(f"no texture '{name}' beside {path}, which names it: drawn without", stacklevel=2)
    return "none"


def colour(values: Sequence[float]) -> Vector3:
    """Return the first three values, each brought within 0 to 1; ValueError when there are fewer."""
    red, green, blue = (min(1.0, max(0.0, float(value))) for value in values[:3])
    return red, green, blue


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield number and words of every line that says something; a backslash joins a line with the next one."""
    kept = ""
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            text = kept + line.partition("#")[0].rstrip()
            if text.endswith("\\"):
                kept = text[:-1] + " "
                continue
            kept = ""
            if words := text.split():
                yield number, words
