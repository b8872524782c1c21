"""One view from arrays to pixels: place, see, cast shadows, shade."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from envs.rendering.cpu.compiled import inlined, kernel
from envs.rendering.cpu.raster import HALF, ONE, ZERO
from envs.rendering.cpu.shading import shade
from envs.rendering.cpu.shadow import NONE, draw_casters, fit
from envs.rendering.cpu.transform import choose_levels, place_instances, project_vertices
from envs.rendering.cpu.visible import draw_instance

_FULL = np.float32(255.0)
_INFINITY = np.float32(np.inf)
# Every so many samples, a point for the fit of the shadow maps.
_STRIDE = 4


@kernel
def draw_views(
    shapes: Any, views: Any, scratch: Any, out: Any, start: int, stop: int, side: int, map_size: int, near: Any,
    error_px: Any,
) -> None:  # fmt: skip
    """Draw the views `start` to `stop`; a pixel has `side` * `side` samples."""
    for n in range(start, stop):
        _draw_view(shapes, views, scratch, out, n, side, map_size, near, error_px)


@kernel
def _draw_view(
    shapes: Any, views: Any, scratch: Any, out: Any, n: int, side: int, map_size: int, near: Any, error_px: Any
) -> None:
    height, width = out.rgb.shape[1], out.rgb.shape[2]
    fx, fy, cx, cy = views.focal_px[n, 0], views.focal_px[n, 1], views.focal_px[n, 2], views.focal_px[n, 3]
    place_instances(shapes, views, scratch, n)
    choose_levels(shapes, views, scratch, n, fx, fy, cx, cy, width, height, near, error_px)
    many = np.float32(side)
    fx, fy, cx, cy = fx * many, fy * many, (cx + HALF) * many - HALF, (cy + HALF) * many - HALF
    wide, high = width * side, height * side
    scratch.nearness[: wide * high] = ZERO
    scratch.owner[: wide * high] = -1
    drawn = 0
    for i in range(views.shape.shape[1]):
        if scratch.level[i] >= 0:
            project_vertices(shapes, scratch, i, fx, fy, cx, cy, near)
            drawn = draw_instance(shapes, views, scratch, n, i, drawn, fx, fy, cx, cy, wide, high, near)
    ifx, ify = ONE / fx, ONE / fy
    _place_lights(views, scratch, n)
    _shadows(shapes, views, scratch, n, wide, high, ifx, ify, cx, cy, map_size)
    _shade_view(shapes, views, scratch, out, n, side, ifx, ify, cx, cy, map_size)


@kernel
def _place_lights(views: Any, scratch: Any, n: int) -> None:
    c = views.camera_from_world[n]
    for light in range(views.light.shape[1]):
        p = views.light[n, light]
        for r in range(3):
            scratch.light_camera[light, r] = c[r, 0] * p[0] + c[r, 1] * p[1] + c[r, 2] * p[2] + c[r, 3] * p[3]
        scratch.light_camera[light, 3] = p[3]


@kernel
def _shadows(
    shapes: Any, views: Any, scratch: Any, n: int, wide: int, high: int, ifx: Any, ify: Any, cx: Any, cy: Any, size: int
) -> None:
    wanted = False
    for light in range(views.light.shape[1]):
        scratch.shadow_kind[light] = NONE
        wanted = wanted or views.light_shadow[n, light, 0] > ZERO
    if not wanted:
        return
    points = scratch.points
    count = 0
    for y in range(_STRIDE // 2, high, _STRIDE):
        for x in range(_STRIDE // 2, wide, _STRIDE):
            w = scratch.nearness[y * wide + x]
            if w > ZERO:
                z = ONE / w
                points[count, 0], points[count, 1] = (np.float32(x) - cx) * ifx * z, (np.float32(y) - cy) * ify * z
                points[count, 2] = z
                count += 1
    for light in range(views.light.shape[1]):
        scratch.shadow_kind[light] = fit(views, shapes, scratch, n, light, count, size)
        if scratch.shadow_kind[light] != NONE:
            draw_casters(views, shapes, scratch, n, light, size)


@kernel
def _shade_view(
    shapes: Any, views: Any, scratch: Any, out: Any, n: int, side: int, ifx: Any, ify: Any, cx: Any, cy: Any, size: int
) -> None:
    height, width = out.rgb.shape[1], out.rgb.shape[2]
    wide = width * side
    many = np.float32(side)
    share = ONE / (many * many)
    with_normal = out.normal.shape[0] > 0
    ids = scratch.ids
    for y in range(height):
        for x in range(width):
            # The pixel's centre, in samples.
            px, py = (np.float32(x) + HALF) * many - HALF, (np.float32(y) + HALF) * many - HALF
            at = (y * side) * wide + x * side
            first = scratch.owner[at]
            same = True
            for sy in range(side):
                for sx in range(side):
                    ids[sy * side + sx] = scratch.owner[at + sy * wide + sx]
                    same = same and ids[sy * side + sx] == first
            back_r, back_g, back_b = background(views, n, x, y, px, py, ifx, ify, cx, cy)
            if same:
                if first < 0:
                    _write(out, n, y, x, back_r, back_g, back_b, _INFINITY, -1)
                    if with_normal:
                        out.normal[n, y, x, 0], out.normal[n, y, x, 1], out.normal[n, y, x, 2] = ZERO, ZERO, ZERO
                    continue
                r, g, b, w, nx, ny, nz, i = shade(
                    shapes, views, scratch, n, first, px, py, back_r, back_g, back_b, ifx, ify, cx, cy, size, many
                )
                _write(out, n, y, x, r, g, b, ONE / w, views.segment[n, i])
                if with_normal:
                    out.normal[n, y, x, 0], out.normal[n, y, x, 1], out.normal[n, y, x, 2] = nx, ny, nz
                continue
            # Several triangles: each is shaded once, in the middle of its samples, and weighs as much as it covers. Depth
            # and segment are those of the one that covers most.
            red, green, blue = ZERO, ZERO, ZERO
            most, depth, segment = 0, _INFINITY, -1
            mx, my, mz = ZERO, ZERO, ZERO
            for k in range(side * side):
                number = ids[k]
                if number == -2:
                    continue
                covered, sum_x, sum_y = 0, 0, 0
                for j in range(k, side * side):
                    if ids[j] == number:
                        covered, sum_x, sum_y = covered + 1, sum_x + j % side, sum_y + j // side
                        if j > k:
                            ids[j] = -2
                weight = np.float32(covered) * share
                if number < 0:
                    red, green, blue = red + weight * back_r, green + weight * back_g, blue + weight * back_b
                    if covered > most:
                        most, depth, segment = covered, _INFINITY, -1
                        mx, my, mz = ZERO, ZERO, ZERO
                    continue
                qx = np.float32(x * side) + np.float32(sum_x) / np.float32(covered)
                qy = np.float32(y * side) + np.float32(sum_y) / np.float32(covered)
                r, g, b, w, nx, ny, nz, i = shade(
                    shapes, views, scratch, n, number, qx, qy, back_r, back_g, back_b, ifx, ify, cx, cy, size, many
                )
                red, green, blue = red + weight * min(r, ONE), green + weight * min(g, ONE), blue + weight * min(b, ONE)
                if covered > most:
                    most, depth, segment = covered, ONE / w, views.segment[n, i]
                    mx, my, mz = nx, ny, nz
            _write(out, n, y, x, red, green, blue, depth, segment)
            if with_normal:
                out.normal[n, y, x, 0], out.normal[n, y, x, 1], out.normal[n, y, x, 2] = mx, my, mz


@inlined
def _write(out: Any, n: int, y: int, x: int, r: Any, g: Any, b: Any, depth: Any, segment: int) -> None:
    out.rgb[n, y, x, 0] = np.uint8(min(max(r, ZERO), ONE) * _FULL + HALF)
    out.rgb[n, y, x, 1] = np.uint8(min(max(g, ZERO), ONE) * _FULL + HALF)
    out.rgb[n, y, x, 2] = np.uint8(min(max(b, ZERO), ONE) * _FULL + HALF)
    out.depth_m[n, y, x] = depth
    out.segment[n, y, x] = segment


@inlined
def background(views: Any, n: int, x: int, y: int, px: Any, py: Any, ifx: Any, ify: Any, cx: Any, cy: Any) -> Any:
    """Return the colour (3) of what is behind all bodies at a pixel."""
    kind = views.background_kind[n]
    r, g, b = views.background_rgb[n, 0], views.background_rgb[n, 1], views.background_rgb[n, 2]
    if kind == 0:
        return r, g, b
    if kind == 1:
        k, unit = views.background_picture[n], ONE / _FULL
        r *= np.float32(views.pictures[k, y, x, 0]) * unit
        g *= np.float32(views.pictures[k, y, x, 1]) * unit
        b *= np.float32(views.pictures[k, y, x, 2]) * unit
        return r, g, b
    return _sky(views, n, (px - cx) * ifx, (py - cy) * ify)


@kernel
def _sky(views: Any, n: int, x: Any, y: Any) -> Any:
    """Return the sky's colour along the ray (x, y, 1): ground below the horizon, zenith above, a glow near the light."""
    c = views.camera_from_world[n]
    long = ONE / np.float32(math.sqrt(x * x + y * y + ONE))
    up = (c[0, 2] * x + c[1, 2] * y + c[2, 2]) * long
    colours, tint = views.background_sky[n], views.background_rgb[n]
    towards = views.light[n, 0]
    sun = ZERO
    for k in range(3):
        sun += (c[0, k] * x + c[1, k] * y + c[2, k]) * long * towards[k]
    glow = max(sun, ZERO) ** 16 if towards[3] == ZERO else ZERO
    share = np.float32(math.sqrt(abs(up)))
    other = 0 if up >= ZERO else 2
    r = colours[1, 0] + (colours[other, 0] - colours[1, 0]) * share + glow * colours[3, 0]
    g = colours[1, 1] + (colours[other, 1] - colours[1, 1]) * share + glow * colours[3, 1]
    b = colours[1, 2] + (colours[other, 2] - colours[1, 2]) * share + glow * colours[3, 2]
    return tint[0] * r, tint[1] * g, tint[2] * b
