"""How far points are from a surface of triangles, and where they are nearest to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from envs.meshes.corners import face_normals, spread_points

Float = NDArray[np.float64]

# Points put on the surface to find the triangles near a point, and how many of them are looked at, round by round.
_SAMPLES = 6000
ROUGH, THOROUGH = (6,), (4, 24, 192)


@dataclass(frozen=True, eq=False)
class Nearest:
    """The places of a surface nearest to N points.

    Attributes:
        distance_m: (N,).
        triangle: (N,).
        weights: (N, 3), barycentric coordinates of the place in its triangle.
    """

    distance_m: Float
    triangle: NDArray[np.int64]
    weights: Float


def distances_to_surface(points_m: Float, triangles_m: Float, enough_m: float = 0.0) -> Float:
    """Return distances (N,) of points (N, 3) to the triangles (T, 3, 3), metres, never too small; see `nearest`."""
    return nearest(points_m, triangles_m, THOROUGH, enough_m).distance_m


def nearest(points_m: Float, triangles_m: Float, rounds: tuple[int, ...] = ROUGH, enough_m: float = 0.0) -> Nearest:
    """Return where the points (N, 3) are nearest to the triangles (T, 3, 3).

    Only triangles near the closest of a set of points on the surface are tried, so a distance can come out too large,
    but hardly after the last of the thorough rounds.

    Args:
        points_m: points.
        triangles_m: corners of triangles.
        rounds: how many points on the surface are looked at, round by round.
        enough_m: a distance found to be less than this is not looked at more closely.
    """
    _, areas = face_normals(triangles_m)
    triangle, weights = spread_points(areas, _SAMPLES)
    samples = np.einsum("nk,nki->ni", weights, triangles_m[triangle])
    samples = np.concatenate([samples, triangles_m.reshape(-1, 3)])
    owner = np.concatenate([triangle, np.repeat(np.arange(len(triangles_m)), 3)])
    tree = cKDTree(samples)
    best = Nearest(np.full(len(points_m), np.inf), np.zeros(len(points_m), np.int64), np.zeros((len(points_m), 3)))
    tried = 0
    for count in rounds:
        unsure = np.flatnonzero(best.distance_m > enough_m)
        last = min(count, len(samples))
        if len(unsure) == 0 or last <= tried:
            break
        _, near = tree.query(points_m[unsure], k=last)
        near = owner[near.reshape(len(unsure), last)]
        for column in near[:, tried:].T:
            distance, weights = _on_triangles(points_m[unsure], triangles_m[column])
            better = distance < best.distance_m[unsure]
            best.distance_m[unsure[better]] = distance[better]
            best.triangle[unsure[better]] = column[better]
            best.weights[unsure[better]] = weights[better]
        tried = last
    return best


def _on_triangles(points: Float, triangles: Float) -> tuple[Float, Float]:
    """Return distance (N,) and barycentric coordinates (N, 3) of each point's nearest place on its own triangle."""
    a = triangles[:, 0]
    one, two, offset = triangles[:, 1] - a, triangles[:, 2] - a, points - a
    aa, ab, bb = _dot(one, one), _dot(one, two), _dot(two, two)
    ao, bo = _dot(one, offset), _dot(two, offset)
    area = aa * bb - ab * ab
    scale = np.where(area > 0, area, 1.0)
    v, w = (bb * ao - ab * bo) / scale, (aa * bo - ab * ao) / scale
    weights = np.stack([1 - v - w, v, w], axis=1)
    outside = np.flatnonzero((weights < 0).any(axis=1) | (area <= 0))
    best = np.full(len(outside), np.inf)
    for k in range(3):
        start, along = triangles[outside, k], triangles[outside, (k + 1) % 3] - triangles[outside, k]
        length = _dot(along, along)
        share = np.clip(_dot(points[outside] - start, along) / np.where(length > 0, length, 1.0), 0.0, 1.0)
        squared = _dot(
            points[outside] - start - share[:, None] * along, points[outside] - start - share[:, None] * along
        )
        better = squared < best
        best = np.where(better, squared, best)
        chosen, part = outside[better], share[better]
        weights[chosen] = 0.0
        weights[chosen, k] = 1 - part
        weights[chosen, (k + 1) % 3] = part
    distance = np.linalg.norm(points - np.einsum("nk,nki->ni", weights, triangles), axis=1)
    return distance, weights


def _dot(one: Float, two: Float) -> Float:
    return np.asarray(np.einsum("ni,ni->n", one, two))
