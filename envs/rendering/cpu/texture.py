"""Textures: the mip-map level for each fragment, and its colour there."""

from __future__ import annotations

from typing import Any

import numpy as np

from envs.rendering.cpu.compiled import inlined
from envs.rendering.cpu.raster import HALF, ONE
from envs.rendering.cpu.surface import (
    BETWEEN_X,
    BETWEEN_Y,
    BLOCK,
    BLUE,
    FOUND,
    GREEN,
    LANES,
    PLACE,
    RED,
    SIDE,
    TEXEL,
    D,
    U,
    V,
)

_TO_UNIT = np.float32(1.0 / 255.0)
# The level is the first of which a pixel covers at most two texels: a texel is then at least half a pixel.
_HALF_A_PIXEL = np.float32(0.5)
_BYTE, _ONE = np.int32(255), np.int32(1)
# Every other bit, from the lowest.
_FOURS = np.int32(0x55555555)


@inlined
def texture_block(texels: Any, scratch: Any) -> None:
    """Multiply the colours of a block's fragments by their textures: bilinear in the mip-map level (Williams 1983).

    Args:
        texels: uint32, red in the lowest byte; of each texture all levels, from the largest, whose side is a power of
            two, to a single texel. Textures repeat; v goes up.
        scratch: of this thread. A fragment has no texture where the size in its lane is 0.
    """
    f, whole = scratch.lanes, scratch.lane_numbers
    for k in range(BLOCK):
        full = whole[SIDE + k]
        # Each level down, a pixel covers a quarter of the texels: half the logarithm, rounded up, is the level. The
        # logarithm of a float, rounded up, is in its exponent once all of the fraction is added.
        bits = np.float32(f[D + k] * _HALF_A_PIXEL).view(np.int32)
        level = max(((bits + np.int32(0x7FFFFF)) >> np.int32(23)) - np.int32(126), np.int32(0)) >> _ONE
        size = max(full >> min(level, np.int32(30)), _ONE)
        # The levels before hold powers of four texels: of those up to the full one's, each sets one bit.
        start = whole[TEXEL + k] + (((full * full - size * size) & _FOURS) << np.int32(2))
        x, y = f[U + k] * np.float32(size) - HALF, (ONE - f[V + k]) * np.float32(size) - HALF
        ix, iy = np.int32(x), np.int32(y)
        ix -= np.int32(x < np.float32(ix))
        iy -= np.int32(y < np.float32(iy))
        f[BETWEEN_X + k], f[BETWEEN_Y + k] = x - np.float32(ix), y - np.float32(iy)
        mask = size - _ONE
        left, right = ix & mask, (ix + _ONE) & mask
        top, bottom = start + (iy & mask) * size, start + ((iy + _ONE) & mask) * size
        some = full > np.int32(0)
        whole[PLACE + k] = top + left if some else np.int32(0)
        whole[PLACE + LANES + k] = top + right if some else np.int32(0)
        whole[PLACE + 2 * LANES + k] = bottom + left if some else np.int32(0)
        whole[PLACE + 3 * LANES + k] = bottom + right if some else np.int32(0)
    for q in range(0, 4 * LANES, LANES):
        for k in range(BLOCK):
            whole[FOUND + q + k] = texels[np.uint32(whole[PLACE + q + k])]
    for k in range(BLOCK):
        some = whole[SIDE + k] > np.int32(0)
        a, b = whole[FOUND + k], whole[FOUND + LANES + k]
        c, d = whole[FOUND + 2 * LANES + k], whole[FOUND + 3 * LANES + k]
        # Weights include the way from bytes to 0 to 1.
        fx, fy = f[BETWEEN_X + k], f[BETWEEN_Y + k]
        upper, lower = (ONE - fy) * _TO_UNIT, fy * _TO_UNIT
        wa, wb, wc, wd = (ONE - fx) * upper, fx * upper, (ONE - fx) * lower, fx * lower
        f[RED + k] *= _mix(a, b, c, d, wa, wb, wc, wd, 0) if some else ONE
        f[GREEN + k] *= _mix(a, b, c, d, wa, wb, wc, wd, 8) if some else ONE
        f[BLUE + k] *= _mix(a, b, c, d, wa, wb, wc, wd, 16) if some else ONE


@inlined
def _mix(a: Any, b: Any, c: Any, d: Any, wa: Any, wb: Any, wc: Any, wd: Any, shift: int) -> Any:
    by = np.int32(shift)
    return (
        np.float32((a >> by) & _BYTE) * wa
        + np.float32((b >> by) & _BYTE) * wb
        + np.float32((c >> by) & _BYTE) * wc
        + np.float32((d >> by) & _BYTE) * wd
    )
