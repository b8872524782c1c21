"""What one drawable shape is: triangles with normals, texture coordinates and surface parts, in levels of detail."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector3 = tuple[float, float, float]


@dataclass(frozen=True)
class Part:
    """One surface of a mesh: its colour, 0 to 1, multiplied with its texture unless that is "none"."""

    rgb: Vector3 = (1.0, 1.0, 1.0)
    texture: str = "none"


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles of one shape, in the shape's own frame.

    Attributes:
        positions_m: float32 (V, 3).
        normals: float32 (V, 3), unit length.
        uvs: float32 (V, 2), texture coordinates; (0, 0) is the lower left corner of a texture, which repeats.
        triangles: int32 (T, 3), indices of vertices, counter-clockwise seen from outside.
        triangle_part: int32 (T,), index into `parts`.
        parts: surfaces.
    """

    positions_m: NDArray[np.float32]
    normals: NDArray[np.float32]
    uvs: NDArray[np.float32]
    triangles: NDArray[np.int32]
    triangle_part: NDArray[np.int32]
    parts: tuple[Part, ...] = (Part(),)


@dataclass(frozen=True, eq=False)
class MeshLevels:
    """One shape at several levels of detail, finest first.

    Attributes:
        meshes: the levels.
        errors_m: how far the surface of each level is from the finest one, metres, ascending from 0; the largest
            distance at sampled points, so a small detail between them can be farther off.
    """

    meshes: tuple[Mesh, ...]
    errors_m: tuple[float, ...] = (0.0,)

    def bounds(self) -> tuple[NDArray[np.float64], float]:
        """Return centre (3,) and radius of a sphere around the shape, metres."""
        points = self.meshes[0].positions_m.astype(np.float64)
        centre = (points.min(axis=0) + points.max(axis=0)) / 2
        return centre, float(np.linalg.norm(points - centre, axis=1).max())
