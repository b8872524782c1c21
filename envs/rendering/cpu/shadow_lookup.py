"""How much of a light reaches a point, from its shadow map."""

from __future__ import annotations

from typing import Any

import numpy as np

from envs.rendering.cpu.compiled import inlined, kernel
from envs.rendering.cpu.raster import HALF, ONE, ZERO
from envs.rendering.cpu.shadow import CENTRAL, NEAR_LAMP_M
from envs.rendering.cpu.surface import (
    BETWEEN_X,
    BETWEEN_Y,
    BLOCK,
    DEPTH,
    LANES,
    NEAR,
    NX,
    NY,
    NZ,
    PLACE,
    SHARE,
    TAP,
    X,
    Y,
)

# A point is compared from a little above its surface, by a texel and a half, and from a little nearer to the light,
# against its own shadow.
_LIFT, _BIAS = np.float32(1.5), np.float32(0.3)
# Nearer than anything in a map.
_ALWAYS = np.float32(1e38)
_WIDEST, _SIXTEENTH, _THREE_QUARTERS = np.float32(12.0), np.float32(1.0 / 16.0), np.float32(0.75)


@inlined
def darken_block(scratch: Any, light: int, size: int, taken: Any) -> None:
    """Write the share of a light without size, which casts hard shadows, that is left to a block's fragments.

    Args:
        scratch: of this thread.
        light: number of the light; it has a map.
        size: of the map.
        taken: share of the light that a shadow takes.
    """
    f, whole, m = scratch.lanes, scratch.lane_numbers, scratch.shadow_from_camera
    central = scratch.shadow_kind[light] == CENTRAL
    m00, m01, m02, m03 = m[light, 0, 0], m[light, 0, 1], m[light, 0, 2], m[light, 0, 3]
    m10, m11, m12, m13 = m[light, 1, 0], m[light, 1, 1], m[light, 1, 2], m[light, 1, 3]
    m20, m21, m22, m23 = m[light, 2, 0], m[light, 2, 1], m[light, 2, 2], m[light, 2, 3]
    m30, m31, m32, m33 = m[light, 3, 0], m[light, 3, 1], m[light, 3, 2], m[light, 3, 3]
    side, edge, texel = np.int32(size), np.float32(size - 2), scratch.shadow_texel[light]
    reached = np.int32(0)
    for k in range(BLOCK):
        x, y, z = f[X + k], f[Y + k], f[DEPTH + k]
        wide = texel * (m30 * x + m31 * y + m32 * z + m33) if central else texel
        lift = wide * _LIFT
        x, y, z = x + lift * f[NX + k], y + lift * f[NY + k], z + lift * f[NZ + k]
        u = m00 * x + m01 * y + m02 * z + m03
        v = m10 * x + m11 * y + m12 * z + m13
        if central:
            depth = max(m30 * x + m31 * y + m32 * z + m33, NEAR_LAMP_M)
            u, v, near = u / depth, v / depth, ONE / (depth - _BIAS * wide)
            inside = wide > NEAR_LAMP_M * texel and depth > NEAR_LAMP_M
        else:
            near = m20 * x + m21 * y + m22 * z + m23 + _BIAS * wide
            inside = True
        inside = inside & (u >= ONE) & (v >= ONE) & (u < edge) & (v < edge)
        u, v = u if inside else ONE, v if inside else ONE
        iu, iv = np.int32(u), np.int32(v)
        f[BETWEEN_X + k], f[BETWEEN_Y + k] = u - np.float32(iu), v - np.float32(iv)
        f[NEAR + k] = near if inside else _ALWAYS
        whole[PLACE + k] = iv * side + iu
        reached |= np.int32(inside)
    if reached == 0:
        return
    for k in range(BLOCK):
        at = np.uint32(whole[PLACE + k])
        f[TAP + k] = scratch.shadow[light, at]
        f[TAP + LANES + k] = scratch.shadow[light, at + np.uint32(1)]
        f[TAP + 2 * LANES + k] = scratch.shadow[light, at + np.uint32(size)]
        f[TAP + 3 * LANES + k] = scratch.shadow[light, at + np.uint32(size + 1)]
    for k in range(BLOCK):
        near, fu, fv = f[NEAR + k], f[BETWEEN_X + k], f[BETWEEN_Y + k]
        a = ONE if near >= f[TAP + k] else ZERO
        b = ONE if near >= f[TAP + LANES + k] else ZERO
        c = ONE if near >= f[TAP + 2 * LANES + k] else ZERO
        d = ONE if near >= f[TAP + 3 * LANES + k] else ZERO
        top = a + (b - a) * fu
        f[SHARE + k] = ONE - taken * (ONE - (top + (c + (d - c) * fu - top) * fv))


@inlined
def soft_share(
    scratch: Any, light: int, size: int, spread: Any, x: Any, y: Any, z: Any, nx: Any, ny: Any, nz: Any
) -> Any:
    """Return how much of a light with a map reaches the point (x, y, z) with unit normal n, in camera axes: 0 to 1.

    `spread` is the angular radius of the source for a parallel light, its radius in metres for a central one.
    """
    kind = scratch.shadow_kind[light]
    m = scratch.shadow_from_camera
    texel = scratch.shadow_texel[light]
    depth = ONE
    if kind == CENTRAL:
        depth = m[light, 3, 0] * x + m[light, 3, 1] * y + m[light, 3, 2] * z + m[light, 3, 3]
        if depth <= NEAR_LAMP_M:
            return ONE
        texel = texel * depth
    lift = texel * _LIFT
    x, y, z = x + lift * nx, y + lift * ny, z + lift * nz
    u = m[light, 0, 0] * x + m[light, 0, 1] * y + m[light, 0, 2] * z + m[light, 0, 3]
    v = m[light, 1, 0] * x + m[light, 1, 1] * y + m[light, 1, 2] * z + m[light, 1, 3]
    if kind == CENTRAL:
        depth = m[light, 3, 0] * x + m[light, 3, 1] * y + m[light, 3, 2] * z + m[light, 3, 3]
        if depth <= NEAR_LAMP_M:
            return ONE
        u, v = u / depth, v / depth
        near = ONE / (depth - _BIAS * texel)
    else:
        near = m[light, 2, 0] * x + m[light, 2, 1] * y + m[light, 2, 2] * z + m[light, 2, 3] + _BIAS * texel
    edge = np.float32(size - 2)
    if not (u >= ONE and v >= ONE and u < edge and v < edge):
        return ONE
    return _soft(scratch.shadow, light, size, u, v, near, depth, spread, texel, kind == CENTRAL, edge)


@inlined
def _bilinear(maps: Any, light: int, size: int, u: Any, v: Any, near: Any) -> Any:
    """Return the share of the four nearest texels that let light through (Reeves, Salesin & Cook 1987), weighted."""
    iu, iv = int(u), int(v)
    fu, fv = u - np.float32(iu), v - np.float32(iv)
    at = iv * size + iu
    a = ONE if near >= maps[light, at] else ZERO
    b = ONE if near >= maps[light, at + 1] else ZERO
    c = ONE if near >= maps[light, at + size] else ZERO
    d = ONE if near >= maps[light, at + size + 1] else ZERO
    top = a + (b - a) * fu
    return top + (c + (d - c) * fu - top) * fv


@kernel
def _soft(
    maps: Any,
    light: int,
    size: int,
    u: Any,
    v: Any,
    near: Any,
    depth: Any,
    spread: Any,
    texel: Any,
    central: bool,
    edge: Any,
) -> Any:
    """Return the lit share under a source of some size: the farther the blocker, the wider the edge."""
    reach = spread * HALF / depth if central else spread * HALF
    search = min(max(reach / texel, ONE), _WIDEST)
    found, gap = ZERO, ZERO
    for k in range(16):
        su = min(max(u + search * _tap(k % 4), ONE), edge)
        sv = min(max(v + search * _tap(k // 4), ONE), edge)
        blocker = maps[light, int(sv) * size + int(su)]
        if blocker > near:
            found += ONE
            gap += depth - ONE / blocker if central else blocker - near
    if found == ZERO:
        return ONE
    gap /= found
    radius = spread * gap / max(depth - gap, NEAR_LAMP_M) if central else spread * gap
    radius = min(max(radius / texel, ONE), _WIDEST)
    total = ZERO
    for k in range(16):
        su = min(max(u + radius * _tap(k % 4), ONE), edge - ONE)
        sv = min(max(v + radius * _tap(k // 4), ONE), edge - ONE)
        total += _bilinear(maps, light, size, su, sv, near)
    return total * _SIXTEENTH


@inlined
def _tap(k: int) -> Any:
    """Return the place of tap k of four, evenly between -0.75 and 0.75."""
    return np.float32(k) * HALF - _THREE_QUARTERS
