"""The colour of what is seen: texture, matte and mirror-like reflection, shadow.

Reflection is Lambert's and Blinn's (1977), its power in Schlick's rational form (1994, "A fast alternative to Phong's
specular model"). Colours are display values, as in PyBullet's own renderer, not linear light.

Sixteen fragments are shaded at a time. Each step is a loop of that fixed length over rows of one small array, which the
compiler turns into vector instructions; only texels and shadow maps are looked up one by one.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from envs.rendering.cpu.compiled import inlined
from envs.rendering.cpu.raster import ONE, ZERO
from envs.rendering.cpu.shadow import NONE
from envs.rendering.cpu.shadow_lookup import darken_block, soft_share
from envs.rendering.cpu.surface import (
    BACK,
    BLOCK,
    BLUE,
    DEPTH,
    FACING,
    FALL,
    FULL_B,
    FULL_G,
    FULL_R,
    GREEN,
    LANES,
    LIT_B,
    LIT_G,
    LIT_R,
    LX,
    LY,
    LZ,
    METAL,
    NX,
    NY,
    NZ,
    PIXEL,
    RED,
    SHARE,
    SHINE_B,
    SHINE_G,
    SHINE_R,
    SIDE,
    WEIGHT,
    M,
    P,
    X,
    Y,
)
from envs.rendering.cpu.texture import texture_block

_TINY = np.float32(1e-20)


@inlined
def shade_block(shapes: Any, views: Any, scratch: Any, n: int, count: int, size: int) -> None:
    """Shade the first `count` fragments, at most BLOCK, and add them to their pixels of the row.

    Args:
        shapes: the shapes.
        views: the views.
        scratch: of this thread; its lanes hold the fragments, its row the background and what was added before.
        n: number of the view.
        count: of fragments.
        size: of the shadow maps.
    """
    f, whole, row = scratch.lanes, scratch.lane_numbers, scratch.row
    for k in range(count, BLOCK):
        whole[SIDE + k] = 0
    textured, matte = np.int32(0), np.int32(0)
    for k in range(BLOCK):
        textured |= whole[SIDE + k]
        matte |= np.int32(f[BACK + k] > ZERO)
    if textured != 0:
        texture_block(shapes.texels, scratch)
    if matte != 0:
        for k in range(count):
            if f[BACK + k] > ZERO:
                at = 3 * whole[PIXEL + k]
                f[RED + k], f[GREEN + k], f[BLUE + k] = row[1, at], row[1, at + 1], row[1, at + 2]
    first = True
    for light in range(views.light.shape[1]):
        strong = views.light_diffuse[n, light, 0] + views.light_diffuse[n, light, 1] + views.light_diffuse[n, light, 2]
        if strong > ZERO:
            _face(scratch, light)
            _darken(views, scratch, n, light, count, size)
            _add(views, scratch, n, light, first)
            first = False
    if first:
        _leave_dark(views, scratch, n)
    _finish(scratch)
    for k in range(count):
        at, weight = np.uintp(3) * np.uintp(whole[PIXEL + k]), f[WEIGHT + k]
        row[0, at] += weight * f[RED + k]
        row[0, at + np.uintp(1)] += weight * f[GREEN + k]
        row[0, at + np.uintp(2)] += weight * f[BLUE + k]


@inlined
def drop_block(scratch: Any) -> None:
    """Move the fragments after the first block to the front."""
    f, whole = scratch.lanes, scratch.lane_numbers
    for q in range(0, BACK + LANES, LANES):
        for k in range(BLOCK):
            f[q + k] = f[q + k + BLOCK]
    for q in range(0, SIDE + LANES, LANES):
        for k in range(BLOCK):
            whole[q + k] = whole[q + k + BLOCK]


@inlined
def _face(scratch: Any, light: int) -> None:
    """Write the direction to a light, how squarely it meets the surface and how much of it is left by distance."""
    f = scratch.lanes
    here = scratch.light_camera
    # A parallel light is as far off in one direction, wherever it is seen from.
    px, py, pz, central = here[light, 0], here[light, 1], here[light, 2], here[light, 3]
    for k in range(BLOCK):
        x, y, z = px - central * f[X + k], py - central * f[Y + k], pz - central * f[DEPTH + k]
        near = ONE / np.float32(math.sqrt(x * x + y * y + z * z + _TINY))
        facing = (x * f[NX + k] + y * f[NY + k] + z * f[NZ + k]) * near
        f[LX + k], f[LY + k], f[LZ + k] = x * near, y * near, z * near
        f[FALL + k] = min(ONE, near * near) if central > ZERO else ONE
        f[FACING + k] = facing if facing > ZERO else ZERO
        f[SHARE + k] = ONE


@inlined
def _darken(views: Any, scratch: Any, n: int, light: int, count: int, size: int) -> None:
    """Write the share of a light that is left after shadows."""
    f = scratch.lanes
    taken = views.light_shadow[n, light, 0]
    if taken <= ZERO or scratch.shadow_kind[light] == NONE:
        return
    spread = views.light_shadow[n, light, 1]
    if spread <= ZERO:
        darken_block(scratch, light, size, taken)
        return
    for k in range(count):
        if f[FACING + k] > ZERO:
            share = soft_share(
                scratch, light, size, spread, f[X + k], f[Y + k], f[DEPTH + k], f[NX + k], f[NY + k], f[NZ + k]
            )
            f[SHARE + k] = ONE - taken * (ONE - share)


@inlined
def _add(views: Any, scratch: Any, n: int, light: int, first: bool) -> None:
    """Add a light's reflections, to the ambient light if it is the first."""
    f = scratch.lanes
    r, g, b = views.ambient[n, 0], views.ambient[n, 1], views.ambient[n, 2]
    kr, kg, kb = views.light_diffuse[n, light, 0], views.light_diffuse[n, light, 1], views.light_diffuse[n, light, 2]
    for k in range(BLOCK):
        full = f[FACING + k] * f[FALL + k] * (ONE - f[METAL + k])
        got = full * f[SHARE + k]
        f[FULL_R + k] = full * kr + (r if first else f[FULL_R + k])
        f[FULL_G + k] = full * kg + (g if first else f[FULL_G + k])
        f[FULL_B + k] = full * kb + (b if first else f[FULL_B + k])
        f[LIT_R + k] = got * kr + (r if first else f[LIT_R + k])
        f[LIT_G + k] = got * kg + (g if first else f[LIT_G + k])
        f[LIT_B + k] = got * kb + (b if first else f[LIT_B + k])
        f[SHINE_R + k] = ZERO if first else f[SHINE_R + k]
        f[SHINE_G + k] = ZERO if first else f[SHINE_G + k]
        f[SHINE_B + k] = ZERO if first else f[SHINE_B + k]
    kr, kg = views.light_specular[n, light, 0], views.light_specular[n, light, 1]
    kb = views.light_specular[n, light, 2]
    if kr + kg + kb <= ZERO:
        return
    for k in range(BLOCK):
        x, y, z = f[X + k], f[Y + k], f[DEPTH + k]
        away = ONE / np.float32(math.sqrt(x * x + y * y + z * z))
        hx, hy, hz = f[LX + k] - x * away, f[LY + k] - y * away, f[LZ + k] - z * away
        half = ONE / np.float32(math.sqrt(hx * hx + hy * hy + hz * hz + _TINY))
        cosine = max((f[NX + k] * hx + f[NY + k] * hy + f[NZ + k] * hz) * half, ZERO)
        power = f[P + k]
        shine = f[M + k] * cosine / (power - power * cosine + cosine)
        shine *= f[FALL + k] * f[SHARE + k] if f[FACING + k] > ZERO else ZERO
        f[SHINE_R + k] += shine * kr
        f[SHINE_G + k] += shine * kg
        f[SHINE_B + k] += shine * kb


@inlined
def _leave_dark(views: Any, scratch: Any, n: int) -> None:
    """Leave the ambient light where there is no other."""
    f = scratch.lanes
    r, g, b = views.ambient[n, 0], views.ambient[n, 1], views.ambient[n, 2]
    for k in range(BLOCK):
        f[FULL_R + k], f[FULL_G + k], f[FULL_B + k] = r, g, b
        f[LIT_R + k], f[LIT_G + k], f[LIT_B + k] = r, g, b
        f[SHINE_R + k], f[SHINE_G + k], f[SHINE_B + k] = ZERO, ZERO, ZERO


@inlined
def _finish(scratch: Any) -> None:
    """Turn surface colours into what is seen, at most 1: a matte body keeps the background but for shadows."""
    f = scratch.lanes
    for k in range(BLOCK):
        metallic, back = f[METAL + k], f[BACK + k] > ZERO
        matter = ONE - metallic
        r, g, b = f[RED + k], f[GREEN + k], f[BLUE + k]
        # A metal gives highlights its own colour.
        sr = ZERO if back else f[SHINE_R + k] * (matter + metallic * r)
        sg = ZERO if back else f[SHINE_G + k] * (matter + metallic * g)
        sb = ZERO if back else f[SHINE_B + k] * (matter + metallic * b)
        dr = f[LIT_R + k] / max(f[FULL_R + k], _TINY) if back else f[LIT_R + k]
        dg = f[LIT_G + k] / max(f[FULL_G + k], _TINY) if back else f[LIT_G + k]
        db = f[LIT_B + k] / max(f[FULL_B + k], _TINY) if back else f[LIT_B + k]
        f[RED + k] = min(r * dr + sr, ONE)
        f[GREEN + k] = min(g * dg + sg, ONE)
        f[BLUE + k] = min(b * db + sb, ONE)
