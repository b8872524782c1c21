"""How much of a light reaches a point, from its shadow map."""

from __future__ import annotations

from typing import Any

import numpy as np

from envs.rendering.cpu.compiled import inlined, kernel
from envs.rendering.cpu.raster import HALF, ONE, ZERO
from envs.rendering.cpu.shadow import CENTRAL, NEAR_LAMP_M, NONE

_WIDEST, _SIXTEENTH, _THREE_QUARTERS = np.float32(12.0), np.float32(1.0 / 16.0), np.float32(0.75)


@inlined
def lit_share(
    scratch: Any, light: int, size: int, spread: Any, x: Any, y: Any, z: Any, nx: Any, ny: Any, nz: Any
) -> Any:
    """Return how much of a light reaches the point (x, y, z) with unit normal n, in camera axes: 0 to 1.

    `spread` is the angular radius of the source for a parallel light, its radius in metres for a central one.
    """
    kind = scratch.shadow_kind[light]
    if kind == NONE:
        return ONE
    m = scratch.shadow_from_camera
    texel = scratch.shadow_texel[light]
    depth = ONE
    if kind == CENTRAL:
        depth = m[light, 3, 0] * x + m[light, 3, 1] * y + m[light, 3, 2] * z + m[light, 3, 3]
        if depth <= NEAR_LAMP_M:
            return ONE
        texel = texel * depth
    # A point is compared from a little above its surface, by a texel and a half, against its own shadow.
    lift = texel * np.float32(1.5)
    x, y, z = x + lift * nx, y + lift * ny, z + lift * nz
    u = m[light, 0, 0] * x + m[light, 0, 1] * y + m[light, 0, 2] * z + m[light, 0, 3]
    v = m[light, 1, 0] * x + m[light, 1, 1] * y + m[light, 1, 2] * z + m[light, 1, 3]
    if kind == CENTRAL:
        depth = m[light, 3, 0] * x + m[light, 3, 1] * y + m[light, 3, 2] * z + m[light, 3, 3]
        if depth <= NEAR_LAMP_M:
            return ONE
        u, v = u / depth, v / depth
        near = ONE / (depth - np.float32(0.3) * texel)
    else:
        near = m[light, 2, 0] * x + m[light, 2, 1] * y + m[light, 2, 2] * z + m[light, 2, 3] + np.float32(0.3) * texel
    edge = np.float32(size - 2)
    if not (u >= ONE and v >= ONE and u < edge and v < edge):
        return ONE
    if spread <= ZERO:
        return _bilinear(scratch.shadow, light, size, u, v, near)
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
