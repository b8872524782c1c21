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
from envs.rendering.cpu.shadow_lookup import lit_share
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
    TEXEL,
    WEIGHT,
    D,
    M,
    P,
    U,
    V,
    X,
    Y,
)
from envs.rendering.cpu.texture import texel

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
    for k in range(count):
        if f[BACK + k] > ZERO:
            x = whole[PIXEL + k]
            f[RED + k], f[GREEN + k], f[BLUE + k] = row[3, x], row[4, x], row[5, x]
        elif whole[SIDE + k] > 0:
            r, g, b = texel(shapes.texels, whole[TEXEL + k], whole[SIDE + k], f[D + k], f[U + k], f[V + k])
            f[RED + k] *= r
            f[GREEN + k] *= g
            f[BLUE + k] *= b
    r, g, b = views.ambient[n, 0], views.ambient[n, 1], views.ambient[n, 2]
    for k in range(BLOCK):
        f[LIT_R + k], f[LIT_G + k], f[LIT_B + k] = r, g, b
        f[FULL_R + k], f[FULL_G + k], f[FULL_B + k] = r, g, b
        f[SHINE_R + k], f[SHINE_G + k], f[SHINE_B + k] = ZERO, ZERO, ZERO
    for light in range(views.light.shape[1]):
        strong = views.light_diffuse[n, light, 0] + views.light_diffuse[n, light, 1] + views.light_diffuse[n, light, 2]
        if strong > ZERO:
            _face(scratch, light)
            _darken(views, scratch, n, light, count, size)
            _add(views, scratch, n, light)
    _finish(scratch)
    for k in range(count):
        x, weight = whole[PIXEL + k], f[WEIGHT + k]
        row[0, x] += weight * f[RED + k]
        row[1, x] += weight * f[GREEN + k]
        row[2, x] += weight * f[BLUE + k]


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
    px, py, pz, central = here[light, 0], here[light, 1], here[light, 2], here[light, 3]
    if central > ZERO:
        for k in range(BLOCK):
            x, y, z = px - f[X + k], py - f[Y + k], pz - f[DEPTH + k]
            near = ONE / np.float32(math.sqrt(x * x + y * y + z * z + _TINY))
            f[LX + k], f[LY + k], f[LZ + k] = x * near, y * near, z * near
            f[FALL + k] = min(ONE, near * near)
            f[FACING + k] = max((x * f[NX + k] + y * f[NY + k] + z * f[NZ + k]) * near, ZERO)
            f[SHARE + k] = ONE
    else:
        for k in range(BLOCK):
            f[LX + k], f[LY + k], f[LZ + k] = px, py, pz
            f[FALL + k] = ONE
            f[FACING + k] = max(px * f[NX + k] + py * f[NY + k] + pz * f[NZ + k], ZERO)
            f[SHARE + k] = ONE


@inlined
def _darken(views: Any, scratch: Any, n: int, light: int, count: int, size: int) -> None:
    """Write the share of a light that is left after shadows."""
    f = scratch.lanes
    taken = views.light_shadow[n, light, 0]
    if taken <= ZERO or scratch.shadow_kind[light] == NONE:
        return
    spread = views.light_shadow[n, light, 1]
    for k in range(count):
        if f[FACING + k] > ZERO:
            share = lit_share(
                scratch, light, size, spread, f[X + k], f[Y + k], f[DEPTH + k], f[NX + k], f[NY + k], f[NZ + k]
            )
            f[SHARE + k] = ONE - taken * (ONE - share)


@inlined
def _add(views: Any, scratch: Any, n: int, light: int) -> None:
    """Add a light's reflections."""
    f = scratch.lanes
    kr, kg, kb = views.light_diffuse[n, light, 0], views.light_diffuse[n, light, 1], views.light_diffuse[n, light, 2]
    for k in range(BLOCK):
        full = f[FACING + k] * f[FALL + k] * (ONE - f[METAL + k])
        got = full * f[SHARE + k]
        f[FULL_R + k] += full * kr
        f[FULL_G + k] += full * kg
        f[FULL_B + k] += full * kb
        f[LIT_R + k] += got * kr
        f[LIT_G + k] += got * kg
        f[LIT_B + k] += got * kb
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
