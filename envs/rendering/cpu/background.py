"""What is seen where no body is."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from envs.rendering.cpu.compiled import inlined, kernel
from envs.rendering.cpu.raster import ONE, ZERO

_TO_UNIT = np.float32(1.0 / 255.0)


@inlined
def background(
    views: Any, n: int, x: int, y: int, px: Any, py: Any, ifx: Any, ify: Any, cx: Any, cy: Any
) -> Any:  # fmt: skip
    """Return the colour (3) behind all bodies at a pixel (x, y) whose middle is the sample (px, py)."""
    kind = views.background_kind[n]
    r, g, b = views.background_rgb[n, 0], views.background_rgb[n, 1], views.background_rgb[n, 2]
    if kind == 0:
        return r, g, b
    if kind == 1:
        k = views.background_picture[n]
        r *= np.float32(views.pictures[k, y, x, 0]) * _TO_UNIT
        g *= np.float32(views.pictures[k, y, x, 1]) * _TO_UNIT
        b *= np.float32(views.pictures[k, y, x, 2]) * _TO_UNIT
        return r, g, b
    sr, sg, sb = _sky(views, n, (px - cx) * ifx, (py - cy) * ify)
    return r * sr, g * sg, b * sb


@kernel
def _sky(views: Any, n: int, x: Any, y: Any) -> Any:
    """Return the sky's colour along the ray (x, y, 1): ground below the horizon, zenith above, glow near the light."""
    c, light, colours = views.camera_from_world, views.light, views.background_sky
    long = ONE / np.float32(math.sqrt(x * x + y * y + ONE))
    up = (c[n, 0, 2] * x + c[n, 1, 2] * y + c[n, 2, 2]) * long
    sun = ZERO
    for k in range(3):
        sun += (c[n, 0, k] * x + c[n, 1, k] * y + c[n, 2, k]) * long * light[n, 0, k]
    glow = max(sun, ZERO)
    for _ in range(4):
        glow *= glow
    share = np.float32(math.sqrt(abs(up)))
    other = 0 if up >= ZERO else 2
    r = colours[n, 1, 0] + (colours[n, other, 0] - colours[n, 1, 0]) * share + glow * colours[n, 3, 0]
    g = colours[n, 1, 1] + (colours[n, other, 1] - colours[n, 1, 1]) * share + glow * colours[n, 3, 1]
    b = colours[n, 1, 2] + (colours[n, other, 2] - colours[n, 1, 2]) * share + glow * colours[n, 3, 2]
    return r, g, b
