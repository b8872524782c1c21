"""One view from arrays to pixels: place, see, cast shadows, shade."""

from __future__ import annotations

from typing import Any

import numpy as np

from envs.rendering.cpu.compiled import kernel
from envs.rendering.cpu.pixels import shade_view
from envs.rendering.cpu.raster import HALF, ONE, ZERO
from envs.rendering.cpu.shadow import NONE, draw_casters, fit
from envs.rendering.cpu.transform import choose_levels, place_instances, project_vertices
from envs.rendering.cpu.visible import draw_instance

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
    shade_view(shapes, views, scratch, out, n, side, ifx, ify, cx, cy, map_size)


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
