"""Boxes, spheres, cylinders and capsules as triangles with normals and texture coordinates, round ones in levels."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from calibration.errors import InputError
from envs.meshes.mesh import Mesh, MeshLevels, Vector3

Float = NDArray[np.float64]
Int = NDArray[np.int64]

# Sides of a full turn, finest level first; each level has about four times the error of the one before.
_SIDES = (96, 48, 24, 12)


@lru_cache(maxsize=256)
def box(size_m: Vector3) -> MeshLevels:
    """Return a box with its middle at the origin: 24 vertices, 12 triangles, one level.

    Each face shows the whole texture once, upright: v grows along z on the sides and along y on top and bottom.

    Raises:
        InputError: a side is not a positive length.
    """
    _check_positive("the sides of a box", size_m)
    half = np.array(size_m) / 2
    corners = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    positions, normals = [], []
    for axis in range(3):
        for side in (-1.0, 1.0):
            normal = np.eye(3)[axis] * side
            up = np.array([0.0, 1.0, 0.0] if axis == 2 else [0.0, 0.0, 1.0])
            right = np.cross(up, normal)
            positions.append((normal + corners[:, :1] * right + corners[:, 1:] * up) * half)
            normals.append(np.tile(normal, (4, 1)))
    uvs = np.tile((corners + 1) / 2, (6, 1))
    quad = np.array([[0, 1, 2], [0, 2, 3]])
    triangles = np.concatenate([quad + 4 * face for face in range(6)])
    return MeshLevels((_mesh(np.concatenate(positions), np.concatenate(normals), uvs, triangles),))


@lru_cache(maxsize=256)
def sphere(radius_m: float) -> MeshLevels:
    """Return a sphere around the origin; u runs around z, v from the lower pole to the upper one.

    Raises:
        InputError: the radius is not a positive length.
    """
    _check_positive("the radius of a sphere", (radius_m,))
    return _turned_levels([_arc(radius_m, sides // 2, -0.5, 0.5, 0.0) for sides in _SIDES], radius_m)


@lru_cache(maxsize=256)
def capsule(radius_m: float, length_m: float) -> MeshLevels:
    """Return a cylinder along z with half spheres at its ends, its middle at the origin.

    Args:
        radius_m: of cylinder and half spheres.
        length_m: of the cylinder without the half spheres; 0 makes a sphere.

    Raises:
        InputError: the radius is not a positive length or the length is negative.
    """
    _check_positive("the radius of a capsule", (radius_m,))
    if not (length_m >= 0 and math.isfinite(length_m)):
        raise InputError(f"the length of a capsule must be 0 or more metres, got {length_m}")
    if length_m == 0:
        return sphere(radius_m)
    outlines = []
    for sides in _SIDES:
        lower = _arc(radius_m, sides // 4, -0.5, 0.0, -length_m / 2)
        upper = _arc(radius_m, sides // 4, 0.0, 0.5, length_m / 2)
        outlines.append(np.concatenate([lower, upper]))
    return _turned_levels(outlines, radius_m)


@lru_cache(maxsize=256)
def cylinder(radius_m: float, length_m: float) -> MeshLevels:
    """Return a cylinder along z with its middle at the origin: smooth sides, flat caps.

    The texture goes once around the side; each cap shows the circle within it.

    Raises:
        InputError: radius or length is not positive.
    """
    _check_positive("radius and length of a cylinder", (radius_m, length_m))
    meshes = []
    for sides in _SIDES:
        outline = np.array(
            [[radius_m, -length_m / 2, 1.0, 0.0, 0.0], [radius_m, length_m / 2, 1.0, 0.0, 1.0]], np.float64
        )
        pieces = [_turned(outline, sides)]
        angles = 2 * math.pi * np.arange(sides) / sides
        circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        # Triangles between neighbouring rim vertices and the middle of the cap keep clear of slivers.
        rim = np.arange(sides)
        fan = np.stack([np.full(sides, sides), rim, (rim + 1) % sides], axis=1)
        flat = np.concatenate([circle, np.zeros((1, 2))])
        for side in (-1.0, 1.0):
            positions = np.column_stack([flat * radius_m, np.full(sides + 1, side * length_m / 2)])
            normals = np.tile([0.0, 0.0, side], (sides + 1, 1))
            uvs = 0.5 + 0.5 * flat * np.array([side, 1.0])
            pieces.append((positions, normals, uvs, fan if side > 0 else fan[:, ::-1]))
        meshes.append(_joined(pieces))
    errors = [0.0, *(radius_m * (1 - math.cos(math.pi / sides)) for sides in _SIDES[1:])]
    return MeshLevels(tuple(meshes), tuple(errors))


Piece = tuple[Float, Float, Float, Int]


def _arc(radius_m: float, steps: int, first: float, last: float, z_m: float) -> Float:
    """Return an outline (steps + 1, 5): distance from the axis, z, the normal's two components, arc length."""
    turn = math.pi * np.linspace(first, last, steps + 1)
    cos, sin = np.cos(turn), np.sin(turn)
    cos[np.abs(cos) < 1e-12] = 0.0
    return np.stack([radius_m * cos, z_m + radius_m * sin, cos, sin, radius_m * turn + z_m], axis=1)


def _turned(outline: Float, sides: int) -> Piece:
    """Return the surface that an outline sweeps around z; (V, 3), (V, 3), (V, 2) and (T, 3)."""
    rows = len(outline)
    u = np.arange(sides + 1) / sides
    angles = 2 * math.pi * np.where(u == 1.0, 0.0, u)
    cos, sin = np.cos(angles), np.sin(angles)
    radius, z, out, up, length = (column[:, None] for column in outline.T)
    positions = np.stack([radius * cos, radius * sin, z + 0 * cos], axis=-1)
    normals = np.stack([out * cos, out * sin, up + 0 * cos], axis=-1)
    v = (length - length.min()) / (length.max() - length.min())
    at_pole = radius == 0.0
    # The one triangle that uses a column's vertex at a pole lies after it at the lower pole, before it at the upper.
    shift = np.where(at_pole, np.where(v < 0.5, 0.5, -0.5), 0.0) / sides
    uvs = np.stack(np.broadcast_arrays(u + shift, v), axis=-1)
    row, column = (grid.ravel() for grid in np.meshgrid(np.arange(rows - 1), np.arange(sides), indexing="ij"))
    a = row * (sides + 1) + column
    b, c, d = a + 1, a + sides + 2, a + sides + 1
    lower, upper = np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)
    # At a pole one side of each quad has no length.
    lower_kept, upper_kept = ~at_pole[row, 0], ~at_pole[row + 1, 0]
    triangles = np.concatenate([lower[lower_kept], upper[upper_kept]])
    used, triangles = np.unique(triangles, return_inverse=True)
    flat = (positions.reshape(-1, 3)[used], normals.reshape(-1, 3)[used], uvs.reshape(-1, 2)[used])
    return (*flat, triangles.reshape(-1, 3))


def _turned_levels(outlines: list[Float], radius_m: float) -> MeshLevels:
    """Return levels of surfaces whose vertices lie `radius_m` from the nearest point of their axis or middle."""
    pieces = [_turned(outline, sides) for outline, sides in zip(outlines, _SIDES, strict=True)]
    errors = []
    for positions, normals, _, triangles in pieces:
        # The centres of curvature of a triangle's corners coincide, or lie on a line parallel to the triangle.
        centre = (positions - radius_m * normals)[triangles[:, 0]]
        a, b, c = (positions[triangles[:, k]] for k in range(3))
        across = np.cross(b - a, c - a)
        across /= np.linalg.norm(across, axis=1, keepdims=True)
        errors.append(float((radius_m - np.einsum("ti,ti->t", across, a - centre)).max()))
    return MeshLevels(tuple(_joined([piece]) for piece in pieces), (0.0, *errors[1:]))


def _joined(pieces: list[Piece]) -> Mesh:
    before = np.cumsum([0, *(len(piece[0]) for piece in pieces)])
    triangles = np.concatenate([piece[3] + int(first) for piece, first in zip(pieces, before[:-1], strict=True)])
    return _mesh(
        np.concatenate([piece[0] for piece in pieces]),
        np.concatenate([piece[1] for piece in pieces]),
        np.concatenate([piece[2] for piece in pieces]),
        triangles,
    )


def _mesh(positions: Float, normals: Float, uvs: Float, triangles: Int) -> Mesh:
    return Mesh(
        positions.astype(np.float32),
        normals.astype(np.float32),
        uvs.astype(np.float32),
        np.ascontiguousarray(triangles, np.int32),
        np.zeros(len(triangles), np.int32),
    )


def _check_positive(what: str, lengths_m: tuple[float, ...]) -> None:
    if not all(length > 0 and math.isfinite(length) for length in lengths_m):
        raise InputError(f"{what} must be more than 0 metres, got {', '.join(f'{x:g}' for x in lengths_m)}")
