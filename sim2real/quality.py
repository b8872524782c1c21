"""Find photographs with colour faults: frames whose colours stand apart from the rest of their recording."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

# A fault is a shift of mean colour, in CIELAB units, that is both visible and far outside the recording's own
# spread.
# Ordinary white-balance drift between photographs of one session stays near 2 units.
_VISIBLE_SHIFT = 3.5
_SPREADS = 6.0
_FEWEST_FRAMES = 5


def colour_faults(pictures: Sequence[NDArray[np.uint8]]) -> list[str | None]:
    """Return for each picture (H, W, 3) of one recording what is wrong with its colours, None if nothing is.

    The mean of a* and b* is compared with the median over the recording; distances are judged against their
    own median (robust z-score), so that a few faulty frames do not hide each other. With fewer than five
    frames nothing is said.
    """
    if len(pictures) < _FEWEST_FRAMES:
        return [None] * len(pictures)
    chroma = np.array([_mean_chroma(p) for p in pictures])
    shift = chroma - np.median(chroma, axis=0)
    distance = np.linalg.norm(shift, axis=1)
    limit = max(_VISIBLE_SHIFT, _SPREADS * 1.4826 * float(np.median(distance)))
    return [
        f"colour cast: mean colour is ({s[0]:+.1f}, {s[1]:+.1f}) in a*, b* from the recording's median, "
        f"limit {limit:.1f}"
        if d > limit
        else None
        for s, d in zip(shift, distance, strict=True)
    ]


def _mean_chroma(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    small = cv2.resize(picture, (64, 48), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)
    return np.asarray(lab[..., 1:].reshape(-1, 2).mean(axis=0), np.float64)
