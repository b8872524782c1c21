"""The models of a data set in BOP's format: a PLY file for each body, in millimetres, and their sizes."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.records import write_json, write_text
from envs.labels.outlines import Shape
from envs.meshes.mesh import Mesh
from envs.meshes.primitives import box, cylinder, sphere

_MM = 1000.0


def write_models(folder: Path, shapes: Mapping[int, Shape]) -> None:
    """Write `obj_NNNNNN.ply` for each object number and models_info.json."""
    folder.mkdir(exist_ok=True)
    for number, shape in shapes.items():
        write_text(folder / f"obj_{number:06d}.ply", _ply(_mesh(shape)))
    write_json(folder / "models_info.json", {str(number): model_info(shape) for number, shape in shapes.items()})


def model_info(shape: Shape) -> dict[str, Any]:
    """Return the diameter, the bounding box and the symmetries of a shape, millimetres.

    The diameter is the largest distance between two points of the shape.
    """
    half = np.asarray(shape.half_m) * _MM
    x, y, z = (float(v) for v in half)
    # The ends of a cylinder's longest diagonal lie on its two rims.
    across = {"box": float(np.linalg.norm(half)), "sphere": max(x, y, z), "cylinder": float(np.hypot(max(x, y), z))}
    info: dict[str, Any] = {"diameter": 2 * across[shape.kind]}
    info |= {f"min_{axis}": -v for axis, v in zip("xyz", (x, y, z), strict=True)}
    info |= {f"size_{axis}": 2 * v for axis, v in zip("xyz", (x, y, z), strict=True)}
    if shape.kind == "sphere" and x == y == z:
        info["symmetries_continuous"] = [{"axis": axis, "offset": [0, 0, 0]} for axis in np.eye(3).tolist()]
        return info
    if shape.kind == "cylinder" and x == y:
        info["symmetries_continuous"] = [{"axis": [0, 0, 1], "offset": [0, 0, 0]}]
    info["symmetries_discrete"] = [_homogeneous(r) for r in _turns() if _is_same(shape, r)]
    return info


def _turns() -> list[NDArray[np.float64]]:
    """Return the 23 rotations, other than none, that map the axes onto each other."""
    found = []
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1.0, -1.0), repeat=3):
            matrix = np.eye(3)[list(order)] * np.array(signs)[:, None]
            if np.linalg.det(matrix) > 0 and not np.array_equal(matrix, np.eye(3)):
                found.append(matrix)
    return found


def _is_same(shape: Shape, rotation: NDArray[np.float64]) -> bool:
    upright = abs(rotation[2, 2]) == 1 or shape.kind != "cylinder"
    return bool(upright and np.array_equal(np.abs(rotation) @ np.asarray(shape.half_m), np.asarray(shape.half_m)))


def _homogeneous(rotation: NDArray[np.float64]) -> list[float]:
    matrix = np.eye(4)
    matrix[:3, :3] = rotation
    return [float(v) for v in matrix.ravel()]


def _mesh(shape: Shape) -> Mesh:
    """Return the finest mesh of a shape of size 1 by 1 by 1, stretched."""
    x, y, z = shape.half_m
    if shape.kind == "box":
        return box((2 * x, 2 * y, 2 * z)).meshes[0]
    unit = (sphere(1.0) if shape.kind == "sphere" else cylinder(1.0, 2.0)).meshes[0]
    half = np.asarray(shape.half_m, np.float32)
    normals = unit.normals / half
    normals = np.asarray(normals / np.sqrt((normals**2).sum(axis=1, keepdims=True)), np.float32)
    positions = unit.positions_m * half
    return Mesh(positions, normals, unit.uvs, unit.triangles, unit.triangle_part, unit.parts)


def _ply(mesh: Mesh) -> str:
    """Return a mesh as text of the PLY format, millimetres."""
    header = [
        "ply",
        "format ascii 1.0",
        f"element vertex {len(mesh.positions_m)}",
        *(f"property float {name}" for name in ("x", "y", "z", "nx", "ny", "nz")),
        f"element face {len(mesh.triangles)}",
        "property list uchar int vertex_indices",
        "end_header",
    ]
    rows = np.hstack([mesh.positions_m.astype(np.float64) * _MM, mesh.normals])
    vertices = [" ".join(f"{v:.6g}" for v in row) for row in rows.tolist()]
    faces = [f"3 {a} {b} {c}" for a, b, c in mesh.triangles.tolist()]
    return "\n".join([*header, *vertices, *faces]) + "\n"
