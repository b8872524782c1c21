"""Which triangle is seen at each sample of a view."""

from __future__ import annotations

from typing import Any

import numpy as np

from envs.rendering.cpu.compiled import kernel
from envs.rendering.cpu.raster import (
    ONE,
    OVERLAP,
    SMALLEST_AREA,
    ZERO,
    above,
    below,
    fill,
    planes_across_near,
    planes_in_front,
)


@kernel
def draw_instance(
    shapes: Any, views: Any, scratch: Any, n: int, i: int, drawn: int, fx: Any, fy: Any, cx: Any, cy: Any,
    width: int, height: int, near: Any,
) -> int:  # fmt: skip
    """Draw the triangles of instance i; return the number of records in use, `drawn` before."""
    level = scratch.level[i]
    closed = shapes.shape_closed[views.shape[n, i]]
    base = scratch.base[i]
    triangles, corner = shapes.triangles, scratch.corner
    last_x, last_y = width - 1, height - 1
    limit = ONE / near
    for t in range(shapes.level_triangle[level], shapes.level_triangle[level + 1]):
        i0, i1, i2 = base + triangles[t, 0], base + triangles[t, 1], base + triangles[t, 2]
        w0, w1, w2 = corner[i0, 2], corner[i1, 2], corner[i2, 2]
        if w0 > ZERO and w1 > ZERO and w2 > ZERO:
            x0, y0, x1, y1 = corner[i0, 0], corner[i0, 1], corner[i1, 0], corner[i1, 1]
            x2, y2 = corner[i2, 0], corner[i2, 1]
            area = (x1 - x0) * (y2 - y0) - (y1 - y0) * (x2 - x0)
            if (area > -SMALLEST_AREA) if closed else (abs(area) < SMALLEST_AREA):
                continue
            low_x, high_x = min(x0, min(x1, x2)), max(x0, max(x1, x2))
            low_y, high_y = min(y0, min(y1, y2)), max(y0, max(y1, y2))
            ax = above(max(low_x - OVERLAP, ZERO))
            bx = below(min(high_x + OVERLAP, np.float32(last_x)))
            ay = above(max(low_y - OVERLAP, ZERO))
            by = below(min(high_y + OVERLAP, np.float32(last_y)))
            if ax > bx or ay > by:
                continue
            planes_in_front(scratch.record, drawn, x0, y0, w0, x1, y1, w1, x2, y2, w2, np.float32(ax), np.float32(ay))
            behind = area > ZERO
        elif w0 == ZERO and w1 == ZERO and w2 == ZERO:
            continue
        else:
            ax, bx, ay, by = 0, last_x, 0, last_y
            volume = _across_near(shapes, scratch, i, t, level, drawn, fx, fy, cx, cy)
            if volume == 0.0 or (closed and volume > 0.0):
                continue
            behind = volume > 0.0
        scratch.source[drawn] = t
        scratch.instance[drawn] = -1 - i if behind else i
        fill(scratch.record, drawn, ax, bx, ay, by, scratch.nearness, scratch.owner, width, limit)
        drawn += 1
    return drawn


@kernel
def _across_near(
    shapes: Any, scratch: Any, i: int, t: int, level: int, drawn: int, fx: Any, fy: Any, cx: Any, cy: Any
) -> float:
    m = scratch.camera_from_instance[i]
    first = shapes.level_vertex[level]
    corners = scratch.corners
    for k in range(3):
        p = shapes.positions_m[first + shapes.triangles[t, k]]
        for r in range(3):
            corners[k, r] = m[r, 0] * p[0] + m[r, 1] * p[1] + m[r, 2] * p[2] + m[r, 3]
    return float(planes_across_near(scratch.record, drawn, corners, float(fx), float(fy), float(cx), float(cy)))
