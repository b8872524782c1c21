"""Short moving pictures for a page."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from io import BytesIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

_QUALITY = 55
# The end stays, so that one sees how it went before it begins again.
_END_S = 1.5


def moving_url(pictures: Sequence[NDArray[np.uint8]], step_s: float, width_px: int) -> str:
    """Return pictures (H, W, 3) as an animated WebP in a data URL, again and again.

    Args:
        pictures: in order; two or more.
        step_s: that each is shown; the last one longer.
        width_px: of the animation.
    """
    height_px = round(pictures[0].shape[0] * width_px / pictures[0].shape[1])
    first, *rest = (
        Image.fromarray(cv2.resize(p, (width_px, height_px), interpolation=cv2.INTER_AREA)) for p in pictures
    )
    each_ms, end_ms = round(1000 * step_s), round(1000 * _END_S)
    out = BytesIO()
    first.save(
        out,
        format="WEBP",
        save_all=True,
        append_images=rest,
        duration=[each_ms] * len(rest) + [end_ms],
        loop=0,
        quality=_QUALITY,
        method=4,
    )
    return "data:image/webp;base64," + base64.b64encode(out.getvalue()).decode("ascii")
