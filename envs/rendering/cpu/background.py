"""What is seen where no body is."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from envs.rendering.cpu.compiled import inlined
from envs.rendering.cpu.raster import HALF, ONE, ZERO
from envs.rendering.scene_arrays import PICTURE, SKY

_TO_UNIT = np.float32(1.0 / 255.0)


@inlined
def tint_row(views: Any, tint: Any, n: int) -> None:
    """Write what the background's colours of view n are multiplied by into `tint`, float32 (W * 3,)."""
    r, g, b = views.background_rgb[n, 0], views.background_rgb[n, 1], views.background_rgb[n, 2]
    scale = _TO_UNIT if views.background_kind[n] == PICTURE else ONE
    for k in range(0, len(tint) - 2, 3):
        tint[k], tint[k + 1], tint[k + 2] = scale * r, scale * g, scale * b


@inlined
def background_row(
    views: Any, tint: Any, row: Any, n: int, y: int, side: int, ifx: Any, ify: Any, cx: Any, cy: Any
) -> None:
    """Write the colours behind all bodies along row y of view n into `row`, float32 (W * 3,).

    A pixel has `side` * `side` samples, which is what the rest is counted in.
    """
    kind = views.background_kind[n]
    if kind == PICTURE:
        picture = views.pictures[views.background_picture[n], y].reshape(-1)
        for k in range(len(picture)):
            row[k] = np.float32(picture[k]) * tint[k]
    elif kind == SKY:
        _sky(views, tint, row, n, y, side, ifx, ify, cx, cy)
    else:
        for k in range(len(tint)):
            row[k] = tint[k]


@inlined
def _sky(views: Any, tint: Any, row: Any, n: int, y: int, side: int, ifx: Any, ify: Any, cx: Any, cy: Any) -> None:
    """Write the sky: ground below the horizon, zenith above, glow near the light."""
    c, light, colours = views.camera_from_world, views.light, views.background_sky
    many = np.float32(side)
    ry = ((np.float32(y) + HALF) * many - HALF - cy) * ify
    for x in range(len(tint) // 3):
        rx = ((np.float32(x) + HALF) * many - HALF - cx) * ifx
        long = ONE / np.float32(math.sqrt(rx * rx + ry * ry + ONE))
        up = (c[n, 0, 2] * rx + c[n, 1, 2] * ry + c[n, 2, 2]) * long
        sun = ZERO
        for k in range(3):
            sun += (c[n, 0, k] * rx + c[n, 1, k] * ry + c[n, 2, k]) * long * light[n, 0, k]
        glow = max(sun, ZERO)
        for _ in range(4):
            glow *= glow
        share = np.float32(math.sqrt(abs(up)))
        other = 0 if up >= ZERO else 2
        for k in range(3):
            there = colours[n, 1, k] + (colours[n, other, k] - colours[n, 1, k]) * share + glow * colours[n, 3, k]
            row[3 * x + k] = there * tint[3 * x + k]
