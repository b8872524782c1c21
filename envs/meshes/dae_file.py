"""Read COLLADA files."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.errors import InputError
from envs.meshes.corners import Corners
from envs.meshes.mesh import Part
from envs.meshes.obj_file import colour, texture_beside

Float = NDArray[np.float64]


def read_dae(path: Path) -> Corners:
    """Return the triangles of a COLLADA file in metres, nodes of its scene where they stand.

    The file's up axis is not applied, as PyBullet and RViz do not apply it either: robots are written for that.

    Raises:
        InputError: the file cannot be read.
    """
    import collada  # type: ignore[import-untyped]

    try:
        with warnings.catch_warnings():
            # pycollada builds its transforms as numpy's old matrix class.
            warnings.simplefilter("ignore", PendingDeprecationWarning)
            document = collada.Collada(str(path), ignore=[collada.common.DaeError])
            pieces = [piece for geometry in _geometries(document) for piece in _triangles(geometry, path)]
    except (collada.common.DaeError, ValueError, KeyError, IndexError, TypeError, AttributeError, OSError) as error:
        raise InputError(f"a mesh must be a COLLADA file, got {path}: {' '.join(str(error).split())}") from None
    unit_m = float(document.assetInfo.unitmeter or 1.0)
    parts = list(dict.fromkeys(piece[3] for piece in pieces))
    return Corners(
        np.concatenate([np.zeros((0, 3, 3)), *(piece[0] for piece in pieces)]) * unit_m,
        np.concatenate([np.zeros((0, 3, 3)), *(piece[1] for piece in pieces)]),
        np.concatenate([np.zeros((0, 3, 2)), *(piece[2] for piece in pieces)]),
        np.concatenate([np.zeros(0, np.int64), *(np.full(len(piece[0]), parts.index(piece[3])) for piece in pieces)]),
        tuple(parts),
    )


def _geometries(document: Any) -> list[Any]:
    """Return the geometries of the scene with their transforms, of its controllers (skins) as they rest."""
    if document.scene is None:
        return [geometry.bind(np.eye(4), {}) for geometry in document.geometries]
    skinned = (controller.geometry for controller in document.scene.objects("controller"))
    return [*document.scene.objects("geometry"), *skinned]


def _triangles(geometry: Any, path: Path) -> list[tuple[Float, Float, Float, Part]]:
    pieces = []
    for primitive in geometry.primitives():
        if not hasattr(primitive, "triangleset") and not hasattr(primitive, "texcoord_indexset"):
            continue
        triangles = primitive.triangleset() if hasattr(primitive, "triangleset") else primitive
        if getattr(triangles, "vertex_index", None) is None or triangles.vertex_index.shape[1:] != (3,):
            continue
        positions = np.asarray(triangles.vertex, np.float64)[triangles.vertex_index]
        count = len(positions)
        normals, uvs = np.full((count, 3, 3), np.nan), np.full((count, 3, 2), np.nan)
        if triangles.normal is not None and triangles.normal_index is not None:
            normals = np.asarray(triangles.normal, np.float64)[triangles.normal_index]
        part, coordinates = _part(primitive, path), triangles.texcoordset
        if len(coordinates):
            uvs = np.asarray(coordinates[0], np.float64)[triangles.texcoord_indexset[0]][:, :, :2]
        elif part.texture != "none":
            part = Part()
        pieces.append((positions, normals, uvs, part))
    return pieces


def _part(primitive: Any, path: Path) -> Part:
    """Return the diffuse colour or texture of a primitive's material."""
    effect = getattr(getattr(primitive, "material", None), "effect", None)
    diffuse = getattr(effect, "diffuse", None)
    if diffuse is None:
        return Part()
    if hasattr(diffuse, "sampler"):
        return Part(texture=texture_beside(path, diffuse.sampler.surface.image.path.removeprefix("file://")))
    return Part(colour([float(value) for value in diffuse]))
