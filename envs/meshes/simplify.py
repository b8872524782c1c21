"""Coarser versions of a mesh, without cracks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs.meshes.corners import Corners, face_normals, position_index, spread_points, welded
from envs.meshes.distance import distances_to_surface
from envs.meshes.fit import fitted
from envs.meshes.mesh import Mesh, MeshLevels

Int = NDArray[np.int64]

# Errors aimed at, as shares of the diagonal of the bounding box.
TARGETS = tuple(0.00035 * 2 ** (k / 2) for k in range(14))
# A level is kept if it has at most this share of the triangles of the one before.
_WORTHWHILE = 0.8
# Points of the full surface that the error is measured at, and those that the fit uses, at most.
_SAMPLE, _FITTED = 8000, 4000


def simplified(mesh: Mesh) -> MeshLevels:
    """Return the mesh and coarser versions of it, each with at most 80 % of the triangles of the one before.

    Edges are collapsed in the order of their quadric error (Garland and Heckbert, Surface simplification using quadric
    error metrics, 1997), by the library meshoptimizer:
    vertices that share a position move together, and borders of
    parts and seams of textures stay what they are. Then the vertices move to where the surface fits best, see
    `fitted`. Normals are no seams: a corner of a coarse triangle takes, among the normals that the full mesh has at
    its place, the one nearest to its face.

    The error of a level is the larger of what the library says and the largest distance to it from points of the full
    mesh: up to 4000 vertices and 4000 points between them.
    """
    first, index, place = _wedges(mesh)
    points = np.ascontiguousarray(mesh.positions_m[first])
    indices = np.ascontiguousarray(index[mesh.triangles], np.uint32)
    part = _vertex_part(mesh)[first]
    low, high = points.min(axis=0), points.max(axis=0)
    size = float(np.linalg.norm(high.astype(np.float64) - low))
    sample = _sample(mesh)
    fit_to = _some(sample, _FITTED)
    meshes, errors = [mesh], [0.0]
    for target in TARGETS:
        triangles, error = _collapsed(indices, points, target * size)
        if len(triangles) == 0 or len(triangles) > _WORTHWHILE * len(meshes[-1].triangles):
            continue
        used, corner = np.unique(place[first[triangles]], return_index=True)
        vertices = points[triangles.ravel()[corner]].astype(np.float64)
        at = np.searchsorted(used, place[first[triangles]])
        # In the precision that vertices are kept in, so that the error is that of what is kept.
        moved = fitted(vertices, at, fit_to, 3 * error).astype(np.float32).astype(np.float64)
        measured = float(distances_to_surface(sample, moved[at], error).max())
        if measured > 2 * error:
            unmoved = float(distances_to_surface(sample, vertices[at], error).max())
            if unmoved < measured:
                moved, measured = vertices, unmoved
        meshes.append(_level(mesh, first[triangles], part[triangles[:, 0]], place, moved[at]))
        errors.append(max(error, measured, errors[-1]))
    return MeshLevels(tuple(meshes), tuple(errors))


def _wedges(mesh: Mesh) -> tuple[Int, Int, Int]:
    """Return one vertex of each wedge (W,), the wedge of each vertex (V,) and the number of its place (V,).

    Vertices of a wedge agree in position, part and, where a texture shows, in texture coordinates.
    """
    place = position_index(mesh.positions_m)
    part = _vertex_part(mesh)
    textured = np.array([p.texture != "none" for p in mesh.parts])[part]
    uvs = np.where(textured[:, None], np.nan_to_num(mesh.uvs), 0.0)
    keys = np.concatenate([place[:, None], part[:, None], np.round(uvs * 65536).astype(np.int64)], axis=1)
    _, first, index = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    return first, np.asarray(index, np.int64).ravel(), place


def _vertex_part(mesh: Mesh) -> Int:
    """Return the part of each vertex (V,); welded vertices have one."""
    part = np.zeros(len(mesh.positions_m), np.int64)
    part[mesh.triangles.ravel()] = np.repeat(mesh.triangle_part, 3)
    return part


def _collapsed(indices: NDArray[np.uint32], points: NDArray[np.float32], error_m: float) -> tuple[Int, float]:
    """Return triangles (T, 3) of the same points and the library's error, metres."""
    import almeshopt  # type: ignore[import-untyped]

    options = almeshopt.SIMPLIFY_ERROR_ABSOLUTE | almeshopt.SIMPLIFY_PRUNE
    found, error = almeshopt.simplify(
        np.ascontiguousarray(indices.ravel()), np.ascontiguousarray(points), 0, error_m, options=options
    )
    return found.reshape(-1, 3).astype(np.int64), float(error)


def _level(mesh: Mesh, vertices: Int, part: Int, place: Int, corners: NDArray[np.float64]) -> Mesh:
    """Return the mesh of triangles (T, 3) of full mesh vertices, moved to `corners` (T, 3, 3), with normals chosen."""
    full = mesh.normals.astype(np.float64)
    faces, areas = face_normals(corners)
    # A triangle without area stays, as it closes the gap between its neighbours.
    faces[areas == 0] = full[vertices[areas == 0, 0]]
    order = np.argsort(place, kind="stable")
    start = np.searchsorted(place[order], np.arange(place.max() + 2))
    at, vertex_part = place[vertices], _vertex_part(mesh)
    normals = np.repeat(faces[:, None, :], 3, axis=1)
    best = np.zeros(at.shape)
    for k in range(int(np.diff(start).max())):
        there = start[at] + k < start[at + 1]
        vertex = order[np.minimum(start[at] + k, len(order) - 1)]
        agreement = np.einsum("tki,ti->tk", full[vertex], faces)
        usable = there & (agreement > 0.1)  # a normal that hardly agrees with the face would shade it black
        # A normal of the same part comes before any of another part.
        agreement += 2.0 * (vertex_part[vertex] == part[:, None])
        better = usable & (agreement > best)
        best = np.where(better, agreement, best)
        normals = np.where(better[:, :, None], full[vertex], normals)
    return welded(Corners(corners, normals, mesh.uvs[vertices].astype(np.float64), part, mesh.parts))


def _sample(mesh: Mesh) -> NDArray[np.float64]:
    """Return points of the surface (N, 3): its vertices and points spread over it; at most 8000."""
    corners = mesh.positions_m.astype(np.float64)[mesh.triangles]
    vertices = np.unique(corners.reshape(-1, 3), axis=0)
    _, areas = face_normals(corners)
    triangle, weights = spread_points(areas, _SAMPLE // 3)
    between = np.einsum("nk,nki->ni", weights, corners[triangle])
    return np.concatenate([_some(vertices, _SAMPLE // 2), _some(between, _SAMPLE // 2)])


def _some(points: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return the points (N, 3), or this many of them, evenly picked."""
    if len(points) <= count:
        return points
    return np.asarray(points[np.linspace(0, len(points) - 1, count).astype(np.int64)])
