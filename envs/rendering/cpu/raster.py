"""Triangles to pixels: edge functions, depth test, and what shading needs to know of each triangle.

A triangle is kept as three planes over the screen, one a corner: plane i is corner i's barycentric coordinate divided
by depth (Olano & Greer 1997, "Triangle scan conversion using 2D homogeneous coordinates"). The three are at least 0
inside, their sum is the inverse depth, and each over the sum is the perspective-correct coordinate.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from envs.rendering.cpu.compiled import inlined, kernel

ZERO, ONE, HALF = np.float32(0.0), np.float32(1.0), np.float32(0.5)
# Triangles thinner than this many square pixels are dropped; they could only add noise.
SMALLEST_AREA = np.float32(1e-8)
# Neighbours overlap by about a thousandth of a pixel, so that rounding leaves no crack between them.
OVERLAP = np.float32(1e-3)
# Up to this width, each row of a triangle is tested as a whole, which the compiler turns into vector instructions; of a
# wider one, the part that is covered is solved for. What is drawn into has as many places to spare at its end.
NARROW = 16

# Columns of a triangle's record: three planes (x, y, constant), and the pixel at which the constant holds.
RECORD = 11


@inlined
def below(value: Any) -> Any:
    """Return the largest whole number that is not above a value between -2^31 and 2^31."""
    whole = np.int32(value)
    return np.int64(whole) - np.int64(np.float32(whole) > value)


@inlined
def above(value: Any) -> Any:
    """Return the smallest whole number that is not below a value between -2^31 and 2^31."""
    whole = np.int32(value)
    return np.int64(whole) + np.int64(np.float32(whole) < value)


@inlined
def planes_in_front(
    record: Any,
    at: int,
    x0: Any,
    y0: Any,
    w0: Any,
    x1: Any,
    y1: Any,
    w1: Any,
    x2: Any,
    y2: Any,
    w2: Any,
    ox: Any,
    oy: Any,
) -> Any:
    """Write the planes of a triangle whose corners are at pixels (x, y) with inverse depths w; return twice its area.

    Area is positive for a triangle that is clockwise on a screen with y down, as seen from outside.
    """
    ax, ay = x1 - x0, y1 - y0
    bx, by = x2 - x0, y2 - y0
    area = ax * by - ay * bx
    scale = ONE / area
    px, py = x0 - ox, y0 - oy
    # Corner 1's coordinate grows along the direction normal to edge 0-2, corner 2's along that normal to edge 0-1.
    g1x, g1y = by * scale, -bx * scale
    g2x, g2y = -ay * scale, ax * scale
    c1 = -(g1x * px + g1y * py)
    c2 = -(g2x * px + g2y * py)
    record[at, 0], record[at, 1], record[at, 2] = -(g1x + g2x) * w0, -(g1y + g2y) * w0, (ONE - c1 - c2) * w0
    record[at, 3], record[at, 4], record[at, 5] = g1x * w1, g1y * w1, c1 * w1
    record[at, 6], record[at, 7], record[at, 8] = g2x * w2, g2y * w2, c2 * w2
    record[at, 9], record[at, 10] = ox, oy
    return area


@kernel
def planes_across_near(record: Any, at: int, corners: Any, fx: float, fy: float, cx: float, cy: float) -> float:
    """Write the planes of a triangle of which some corners are behind; return its signed volume.

    `corners` is float64 (3, 3), in camera axes, and is overwritten. The signs agree with `planes_in_front`.
    """
    m = corners
    for k in range(3):
        x, y, z = m[k, 0], m[k, 1], m[k, 2]
        m[k, 0], m[k, 1] = fx * x + cx * z, fy * y + cy * z
    volume = 0.0
    for k in range(3):
        i, j = (k + 1) % 3, (k + 2) % 3
        a = m[i, 1] * m[j, 2] - m[i, 2] * m[j, 1]
        b = m[i, 2] * m[j, 0] - m[i, 0] * m[j, 2]
        c = m[i, 0] * m[j, 1] - m[i, 1] * m[j, 0]
        if k == 0:
            volume = m[0, 0] * a + m[0, 1] * b + m[0, 2] * c
            if abs(volume) < 1e-12:
                return 0.0
        record[at, 3 * k] = np.float32(a / volume)
        record[at, 3 * k + 1] = np.float32(b / volume)
        record[at, 3 * k + 2] = np.float32(c / volume)
    record[at, 9], record[at, 10] = ZERO, ZERO
    return volume


@inlined
def fill(
    record: Any, number: int, first_x: int, last_x: int, first_y: int, last_y: int, nearness: Any, owner: Any,
    width: int, limit: Any,
) -> None:  # fmt: skip
    """Put the triangle `number` where it is nearest, among the pixels first to last (inclusive).

    Args:
        record: (T, 11), all records.
        number: of the triangle; it is also written into `owner`.
        first_x: left, and so on.
        last_x: right.
        first_y: top.
        last_y: bottom.
        nearness: float32 (H * W + NARROW,), inverse depth of what is there; larger is nearer.
        owner: int32 (H * W + NARROW,).
        width: of a row.
        limit: largest inverse depth that is drawn: one over the near plane's.
    """
    a0, b0, c0 = record[number, 0], record[number, 1], record[number, 2]
    a1, b1, c1 = record[number, 3], record[number, 4], record[number, 5]
    a2, b2, c2 = record[number, 6], record[number, 7], record[number, 8]
    ox, oy = record[number, 9], record[number, 10]
    name = np.int32(number)
    # An overlap of a fixed share of a pixel for each edge.
    t0 = -OVERLAP * (abs(a0) + abs(b0))
    t1 = -OVERLAP * (abs(a1) + abs(b1))
    t2 = -OVERLAP * (abs(a2) + abs(b2))
    az, bz, cz = a0 + a1 + a2, b0 + b1 + b2, c0 + c1 + c2
    wide = last_x - first_x >= NARROW
    left, reach = np.float32(first_x) - ox, np.float32(last_x) - ox
    i0, i1, i2 = ZERO, ZERO, ZERO
    if wide:
        i0, i1, i2 = _inverse(a0), _inverse(a1), _inverse(a2)
    for y in range(first_y, last_y + 1):
        dy = np.float32(y) - oy
        r0, r1, r2, rz = b0 * dy + c0, b1 * dy + c1, b2 * dy + c2, bz * dy + cz
        row = y * width
        if wide:
            start, stop = _span(a0, a1, a2, i0, i1, i2, r0 - t0, r1 - t1, r2 - t2, ox, first_x, last_x)
            for x in range(start, stop + 1):
                w = az * (np.float32(x) - ox) + rz
                at = np.uintp(row + x)
                old, was = nearness[at], owner[at]
                closer = (w > old) & (w <= limit)
                nearness[at], owner[at] = w if closer else old, name if closer else was
        else:
            for k in range(NARROW):
                dx = np.float32(np.int32(k)) + left
                e0, e1, e2 = a0 * dx + r0, a1 * dx + r1, a2 * dx + r2
                w = az * dx + rz
                at = np.uintp(row + first_x + k)
                old, was = nearness[at], owner[at]
                closer = (e0 >= t0) & (e1 >= t1) & (e2 >= t2) & (w > old) & (w <= limit) & (dx <= reach)
                nearness[at], owner[at] = w if closer else old, name if closer else was


@inlined
def _inverse(slope: Any) -> Any:
    return ONE / slope if slope != ZERO else ZERO


@inlined
def _span(
    a0: Any, a1: Any, a2: Any, i0: Any, i1: Any, i2: Any, v0: Any, v1: Any, v2: Any, ox: Any, first_x: int, last_x: int
) -> Any:
    """Return the first and last pixel of a row, from first to last, in which all three edges hold; see `_narrow`."""
    left, right = np.float32(first_x), np.float32(last_x)
    left, right = _narrow(a0, i0, v0, ox, left, right)
    left, right = _narrow(a1, i1, v1, ox, left, right)
    left, right = _narrow(a2, i2, v2, ox, left, right)
    if left > right:
        return first_x, first_x - 1
    return above(left), below(right)


@inlined
def _narrow(slope: Any, inverse: Any, value: Any, ox: Any, left: Any, right: Any) -> Any:
    """Return the part of left to right in which slope * (x - ox) + value is at least 0; right is less if there is none.

    `inverse` is one over the slope.
    """
    if slope > ZERO:
        left = max(left, ox - value * inverse)
    elif slope < ZERO:
        right = min(right, ox - value * inverse)
    elif value < ZERO:
        right = left - ONE
    return left, right


@inlined
def nearness_at(record: Any, number: int, x: Any, y: Any) -> Any:
    """Return the inverse depth of a triangle at (x, y); 0 outside it."""
    dx, dy = x - record[number, 9], y - record[number, 10]
    total = ZERO
    for k in range(0, 9, 3):
        a, b = record[number, k], record[number, k + 1]
        e = a * dx + b * dy + record[number, k + 2]
        if e < -OVERLAP * (abs(a) + abs(b)):
            return ZERO
        total += e
    return total


@inlined
def fill_depth(
    nearness: Any, x0: Any, y0: Any, w0: Any, x1: Any, y1: Any, w1: Any, x2: Any, y2: Any, w2: Any,
    first_x: int, last_x: int, first_y: int, last_y: int, width: int,
) -> None:  # fmt: skip
    """Put the nearness, linear over the map, of a triangle with corners (x, y, w) where it is nearest.

    Args:
        nearness: float32 (H * W + NARROW,); larger is nearer.
        x0: first corner, and so on.
        y0: first corner.
        w0: nearness of the first corner, and so on.
        x1: second corner.
        y1: second corner.
        w1: second corner.
        x2: third corner.
        y2: third corner.
        w2: third corner.
        first_x: left, and so on.
        last_x: right, inclusive.
        first_y: top.
        last_y: bottom, inclusive.
        width: of a row.
    """
    ax, ay, bx, by = x1 - x0, y1 - y0, x2 - x0, y2 - y0
    scale = ONE / (ax * by - ay * bx)
    g1x, g1y, g2x, g2y = by * scale, -bx * scale, -ay * scale, ax * scale
    g0x, g0y = -(g1x + g2x), -(g1y + g2y)
    px, py = np.float32(first_x) - x0, np.float32(first_y) - y0
    c1, c2 = g1x * px + g1y * py, g2x * px + g2y * py
    c0 = ONE - c1 - c2
    zx, zy = g1x * (w1 - w0) + g2x * (w2 - w0), g1y * (w1 - w0) + g2y * (w2 - w0)
    cz = w0 + c1 * (w1 - w0) + c2 * (w2 - w0)
    t0 = -OVERLAP * (abs(g0x) + abs(g0y))
    t1 = -OVERLAP * (abs(g1x) + abs(g1y))
    t2 = -OVERLAP * (abs(g2x) + abs(g2y))
    wide = last_x - first_x >= NARROW
    reach = np.float32(last_x - first_x)
    i0, i1, i2 = ZERO, ZERO, ZERO
    if wide:
        i0, i1, i2 = _inverse(g0x), _inverse(g1x), _inverse(g2x)
    for y in range(first_y, last_y + 1):
        dy = np.float32(y - first_y)
        r0, r1, r2, rz = g0y * dy + c0, g1y * dy + c1, g2y * dy + c2, zy * dy + cz
        row = y * width
        if wide:
            ox = np.float32(first_x)
            left, right = _span(g0x, g1x, g2x, i0, i1, i2, r0 - t0, r1 - t1, r2 - t2, ox, first_x, last_x)
            for x in range(left, right + 1):
                at = np.uintp(row + x)
                w, old = zx * np.float32(x - first_x) + rz, nearness[at]
                nearness[at] = w if w > old else old
            continue
        for k in range(NARROW):
            dx = np.float32(np.int32(k))
            inside = (g0x * dx + r0 >= t0) & (g1x * dx + r1 >= t1) & (g2x * dx + r2 >= t2) & (dx <= reach)
            at = np.uintp(row + first_x + k)
            w, old = zx * dx + rz, nearness[at]
            nearness[at] = w if inside & (w > old) else old
