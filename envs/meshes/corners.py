"""Triangles as files hold them, each corner on its own, and their way to a welded mesh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from envs.meshes.mesh import Mesh, Part

Float = NDArray[np.float64]
Int = NDArray[np.int64]

# Neighbouring faces that meet at a smaller angle are shaded as one smooth surface.
CREASE_RAD = np.deg2rad(35.0)


@dataclass(frozen=True, eq=False)
class Corners:
    """T triangles without shared vertices.

    Attributes:
        positions_m: (T, 3, 3), corner and axis.
        normals: (T, 3, 3), NaN where the file has none.
        uvs: (T, 3, 2), NaN where the file has none.
        part: (T,), index into `parts`.
        parts: surfaces.
    """

    positions_m: Float
    normals: Float
    uvs: Float
    part: Int
    parts: tuple[Part, ...]


def face_normals(positions_m: Float) -> tuple[Float, Float]:
    """Return unit normals (T, 3) and areas (T,) of triangles (T, 3, 3); the normal is 0 where the area is."""
    across = np.cross(positions_m[:, 1] - positions_m[:, 0], positions_m[:, 2] - positions_m[:, 0])
    length = np.linalg.norm(across, axis=1)
    return across / np.where(length > 0, length, 1.0)[:, None], length / 2


def without_degenerate(corners: Corners) -> Corners:
    """Return the corners without triangles that have no area."""
    p = corners.positions_m
    _, area = face_normals(p)
    longest = np.max([np.linalg.norm(p[:, k] - p[:, k - 1], axis=1) for k in range(3)], axis=0)
    kept = area > 1e-7 * longest**2
    return Corners(p[kept], corners.normals[kept], corners.uvs[kept], corners.part[kept], corners.parts)


def with_normals(corners: Corners) -> Corners:
    """Return the corners with a unit normal each.

    A part keeps the file's normals if all are there, none points away from its face, and they smooth anything. Else
    they are the mean of the faces around a vertex that meet at less than `CREASE_RAD`, weighted by the angle of each
    at the vertex (Thürmer and Wüthrich, Computing vertex normals from polygonal facets, 1998).
    """
    faces, _ = face_normals(corners.positions_m)
    length = np.linalg.norm(corners.normals, axis=2, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        given = corners.normals / length
    agreement = np.einsum("tki,ti->tk", given, faces)
    bad = ~(agreement > 0).all(axis=1)
    flat = agreement.min(axis=1) > 1 - 1e-4
    count = len(corners.parts)
    triangles = np.bincount(corners.part, minlength=count)
    smoothed = (np.bincount(corners.part, bad, count) <= 0.01 * triangles) & (
        np.bincount(corners.part, flat, count) < 0.98 * triangles
    )
    made = ~smoothed[corners.part] | bad
    normals = given
    if made.any():
        normals = given.copy()
        normals[made] = _creased(corners.positions_m, faces)[made]
    return Corners(corners.positions_m, normals, corners.uvs, corners.part, corners.parts)


def _creased(positions_m: Float, faces: Float) -> Float:
    """Return corner normals (T, 3, 3), smooth across edges that are no creases."""
    count = len(faces)
    vertex = position_index(positions_m.reshape(-1, 3)).reshape(count, 3)
    # Corners at one vertex belong together when their faces share an edge that is no crease.
    start, end = vertex, np.roll(vertex, -1, axis=1)
    low, high = np.minimum(start, end).ravel(), np.maximum(start, end).ravel()
    order = np.lexsort((high, low))
    same = (np.diff(low[order]) == 0) & (np.diff(high[order]) == 0)
    one, two = order[:-1][same], order[1:][same]
    smooth = np.einsum("ei,ei->e", faces[one // 3], faces[two // 3]) > np.cos(CREASE_RAD)
    one, two = one[smooth], two[smooth]
    next_one, next_two = one - one % 3 + (one + 1) % 3, two - two % 3 + (two + 1) % 3
    aligned = start.ravel()[one] == start.ravel()[two]
    links = np.concatenate(
        [
            np.stack([one, np.where(aligned, two, next_two)]),
            np.stack([next_one, np.where(aligned, next_two, two)]),
        ],
        axis=1,
    )
    graph = coo_array((np.ones(links.shape[1]), (links[0], links[1])), shape=(3 * count, 3 * count))
    groups, label = connected_components(graph, directed=False)
    sums = np.zeros((groups, 3))
    np.add.at(sums, label, (corner_angles(positions_m)[:, :, None] * faces[:, None, :]).reshape(-1, 3))
    length = np.linalg.norm(sums, axis=1, keepdims=True)
    normals = (sums / np.where(length > 0, length, 1.0))[label].reshape(count, 3, 3)
    # A fan that winds around its vertex can average to a direction away from one of its faces.
    away = np.einsum("tki,ti->tk", normals, faces) <= 0.1
    return np.where(away[:, :, None], faces[:, None, :], normals)


def corner_angles(positions_m: Float) -> Float:
    """Return the angle (T, 3) of each corner, radians."""
    angles = []
    for k in range(3):
        a = positions_m[:, (k + 1) % 3] - positions_m[:, k]
        b = positions_m[:, (k + 2) % 3] - positions_m[:, k]
        angles.append(np.arctan2(np.linalg.norm(np.cross(a, b), axis=1), np.einsum("ti,ti->t", a, b)))
    return np.stack(angles, axis=1)


def position_index(points: NDArray[np.floating]) -> Int:
    """Return (N,) numbers that are equal where the points (N, 3) are."""
    _, index = np.unique(_keys(np.ascontiguousarray(points + 0.0, np.float32)), return_inverse=True)
    return np.asarray(index, np.int64).ravel()


def spread_points(areas: Float, count: int) -> tuple[Int, Float]:
    """Return triangle (N,) and barycentric coordinates (N, 3) of points spread evenly over triangles.

    Args:
        areas: (T,), what the number of points is in proportion to; every triangle has one at least.
        count: about how many points.
    """
    counts = 1 + np.floor(count * areas / max(float(areas.sum()), 1e-300)).astype(np.int64)
    triangle = np.repeat(np.arange(len(areas)), counts)
    number = np.arange(len(triangle))
    # An additive recurrence spreads points evenly; the generalized golden ratio of two dimensions gives its steps.
    u, v = (number * 0.7548776662466927 + 1 / 3) % 1.0, (number * 0.5698402909980532 + 1 / 3) % 1.0
    outside = u + v > 1
    u, v = np.where(outside, 1 - u, u), np.where(outside, 1 - v, v)
    return triangle, np.stack([1 - u - v, u, v], axis=1)


def _keys(rows: NDArray[np.float32]) -> NDArray[np.void]:
    """Return the bytes of each row as one value, as these sort faster than rows."""
    return rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel()


def welded(corners: Corners) -> Mesh:
    """Return the mesh whose vertices are the corners that agree in position, normal, uv and part.

    Parts that look the same become one; parts without triangles go.
    """
    count = len(corners.part)
    parts = tuple(dict.fromkeys(corners.parts[k] for k in np.unique(corners.part)))
    renumbered = np.array([parts.index(p) if p in parts else -1 for p in corners.parts], np.int64)
    part = renumbered[corners.part]
    rows = np.concatenate(
        [
            corners.positions_m.reshape(-1, 3),
            np.round(corners.normals.reshape(-1, 3), 4),
            corners.uvs.reshape(-1, 2),
            np.repeat(part, 3)[:, None],
        ],
        axis=1,
    )
    rows = np.ascontiguousarray(rows + 0.0, np.float32)
    rows[np.isnan(rows)] = np.nan  # one bit pattern
    _, first, index = np.unique(_keys(rows), return_index=True, return_inverse=True)
    normals = rows[first, 3:6]
    return Mesh(
        np.ascontiguousarray(rows[first, :3]),
        normals / np.linalg.norm(normals, axis=1, keepdims=True),
        np.ascontiguousarray(rows[first, 6:8]),
        np.asarray(index, np.int32).reshape(count, 3),
        part.astype(np.int32),
        parts,
    )
