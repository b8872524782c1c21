"""What shading needs of one triangle, gathered once for all the samples in which it is seen one after another."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from envs.rendering.cpu.compiled import inlined
from envs.rendering.cpu.raster import ONE, ZERO

# Columns of `Scratch.surface`: the planes and where their constants hold, as in a record; the normal and its changes
# along two edges; texture coordinates and theirs; then what is the same all over the triangle, in the order of the
# fragments' rows: colour, texels a sample covers at depth 1, mirror, power, metallic, matte.
NORMAL, TEXTURE, COLOUR, DENSITY, MIRROR, POWER, METALLIC, MATTE = 11, 20, 26, 29, 30, 31, 32, 33
SURFACE_VALUES = 34
# Columns of `Scratch.surface_number`: first texel of the texture and its size, 0 for none; segment.
START, SIZE, SEGMENT = 0, 1, 2
SURFACE_NUMBERS = 3
_TINY = np.float32(1e-20)


@inlined
def gather(shapes: Any, views: Any, scratch: Any, n: int, number: int, samples: Any) -> None:
    """Write what is known of the drawn triangle `number` of view n; a pixel has `samples` squared samples."""
    s, whole = scratch.surface, scratch.surface_number
    for k in range(11):
        s[k] = scratch.record[number, k]
    t, i = scratch.source[number], scratch.instance[number]
    flip = ONE
    if i < 0:
        i, flip = -1 - i, -ONE
    base, first = scratch.base[i], shapes.level_vertex[scratch.level[i]]
    k0, k1, k2 = shapes.triangles[t, 0], shapes.triangles[t, 1], shapes.triangles[t, 2]
    normal, uvs = scratch.normal, shapes.uvs
    for k in range(3):
        a = normal[base + k0, k] * flip
        s[NORMAL + k] = a
        s[NORMAL + 3 + k], s[NORMAL + 6 + k] = normal[base + k1, k] * flip - a, normal[base + k2, k] * flip - a
    part = shapes.triangle_part[t]
    for k in range(3):
        s[COLOUR + k] = views.rgb[n, i, k] * shapes.part_rgb[part, k]
    s[MIRROR], s[POWER] = views.material[n, i, 0], views.material[n, i, 1]
    s[METALLIC], s[MATTE] = views.material[n, i, 2], views.material[n, i, 3]
    whole[SEGMENT] = views.segment[n, i]
    k = views.texture[n, i]
    if k < 0:
        k = shapes.part_texture[part]
    whole[SIZE] = 0
    s[DENSITY] = ZERO
    for c in range(6):
        s[TEXTURE + c] = ZERO
    if k >= 0 and s[MATTE] <= ZERO:
        u0, v0 = uvs[first + k0, 0], uvs[first + k0, 1]
        u1, v1 = uvs[first + k1, 0] - u0, uvs[first + k1, 1] - v0
        u2, v2 = uvs[first + k2, 0] - u0, uvs[first + k2, 1] - v0
        s[TEXTURE], s[TEXTURE + 1] = u0, v0
        s[TEXTURE + 2], s[TEXTURE + 3], s[TEXTURE + 4], s[TEXTURE + 5] = u1, v1, u2, v2
        # The Jacobian of texture coordinates over the screen is this constant times the cube of the depth.
        minor0, minor1 = s[3] * s[7] - s[4] * s[6], s[1] * s[6] - s[0] * s[7]
        volume = minor0 * s[2] + minor1 * s[5] + (s[0] * s[4] - s[1] * s[3]) * s[8]
        whole[START], whole[SIZE] = shapes.texture_start[k], shapes.texture_size_px[k]
        wide = np.float32(whole[SIZE]) * samples
        s[DENSITY] = abs(volume * (u1 * v2 - v1 * u2)) * wide * wide


# Fragments are shaded BLOCK at a time. Twice as many fit, so that a run can be written without looking where it ends.
BLOCK = 16
LANES = 32
# Where each row of `Scratch.lanes` starts: what is known of each fragment. That rows are at fixed places of one array
# tells the compiler that they do not overlap.
DEPTH, NX, NY, NZ, X, Y, U, V, WEIGHT, RED, GREEN, BLUE, D, M, P, METAL, BACK = range(0, 17 * LANES, LANES)
# Rows that shading uses on its way.
LIT_R, LIT_G, LIT_B, FULL_R, FULL_G, FULL_B, SHINE_R, SHINE_G, SHINE_B = range(17 * LANES, 26 * LANES, LANES)
FACING, FALL, SHARE, LX, LY, LZ = range(26 * LANES, 32 * LANES, LANES)
# Rows of a look-up: how far between its four neighbours a fragment is, and what they hold.
BETWEEN_X, BETWEEN_Y, NEAR, TAP = range(32 * LANES, 36 * LANES, LANES)
LANE_VALUES = 39 * LANES
# Where each row of `Scratch.lane_numbers` starts: pixel, first texel and size of the texture; the places of a look-up's
# four neighbours, and the texels there.
PIXEL, TEXEL, SIDE, PLACE = range(0, 4 * LANES, LANES)
FOUND = 7 * LANES
LANE_NUMBERS = 11 * LANES


@inlined
def add_run(
    scratch: Any, count: int, x: int, px: Any, py: Any, step: Any, ifx: Any, ify: Any, cx: Any, cy: Any
) -> None:
    """Write BLOCK fragments of the gathered triangle from pixel x on, at samples px, px + step, ..., into the lanes.

    They start at lane `count`; the caller counts those that it means, and the rest is written over.
    """
    s, f, whole = scratch.surface, scratch.lanes[count:], scratch.lane_numbers[count:]
    dy = py - s[10]
    a0, a1, a2 = s[0], s[3], s[6]
    left = px - s[9]
    r1, r2 = s[4] * dy + s[5] + a1 * left, s[7] * dy + s[8] + a2 * left
    r0 = s[1] * dy + s[2] + a0 * left + r1 + r2
    az = (a0 + a1 + a2) * step
    a1, a2 = a1 * step, a2 * step
    n0, n1, n2 = s[NORMAL], s[NORMAL + 1], s[NORMAL + 2]
    p0, p1, p2 = s[NORMAL + 3], s[NORMAL + 4], s[NORMAL + 5]
    q0, q1, q2 = s[NORMAL + 6], s[NORMAL + 7], s[NORMAL + 8]
    u0, v0, u1, v1, u2, v2 = s[TEXTURE], s[TEXTURE + 1], s[TEXTURE + 2], s[TEXTURE + 3], s[TEXTURE + 4], s[TEXTURE + 5]
    red, green, blue, density = s[COLOUR], s[COLOUR + 1], s[COLOUR + 2], s[DENSITY]
    mirror, power, metallic, matte = s[MIRROR], s[POWER], s[METALLIC], s[MATTE]
    rx, ry, dx = (px - cx) * ifx, (py - cy) * ify, step * ifx
    start, side = scratch.surface_number[START], scratch.surface_number[SIZE]
    for k in range(BLOCK):
        at = np.float32(k)
        z = ONE / (r0 + az * at)
        # The middle of some samples of a pixel can lie outside: then the nearest point inside is meant.
        b1 = min(max((r1 + a1 * at) * z, ZERO), ONE)
        b2 = min(max((r2 + a2 * at) * z, ZERO), ONE)
        nx, ny, nz = n0 + b1 * p0 + b2 * q0, n1 + b1 * p1 + b2 * q1, n2 + b1 * p2 + b2 * q2
        scale = ONE / np.float32(math.sqrt(nx * nx + ny * ny + nz * nz + _TINY))
        f[DEPTH + k] = z
        f[NX + k], f[NY + k], f[NZ + k] = nx * scale, ny * scale, nz * scale
        f[X + k], f[Y + k] = (rx + dx * at) * z, ry * z
        f[U + k], f[V + k] = u0 + b1 * u1 + b2 * u2, v0 + b1 * v1 + b2 * v2
        f[WEIGHT + k] = ONE
        f[RED + k], f[GREEN + k], f[BLUE + k] = red, green, blue
        f[D + k] = density * z * z * z
        f[M + k], f[P + k], f[METAL + k], f[BACK + k] = mirror, power, metallic, matte
    for k in range(BLOCK):
        whole[PIXEL + k], whole[TEXEL + k], whole[SIDE + k] = x + k, start, side


@inlined
def add_one(
    scratch: Any, lane: int, x: int, px: Any, py: Any, weight: Any, ifx: Any, ify: Any, cx: Any, cy: Any
) -> None:
    """Write one fragment of the gathered triangle into a lane."""
    s, f, whole = scratch.surface, scratch.lanes, scratch.lane_numbers
    dx, dy = px - s[9], py - s[10]
    e1 = s[3] * dx + s[4] * dy + s[5]
    e2 = s[6] * dx + s[7] * dy + s[8]
    z = ONE / (s[0] * dx + s[1] * dy + s[2] + e1 + e2)
    b1, b2 = min(max(e1 * z, ZERO), ONE), min(max(e2 * z, ZERO), ONE)
    nx = s[NORMAL] + b1 * s[NORMAL + 3] + b2 * s[NORMAL + 6]
    ny = s[NORMAL + 1] + b1 * s[NORMAL + 4] + b2 * s[NORMAL + 7]
    nz = s[NORMAL + 2] + b1 * s[NORMAL + 5] + b2 * s[NORMAL + 8]
    scale = ONE / np.float32(math.sqrt(nx * nx + ny * ny + nz * nz + _TINY))
    f[DEPTH + lane] = z
    f[NX + lane], f[NY + lane], f[NZ + lane] = nx * scale, ny * scale, nz * scale
    f[X + lane], f[Y + lane] = (px - cx) * ifx * z, (py - cy) * ify * z
    f[U + lane] = s[TEXTURE] + b1 * s[TEXTURE + 2] + b2 * s[TEXTURE + 4]
    f[V + lane] = s[TEXTURE + 1] + b1 * s[TEXTURE + 3] + b2 * s[TEXTURE + 5]
    f[WEIGHT + lane] = weight
    f[RED + lane], f[GREEN + lane], f[BLUE + lane] = s[COLOUR], s[COLOUR + 1], s[COLOUR + 2]
    f[D + lane] = s[DENSITY] * z * z * z
    f[M + lane], f[P + lane], f[METAL + lane], f[BACK + lane] = s[MIRROR], s[POWER], s[METALLIC], s[MATTE]
    whole[PIXEL + lane] = x
    whole[TEXEL + lane], whole[SIDE + lane] = scratch.surface_number[START], scratch.surface_number[SIZE]
