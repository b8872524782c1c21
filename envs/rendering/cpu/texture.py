"""Textures: the mip-map level for a sample, and its colour there."""

from __future__ import annotations

from typing import Any

import numpy as np

from envs.rendering.cpu.compiled import inlined
from envs.rendering.cpu.raster import HALF, ONE

_TO_UNIT = np.float32(1.0 / 255.0)
_QUARTER = np.float32(0.25)
# A level is taken while a sample covers at most this many of its texels.
_TEXELS_A_SAMPLE = np.float32(2.0)


@inlined
def texel(texels: Any, start: int, size: int, density: Any, u: Any, v: Any) -> Any:
    """Return the colour (3), 0 to 1, at (u, v): bilinear in the mip-map level (Williams 1983) that fits.

    Args:
        texels: uint32, red in the lowest byte.
        start: first texel of level 0.
        size: of level 0, a power of two.
        density: texels of level 0 that a sample covers.
        u: to the right; the texture repeats.
        v: up.
    """
    while density > _TEXELS_A_SAMPLE and size > 1:
        start += size * size
        size >>= 1
        density *= _QUARTER
    x, y = u * np.float32(size) - HALF, (ONE - v) * np.float32(size) - HALF
    ix, iy = np.int32(x), np.int32(y)
    ix -= np.int32(x < np.float32(ix))
    iy -= np.int32(y < np.float32(iy))
    fx, fy = x - np.float32(ix), y - np.float32(iy)
    mask = size - 1
    left, right = ix & mask, (ix + 1) & mask
    top, bottom = start + (iy & mask) * size, start + ((iy + 1) & mask) * size
    a, b = np.int32(texels[top + left]), np.int32(texels[top + right])
    c, d = np.int32(texels[bottom + left]), np.int32(texels[bottom + right])
    # Weights include the way from bytes to 0 to 1.
    upper, lower = (ONE - fy) * _TO_UNIT, fy * _TO_UNIT
    wa, wb, wc, wd = (ONE - fx) * upper, fx * upper, (ONE - fx) * lower, fx * lower
    red = _mix(a, b, c, d, wa, wb, wc, wd, 0)
    green = _mix(a, b, c, d, wa, wb, wc, wd, 8)
    return red, green, _mix(a, b, c, d, wa, wb, wc, wd, 16)


@inlined
def _mix(a: Any, b: Any, c: Any, d: Any, wa: Any, wb: Any, wc: Any, wd: Any, shift: int) -> Any:
    byte, by = np.int32(255), np.int32(shift)
    return (
        np.float32((a >> by) & byte) * wa
        + np.float32((b >> by) & byte) * wb
        + np.float32((c >> by) & byte) * wc
        + np.float32((d >> by) & byte) * wd
    )
