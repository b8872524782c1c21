"""The colour of what is seen: texture, matte and mirror-like reflection, shadow.

Reflection is Lambert's and Blinn's (1977), its power in Schlick's rational form (1994, "A fast alternative to Phong's
specular model"). Colours are display values, as in PyBullet's own renderer, not linear light.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from envs.rendering.cpu.compiled import inlined
from envs.rendering.cpu.raster import HALF, ONE, ZERO
from envs.rendering.cpu.shadow import lit_share

_TO_UNIT = np.float32(1.0 / 255.0)
_TINY = np.float32(1e-20)


@inlined
def surface(shapes: Any, views: Any, scratch: Any, n: int, number: int, px: Any, py: Any) -> Any:
    """Return inverse depth, unit normal (3) and texture coordinates (2) of triangle `number` at sample (px, py)."""
    r = scratch.record
    dx, dy = px - r[number, 9], py - r[number, 10]
    e0 = r[number, 0] * dx + r[number, 1] * dy + r[number, 2]
    e1 = r[number, 3] * dx + r[number, 4] * dy + r[number, 5]
    e2 = r[number, 6] * dx + r[number, 7] * dy + r[number, 8]
    w = e0 + e1 + e2
    z = ONE / w
    b1, b2 = e1 * z, e2 * z
    # At a pixel's centre outside the triangle, as at its border, the nearest point inside is meant.
    b1, b2 = min(max(b1, ZERO), ONE), min(max(b2, ZERO), ONE)
    b0 = max(ONE - b1 - b2, ZERO)
    t = scratch.source[number]
    i = scratch.instance[number]
    flip = ONE
    if i < 0:
        i, flip = -1 - i, -ONE
    level = scratch.level[i]
    base, first = scratch.base[i], shapes.level_vertex[level]
    k0, k1, k2 = shapes.triangles[t, 0], shapes.triangles[t, 1], shapes.triangles[t, 2]
    normal, uvs = scratch.normal, shapes.uvs
    m0, m1, m2 = base + k0, base + k1, base + k2
    nx = b0 * normal[m0, 0] + b1 * normal[m1, 0] + b2 * normal[m2, 0]
    ny = b0 * normal[m0, 1] + b1 * normal[m1, 1] + b2 * normal[m2, 1]
    nz = b0 * normal[m0, 2] + b1 * normal[m1, 2] + b2 * normal[m2, 2]
    scale = flip / np.float32(math.sqrt(nx * nx + ny * ny + nz * nz + _TINY))
    u = b0 * uvs[first + k0, 0] + b1 * uvs[first + k1, 0] + b2 * uvs[first + k2, 0]
    v = b0 * uvs[first + k0, 1] + b1 * uvs[first + k1, 1] + b2 * uvs[first + k2, 1]
    return w, nx * scale, ny * scale, nz * scale, u, v, i, t


@inlined
def texture_level(shapes: Any, scratch: Any, number: int, t: int, i: int, w: Any, size: Any) -> int:
    """Return the mip-map level (Williams 1983) for which a sample covers about one texel.

    The Jacobian of texture coordinates over the screen is the triangle's own constant over the cube of inverse depth.
    """
    r, uvs = scratch.record, shapes.uvs
    first = shapes.level_vertex[scratch.level[i]]
    k0, k1, k2 = first + shapes.triangles[t, 0], first + shapes.triangles[t, 1], first + shapes.triangles[t, 2]
    a0, b0, a1, b1 = r[number, 0], r[number, 1], r[number, 3], r[number, 4]
    a2, b2 = r[number, 6], r[number, 7]
    minor0, minor1, minor2 = a1 * b2 - b1 * a2, b0 * a2 - a0 * b2, a0 * b1 - b0 * a1
    volume = minor0 * r[number, 2] + minor1 * r[number, 5] + minor2 * r[number, 8]
    u0, v0 = uvs[k0, 0], uvs[k0, 1]
    area = (uvs[k1, 0] - u0) * (uvs[k2, 1] - v0) - (uvs[k1, 1] - v0) * (uvs[k2, 0] - u0)
    texels = abs(volume * area) * size * size / (w * w * w)
    level = 0
    while texels > np.float32(2.0):
        texels *= np.float32(0.25)
        level += 1
    return level


@inlined
def texel(shapes: Any, k: int, level: int, u: Any, v: Any) -> Any:
    """Return the colour (3), 0 to 1, of texture k at (u, v), bilinear in one mip-map level."""
    start, size = shapes.texture_start[k], shapes.texture_size_px[k]
    while level > 0 and size > 1:
        start += size * size
        size >>= 1
        level -= 1
    u, v = u - np.float32(math.floor(u)), v - np.float32(math.floor(v))
    x, y = u * np.float32(size) - HALF, (ONE - v) * np.float32(size) - HALF
    fx, fy = np.float32(math.floor(x)), np.float32(math.floor(y))
    ix, iy = int(fx) & (size - 1), int(fy) & (size - 1)
    jx, jy = (ix + 1) & (size - 1), (iy + 1) & (size - 1)
    fx, fy = x - fx, y - fy
    a, b = shapes.texels[start + iy * size + ix], shapes.texels[start + iy * size + jx]
    c, d = shapes.texels[start + jy * size + ix], shapes.texels[start + jy * size + jx]
    wa, wb, wc, wd = (ONE - fx) * (ONE - fy), fx * (ONE - fy), (ONE - fx) * fy, fx * fy
    red = np.float32(a & 255) * wa + np.float32(b & 255) * wb + np.float32(c & 255) * wc + np.float32(d & 255) * wd
    green = (
        np.float32((a >> 8) & 255) * wa
        + np.float32((b >> 8) & 255) * wb
        + np.float32((c >> 8) & 255) * wc
        + np.float32((d >> 8) & 255) * wd
    )
    blue = (
        np.float32((a >> 16) & 255) * wa
        + np.float32((b >> 16) & 255) * wb
        + np.float32((c >> 16) & 255) * wc
        + np.float32((d >> 16) & 255) * wd
    )
    return red * _TO_UNIT, green * _TO_UNIT, blue * _TO_UNIT


@inlined
def shade(
    shapes: Any, views: Any, scratch: Any, n: int, number: int, px: Any, py: Any, back_r: Any, back_g: Any,
    back_b: Any, ifx: Any, ify: Any, cx: Any, cy: Any, size: int, samples: Any,
) -> Any:  # fmt: skip
    """Return colour (3), 0 to 1 and beyond, of triangle `number` at sample (px, py), its inverse depth and normal.

    back_*: the background there, which a matte body shows. samples: how many lie in a pixel, for the mip-map.
    """
    w, nx, ny, nz, u, v, i, t = surface(shapes, views, scratch, n, number, px, py)
    part = shapes.triangle_part[t]
    matte = views.material[n, i, 3] > ZERO
    if matte:
        red, green, blue = back_r, back_g, back_b
    else:
        red = views.rgb[n, i, 0] * shapes.part_rgb[part, 0]
        green = views.rgb[n, i, 1] * shapes.part_rgb[part, 1]
        blue = views.rgb[n, i, 2] * shapes.part_rgb[part, 2]
        k = views.texture[n, i]
        if k < 0:
            k = shapes.part_texture[part]
        if k >= 0:
            wide = np.float32(shapes.texture_size_px[k])
            tr, tg, tb = texel(shapes, k, texture_level(shapes, scratch, number, t, i, w, wide * samples), u, v)
            red, green, blue = red * tr, green * tg, blue * tb
    z = ONE / w
    x, y = (px - cx) * ifx * z, (py - cy) * ify * z
    away = ONE / np.float32(math.sqrt(x * x + y * y + z * z))
    vx, vy, vz = -x * away, -y * away, -z * away
    metallic, power = views.material[n, i, 2], views.material[n, i, 1]
    matter, mirror = ONE - metallic, views.material[n, i, 0]
    dr, dg, db = views.ambient[n, 0], views.ambient[n, 1], views.ambient[n, 2]
    fr, fg, fb = dr, dg, db
    sr, sg, sb = ZERO, ZERO, ZERO
    for light in range(views.light.shape[1]):
        kr, kg, kb = (
            views.light_diffuse[n, light, 0],
            views.light_diffuse[n, light, 1],
            views.light_diffuse[n, light, 2],
        )
        if kr + kg + kb <= ZERO:
            continue
        here = scratch.light_camera
        lx, ly, lz, fall = here[light, 0], here[light, 1], here[light, 2], ONE
        if here[light, 3] > ZERO:
            lx, ly, lz = lx - x, ly - y, lz - z
            square = lx * lx + ly * ly + lz * lz
            near = ONE / np.float32(math.sqrt(square + _TINY))
            lx, ly, lz = lx * near, ly * near, lz * near
            fall = min(ONE, near * near)
        facing = lx * nx + ly * ny + lz * nz
        if facing <= ZERO:
            continue
        got = fall
        if views.light_shadow[n, light, 0] > ZERO:
            share = lit_share(scratch, light, size, views.light_shadow[n, light, 1], x, y, z, nx, ny, nz)
            got = fall * (ONE - views.light_shadow[n, light, 0] * (ONE - share))
        full = facing * fall * matter
        fr, fg, fb = fr + full * kr, fg + full * kg, fb + full * kb
        full = facing * got * matter
        dr, dg, db = dr + full * kr, dg + full * kg, db + full * kb
        kr, kg = views.light_specular[n, light, 0], views.light_specular[n, light, 1]
        kb = views.light_specular[n, light, 2]
        if mirror > ZERO and kr + kg + kb > ZERO:
            hx, hy, hz = lx + vx, ly + vy, lz + vz
            cosine = (nx * hx + ny * hy + nz * hz) / np.float32(math.sqrt(hx * hx + hy * hy + hz * hz + _TINY))
            if cosine > ZERO:
                shine = got * mirror * cosine / (power - power * cosine + cosine)
                sr, sg, sb = sr + shine * kr, sg + shine * kg, sb + shine * kb
    if matte:
        red = red * dr / max(fr, _TINY)
        green = green * dg / max(fg, _TINY)
        blue = blue * db / max(fb, _TINY)
    else:
        # A metal gives highlights its own colour.
        red = red * dr + sr * (matter + metallic * red)
        green = green * dg + sg * (matter + metallic * green)
        blue = blue * db + sb * (matter + metallic * blue)
    return red, green, blue, w, nx, ny, nz, i
