"""Texture coordinates for meshes whose file has none."""

from __future__ import annotations

import numpy as np

from envs.meshes.corners import Corners, face_normals, welded
from envs.meshes.mesh import Mesh


def with_texture_coordinates(mesh: Mesh, repeat_m: float | None = None) -> Mesh:
    """Return the mesh with texture coordinates in place of those that are NaN; positions and normals stay.

    Every face is projected along the axis that it faces most, as onto the sides of a box: v grows along z on the
    sides and along y on top and bottom. Vertices are split where neighbours face different sides.

    Args:
        mesh: any.
        repeat_m: length that one texture covers; None is the largest extent of the mesh.
    """
    missing = np.isnan(mesh.uvs[mesh.triangles]).any(axis=(1, 2))
    if not missing.any():
        return mesh
    positions = mesh.positions_m.astype(np.float64)
    corners = positions[mesh.triangles]
    low, high = positions.min(axis=0), positions.max(axis=0)
    length = float((high - low).max()) if repeat_m is None else repeat_m
    normals, _ = face_normals(corners)
    axis = np.abs(normals).argmax(axis=1)
    side = np.sign(np.take_along_axis(normals, axis[:, None], axis=1))[:, :, None]
    # Centred, so that the repeats do not depend on where the file has its origin.
    x, y, z = np.moveaxis((corners - (low + high) / 2) / length + 0.5, 2, 0)
    face = axis[:, None]
    u = np.where(face == 0, y, x)
    flip = np.where(face == 1, -side[:, :, 0], side[:, :, 0])
    u = np.where(flip < 0, 1 - u, u)
    v = np.where(face == 2, y, z)
    uvs = mesh.uvs[mesh.triangles].astype(np.float64)
    uvs[missing] = np.stack([u, v], axis=-1)[missing]
    part = mesh.triangle_part.astype(np.int64)
    return welded(Corners(corners, mesh.normals[mesh.triangles].astype(np.float64), uvs, part, mesh.parts))
