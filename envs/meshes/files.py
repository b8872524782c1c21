"""Meshes from OBJ, STL and DAE files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from calibration.errors import InputError
from envs.meshes.corners import Corners, welded, with_normals, without_degenerate
from envs.meshes.dae_file import read_dae
from envs.meshes.mesh import Mesh, Part, Vector3
from envs.meshes.obj_file import read_obj
from envs.meshes.plain_colours import with_plain_colours


def load_mesh(path: Path, scale: Vector3 = (1.0, 1.0, 1.0)) -> Mesh:
    """Return the mesh of a file, its vertices welded, without triangles that have no area.

    Texture coordinates are NaN where the file has none; `texture_coordinates` makes some.

    Args:
        path: a file that ends in .obj, .stl or .dae.
        scale: factor along x, y and z; an odd number of negative ones mirrors the shape.

    Raises:
        InputError: no such file, another format, a damaged file, no triangle, or a vertex that is no number.
    """
    if not path.is_file():
        raise InputError(f"a mesh must be a file, got {path}, which is not there")
    kind = path.suffix.lower()
    if kind not in (".obj", ".stl", ".dae"):
        raise InputError(f"a mesh file must end in .obj, .stl or .dae, got {path}; convert it")
    corners = {".obj": read_obj, ".stl": _read_stl, ".dae": read_dae}[kind](path)
    if not np.isfinite(corners.positions_m).all():
        raise InputError(f"vertices of a mesh must be finite numbers, got {path} with one that is not")
    corners = without_degenerate(_scaled(corners, np.asarray(scale, np.float64)))
    if len(corners.part) == 0:
        raise InputError(f"a mesh must have a triangle with an area, got none in {path} at scale {scale}")
    return welded(with_normals(with_plain_colours(corners)))


def _scaled(corners: Corners, scale: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Corners:
    """Return the corners scaled; normals turn so that they stay upright, a mirrored triangle is turned round."""
    if (scale == 1.0).all():
        return corners
    with np.errstate(divide="ignore", invalid="ignore"):
        normals = corners.normals / scale
        normals /= np.linalg.norm(normals, axis=2, keepdims=True)
    arrays = [corners.positions_m * scale, normals, corners.uvs]
    if np.prod(scale) < 0:
        arrays = [array[:, ::-1] for array in arrays]
    return Corners(arrays[0], arrays[1], arrays[2], corners.part, corners.parts)


def _read_stl(path: Path) -> Corners:
    """Return the triangles of a binary or text STL file; its normals say nothing that its vertices do not."""
    from trimesh.exchange.stl import load_stl

    try:
        with path.open("rb") as file:
            found = load_stl(file)
        positions = np.asarray(found["vertices"], np.float64)[np.asarray(found["faces"], np.int64)].reshape(-1, 3, 3)
    except (ValueError, KeyError, IndexError, TypeError, UnicodeDecodeError) as error:
        raise InputError(f"a mesh must be an STL file, got {path}: {str(error).splitlines()[0:1]}") from None
    return Corners(
        positions,
        np.full((len(positions), 3, 3), np.nan),
        np.full((len(positions), 3, 2), np.nan),
        np.zeros(len(positions), np.int64),
        (Part(),),
    )
