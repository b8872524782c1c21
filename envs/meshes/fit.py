"""Move the vertices of a coarse mesh so that its surface lies in the middle of the fine one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, eye_array
from scipy.sparse.linalg import splu

from envs.meshes.corners import face_normals
from envs.meshes.distance import nearest

Float = NDArray[np.float64]
Int = NDArray[np.int64]

_ROUNDS = 2
# Pull of a vertex to where it was, relative to that of one point of the surface.
_PULL = 0.5
# A triangle may turn so far, as a cosine.
_LARGEST_TURN = 0.5


def fitted(vertices_m: Float, triangles: Int, points_m: Float, limit_m: float) -> Float:
    """Return places of the vertices (V, 3) with which the triangles (T, 3) are nearer to the points (N, 3).

    Collapsing edges leaves vertices on the surface, so that a convex surface lies outside the coarse one everywhere.
    Each round takes the place on the coarse surface nearest to each point and solves for the vertices in
    least squares (Hoppe et al., Mesh optimization, 1993). A vertex at which a triangle would turn over stays.

    Args:
        vertices_m: coarse vertices.
        triangles: coarse triangles.
        points_m: points of the fine surface.
        limit_m: points farther away than this do not count; they are of pieces that the coarse mesh lacks.
    """
    places = vertices_m.copy()
    before, _ = face_normals(vertices_m[triangles])
    for _ in range(_ROUNDS):
        found = nearest(points_m, places[triangles])
        counts = found.distance_m < limit_m
        corners, weights = triangles[found.triangle[counts]], found.weights[counts]
        missing = points_m[counts] - np.einsum("nk,nki->ni", weights, places[corners])
        rows = np.repeat(np.arange(len(missing)), 3)
        matrix = csr_array((weights.ravel(), (rows, corners.ravel())), shape=(len(missing), len(places)))
        normal = (matrix.T @ matrix + _PULL * eye_array(len(places))).tocsc()
        places = places + splu(normal).solve(matrix.T @ missing)
    for _ in range(10):
        after, _ = face_normals(places[triangles])
        turned = np.einsum("ti,ti->t", before, after) < _LARGEST_TURN
        back = np.unique(triangles[turned])
        if (places[back] == vertices_m[back]).all():
            break
        places[back] = vertices_m[back]
    return places
