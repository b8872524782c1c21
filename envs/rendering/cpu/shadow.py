"""Shadow maps: what each light sees first, and how much of it reaches a point.

Maps are fitted to the surfaces that the view shows and that casters can shade (sample distribution shadow maps,
Lauritzen et al. 2011). A soft edge is found by looking for what blocks the light around a point (percentage-closer
soft shadows, Fernando 2005).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from envs.rendering.cpu.compiled import kernel
from envs.rendering.cpu.raster import ONE, OVERLAP, SMALLEST_AREA, ZERO, above, below, fill_depth
from envs.rendering.cpu.transform import level_for_shadow, radius_in_camera

# Kinds of map.
NONE, PARALLEL, CENTRAL = 0, 1, 2
# Bodies larger than this cast no shadow: floors and walls, which would leave no texels for the rest.
_LARGEST_CASTER_M = np.float32(3.0)
NEAR_LAMP_M = np.float32(0.02)
_FAR = np.float32(1e30)
_EMPTY = np.float32(-1e30)
# Tangent of the largest angle to its middle that a lamp's map holds.
_WIDE = np.float32(3.0)


@kernel
def fit(views: Any, shapes: Any, scratch: Any, n: int, light: int, count: int, size: int) -> int:
    """Write shadow_from_camera (4, 4) of a light, and return its kind.

    The rows give texel x and y, nearness, and what the three are divided by.

    Args:
        views: the views.
        shapes: the shapes.
        scratch: of this thread.
        n: number of the view.
        light: number of the light.
        count: how many visible points there are in scratch.points, in camera axes.
        size: of the map.
    """
    if views.light_shadow[n, light, 0] <= ZERO or _is_off(views, n, light) or count == 0:
        return NONE
    here = scratch.light_camera[light]
    central = here[3] > ZERO
    axes, origin, seen, cast = scratch.axes, scratch.origin, scratch.seen, scratch.cast
    if central:
        origin[0], origin[1], origin[2] = here[0], here[1], here[2]
        mx, my, mz = _middle_of_casters(views, shapes, scratch, n)
        _axes(axes, origin[0] - mx, origin[1] - my, origin[2] - mz)
    else:
        origin[:] = ZERO
        _axes(axes, here[0], here[1], here[2])
    seen[:2], seen[2:], cast[:2], cast[2:] = _FAR, -_FAR, _FAR, -_FAR
    points = scratch.points
    for k in range(count):
        _widen(seen, axes, origin, central, points[k, 0], points[k, 1], points[k, 2], ZERO)
    for i in range(views.shape.shape[1]):
        m = scratch.camera_from_instance[i]
        s = views.shape[n, i]
        if views.present[n, i] and casts(views, shapes, scratch, n, i):
            c = shapes.shape_centre_m[s]
            x = m[0, 0] * c[0] + m[0, 1] * c[1] + m[0, 2] * c[2] + m[0, 3]
            y = m[1, 0] * c[0] + m[1, 1] * c[1] + m[1, 2] * c[2] + m[1, 3]
            z = m[2, 0] * c[0] + m[2, 1] * c[1] + m[2, 2] * c[2] + m[2, 3]
            _widen(cast, axes, origin, central, x, y, z, radius_in_camera(shapes, m, s))
    x0, y0 = max(seen[0], cast[0]), max(seen[1], cast[1])
    x1, y1 = min(seen[2], cast[2]), min(seen[3], cast[3])
    if central:
        x0, y0, x1, y1 = max(x0, -_WIDE), max(y0, -_WIDE), min(x1, _WIDE), min(y1, _WIDE)
    if x0 >= x1 or y0 >= y1:
        return NONE
    # Two texels of margin on each side.
    sx, sy = np.float32(size - 5) / (x1 - x0), np.float32(size - 5) / (y1 - y0)
    out = scratch.shadow_from_camera[light]
    # The light looks along its third axis: distance along it is depth, negated.
    for k in range(3):
        out[0, k], out[1, k] = axes[0, k] * sx, axes[1, k] * sy
        out[2, k] = axes[2, k]
        out[3, k] = ZERO
    for r in range(3):
        out[r, 3] = -(out[r, 0] * origin[0] + out[r, 1] * origin[1] + out[r, 2] * origin[2])
    out[3, 3] = ONE
    tx, ty = np.float32(2.0) - x0 * sx, np.float32(2.0) - y0 * sy
    if central:
        for k in range(4):
            depth = -out[2, k]
            out[0, k] += tx * depth
            out[1, k] += ty * depth
            out[2, k], out[3, k] = ZERO, depth
        out[2, 3] = ONE
    else:
        out[0, 3] += tx
        out[1, 3] += ty
    scratch.shadow_texel[light] = max(ONE / sx, ONE / sy)
    return CENTRAL if central else PARALLEL


@kernel
def _is_off(views: Any, n: int, light: int) -> bool:
    d = views.light_diffuse
    return bool(d[n, light, 0] + d[n, light, 1] + d[n, light, 2] <= ZERO)


@kernel
def casts(views: Any, shapes: Any, scratch: Any, n: int, i: int) -> bool:
    """Return whether a body casts shadows: it is neither matte nor a floor."""
    if views.material[n, i, 3] > ZERO:
        return False
    return bool(radius_in_camera(shapes, scratch.camera_from_instance[i], views.shape[n, i]) <= _LARGEST_CASTER_M)


@kernel
def _middle_of_casters(views: Any, shapes: Any, scratch: Any, n: int) -> Any:
    x, y, z, count = ZERO, ZERO, ZERO, ZERO
    for i in range(views.shape.shape[1]):
        if views.present[n, i] and casts(views, shapes, scratch, n, i):
            m = scratch.camera_from_instance[i]
            x, y, z, count = x + m[0, 3], y + m[1, 3], z + m[2, 3], count + ONE
    count = max(count, ONE)
    return x / count, y / count, z / count


@kernel
def _axes(axes: Any, x: Any, y: Any, z: Any) -> None:
    """Write an orthonormal frame (3, 3) whose third row points along (x, y, z)."""
    length = max(np.float32(math.sqrt(x * x + y * y + z * z)), np.float32(1e-9))
    x, y, z = x / length, y / length, z / length
    if abs(x) < np.float32(0.7):
        ux, uy, uz = ZERO, z, -y
    else:
        ux, uy, uz = -z, ZERO, x
    length = np.float32(math.sqrt(ux * ux + uy * uy + uz * uz))
    ux, uy, uz = ux / length, uy / length, uz / length
    axes[0, 0], axes[0, 1], axes[0, 2] = ux, uy, uz
    axes[1, 0], axes[1, 1], axes[1, 2] = y * uz - z * uy, z * ux - x * uz, x * uy - y * ux
    axes[2, 0], axes[2, 1], axes[2, 2] = x, y, z


@kernel
def _widen(box: Any, axes: Any, origin: Any, central: bool, x: Any, y: Any, z: Any, radius: Any) -> None:
    """Make the box of map coordinates hold a sphere."""
    px, py, pz = x - origin[0], y - origin[1], z - origin[2]
    u = axes[0, 0] * px + axes[0, 1] * py + axes[0, 2] * pz
    v = axes[1, 0] * px + axes[1, 1] * py + axes[1, 2] * pz
    if central:
        depth = -(axes[2, 0] * px + axes[2, 1] * py + axes[2, 2] * pz)
        if depth + radius < NEAR_LAMP_M:
            return
        depth = max(depth - radius, NEAR_LAMP_M)
        u, v, radius = u / depth, v / depth, radius / depth
    box[0], box[1] = min(box[0], u - radius), min(box[1], v - radius)
    box[2], box[3] = max(box[2], u + radius), max(box[3], v + radius)


@kernel
def draw_casters(views: Any, shapes: Any, scratch: Any, n: int, light: int, size: int) -> None:
    """Draw what the light sees into its map; nearness is larger nearer to the light."""
    plane = scratch.shadow[light]
    plane[: size * size] = _EMPTY
    to_map = scratch.shadow_from_camera[light]
    central = scratch.shadow_kind[light] == CENTRAL
    corner = scratch.shadow_corner
    triangles = shapes.triangles
    last = np.float32(size - 1)
    m = scratch.matrix
    for i in range(views.shape.shape[1]):
        if not views.present[n, i] or not casts(views, shapes, scratch, n, i):
            continue
        level = level_for_shadow(shapes, views, scratch, n, i)
        first, stop = shapes.level_vertex[level], shapes.level_vertex[level + 1]
        own = scratch.camera_from_instance[i]
        for r in range(4):
            for k in range(4):
                m[r, k] = to_map[r, 0] * own[0, k] + to_map[r, 1] * own[1, k] + to_map[r, 2] * own[2, k]
            m[r, 3] += to_map[r, 3]
        _to_map(shapes.positions_m, corner, first, stop - first, m, central)
        closed = shapes.shape_closed[views.shape[n, i]]
        for t in range(shapes.level_triangle[level], shapes.level_triangle[level + 1]):
            i0, i1, i2 = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            x0, y0, x1, y1 = corner[i0, 0], corner[i0, 1], corner[i1, 0], corner[i1, 1]
            x2, y2 = corner[i2, 0], corner[i2, 1]
            area = (x1 - x0) * (y2 - y0) - (y1 - y0) * (x2 - x0)
            # Seen from the light with x and y as they are, outside is counter-clockwise.
            if (area < SMALLEST_AREA) if closed else (abs(area) < SMALLEST_AREA):
                continue
            low_x, high_x = min(x0, min(x1, x2)), max(x0, max(x1, x2))
            low_y, high_y = min(y0, min(y1, y2)), max(y0, max(y1, y2))
            ax, bx = above(max(low_x - OVERLAP, ZERO)), below(min(high_x + OVERLAP, last))
            ay, by = above(max(low_y - OVERLAP, ZERO)), below(min(high_y + OVERLAP, last))
            if ax > bx or ay > by:
                continue
            w0, w1, w2 = corner[i0, 2], corner[i1, 2], corner[i2, 2]
            if central and min(w0, min(w1, w2)) <= ZERO:
                continue
            fill_depth(plane, x0, y0, w0, x1, y1, w1, x2, y2, w2, ax, bx, ay, by, size)


@kernel
def _to_map(source: Any, corner: Any, first: int, count: int, m: Any, central: bool) -> None:
    m00, m01, m02, m03 = m[0, 0], m[0, 1], m[0, 2], m[0, 3]
    m10, m11, m12, m13 = m[1, 0], m[1, 1], m[1, 2], m[1, 3]
    m20, m21, m22, m23 = m[2, 0], m[2, 1], m[2, 2], m[2, 3]
    for v in range(count):
        x, y, z = source[first + v, 0], source[first + v, 1], source[first + v, 2]
        corner[v, 0] = m00 * x + m01 * y + m02 * z + m03
        corner[v, 1] = m10 * x + m11 * y + m12 * z + m13
        corner[v, 2] = m20 * x + m21 * y + m22 * z + m23
    if central:
        m30, m31, m32, m33 = m[3, 0], m[3, 1], m[3, 2], m[3, 3]
        for v in range(count):
            x, y, z = source[first + v, 0], source[first + v, 1], source[first + v, 2]
            depth = m30 * x + m31 * y + m32 * z + m33
            w = ONE / depth if depth > NEAR_LAMP_M else ZERO
            corner[v, 0] *= w
            corner[v, 1] *= w
            corner[v, 2] = w
