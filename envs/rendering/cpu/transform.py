"""Instances to camera axes: matrices, visibility, level of detail, vertices to pixels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from envs.rendering.cpu.compiled import kernel
from envs.rendering.cpu.raster import ONE, ZERO


@kernel
def place_instances(shapes: Any, views: Any, scratch: Any, n: int) -> None:
    """Write camera_from_instance (3, 4) of every instance that is present in view n."""
    c = views.camera_from_world[n]
    for i in range(views.shape.shape[1]):
        if not views.present[n, i]:
            continue
        m = views.world_from_instance[n, i]
        for r in range(3):
            for k in range(4):
                value = c[r, 0] * m[0, k] + c[r, 1] * m[1, k] + c[r, 2] * m[2, k]
                scratch.camera_from_instance[i, r, k] = value + c[r, 3] if k == 3 else value


@kernel
def choose_levels(
    shapes: Any, views: Any, scratch: Any, n: int, fx: Any, fy: Any, cx: Any, cy: Any, width: int, height: int,
    near: Any, error_px: Any,
) -> int:  # fmt: skip
    """Choose the coarsest level whose error stays below `error_px` pixels; return how many vertices they have.

    An instance out of sight gets level -1.
    """
    total = 0
    for i in range(views.shape.shape[1]):
        scratch.level[i] = -1
        if not views.present[n, i]:
            continue
        s = views.shape[n, i]
        m = scratch.camera_from_instance[i]
        scale = _largest_scale(m)
        radius = shapes.shape_radius_m[s] * scale
        centre = shapes.shape_centre_m[s]
        x = m[0, 0] * centre[0] + m[0, 1] * centre[1] + m[0, 2] * centre[2] + m[0, 3]
        y = m[1, 0] * centre[0] + m[1, 1] * centre[1] + m[1, 2] * centre[2] + m[1, 3]
        z = m[2, 0] * centre[0] + m[2, 1] * centre[1] + m[2, 2] * centre[2] + m[2, 3]
        if z + radius < near:
            continue
        half = np.float32(0.5)
        if _outside(fx, cx + half, x, z, radius) or _outside(-fx, np.float32(width) - half - cx, x, z, radius):
            continue
        if _outside(fy, cy + half, y, z, radius) or _outside(-fy, np.float32(height) - half - cy, y, z, radius):
            continue
        per_metre = fx / max(z - radius, near) * scale
        first, last = shapes.shape_level[s], shapes.shape_level[s + 1] - 1
        level = first
        while level < last and shapes.level_error_m[level + 1] * per_metre <= error_px:
            level += 1
        scratch.level[i] = level
        scratch.base[i] = total
        total += shapes.level_vertex[level + 1] - shapes.level_vertex[level]
    return total


@kernel
def level_for_shadow(shapes: Any, views: Any, scratch: Any, n: int, i: int) -> int:
    """Return the level in which instance i casts its shadow: the one that is drawn, or the coarsest out of sight."""
    level = scratch.level[i]
    return int(level if level >= 0 else shapes.shape_level[views.shape[n, i] + 1] - 1)


@kernel
def radius_in_camera(shapes: Any, m: Any, s: int) -> Any:
    """Return the radius of a shape's bounding sphere after its matrix (3, 4)."""
    return shapes.shape_radius_m[s] * _largest_scale(m)


@kernel
def _largest_scale(m: Any) -> Any:
    largest = ZERO
    for k in range(3):
        largest = max(largest, m[0, k] * m[0, k] + m[1, k] * m[1, k] + m[2, k] * m[2, k])
    return np.float32(math.sqrt(largest))


@kernel
def _outside(focal: Any, offset: Any, x: Any, z: Any, radius: Any) -> bool:
    """Return whether a sphere lies wholly on the far side of the plane focal * x + offset * z = 0."""
    return bool(focal * x + offset * z < -radius * np.float32(math.sqrt(focal * focal + offset * offset)))


@kernel
def project_vertices(
    shapes: Any, scratch: Any, i: int, fx: Any, fy: Any, cx: Any, cy: Any, near: Any
) -> None:  # fmt: skip
    """Write pixel, inverse depth and normal of every vertex of instance i at its level."""
    level = scratch.level[i]
    first = shapes.level_vertex[level]
    count = shapes.level_vertex[level + 1] - first
    base = scratch.base[i]
    m = scratch.camera_from_instance[i]
    m00, m01, m02, m03 = m[0, 0], m[0, 1], m[0, 2], m[0, 3]
    m10, m11, m12, m13 = m[1, 0], m[1, 1], m[1, 2], m[1, 3]
    m20, m21, m22, m23 = m[2, 0], m[2, 1], m[2, 2], m[2, 3]
    # Normals turn by the cofactors, which also holds where the scale differs between axes.
    n00, n01, n02 = m11 * m22 - m12 * m21, m12 * m20 - m10 * m22, m10 * m21 - m11 * m20
    n10, n11, n12 = m02 * m21 - m01 * m22, m00 * m22 - m02 * m20, m01 * m20 - m00 * m21
    n20, n21, n22 = m01 * m12 - m02 * m11, m02 * m10 - m00 * m12, m00 * m11 - m01 * m10
    source, normals = shapes.positions_m, shapes.normals
    corner, normal = scratch.corner, scratch.normal
    for v in range(count):
        x, y, z = source[first + v, 0], source[first + v, 1], source[first + v, 2]
        cam_z = m20 * x + m21 * y + m22 * z + m23
        w = ONE / cam_z
        corner[base + v, 0] = (m00 * x + m01 * y + m02 * z + m03) * fx * w + cx
        corner[base + v, 1] = (m10 * x + m11 * y + m12 * z + m13) * fy * w + cy
        corner[base + v, 2] = w if cam_z >= near else ZERO
    for v in range(count):
        x, y, z = normals[first + v, 0], normals[first + v, 1], normals[first + v, 2]
        normal[base + v, 0] = n00 * x + n01 * y + n02 * z
        normal[base + v, 1] = n10 * x + n11 * y + n12 * z
        normal[base + v, 2] = n20 * x + n21 * y + n22 * z
