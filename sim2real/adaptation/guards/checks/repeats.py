"""Frames that are one and the same picture."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from sim2real.adaptation.guards.checks.doubt import Doubt, named

Picture = NDArray[np.uint8]

# Largest difference of two files of one picture, in levels of 255 after averaging over 5 x 5 pixels. Compression leaves
# less, an object that moved leaves more; where the pictures differ a lot, somewhat more counts as the same.
_BLUR = (5, 5)
_LEAST, _MOST, _SHARE = 12.0, 30.0, 0.15
_LABEL_STDS = 3.0


def check_repeats(
    files: Sequence[str], hashes: Sequence[str], pictures: Sequence[Picture], points: NDArray[np.float64], std_m: float
) -> list[Doubt]:
    """Return doubts about pictures that are given more than once: as the same file, renamed or encoded again.

    Args:
        files: of the N frames.
        hashes: of their content; equal ones are the same picture.
        pictures: of one size.
        points: (N, 3) label points; of one picture they must agree within three times `std_m` an axis.
        std_m: how well labels are known.
    """
    if len(files) < 2:
        return []
    same = _same(pictures) | (np.array(hashes)[:, None] == np.array(hashes)[None])
    count, member = connected_components(csr_array(same), directed=False)
    doubts = []
    groups: list[list[int]] = [np.flatnonzero(member == g).tolist() for g in range(count)]
    for group in groups:
        spread = np.ptp(points[group], axis=0).max()
        if len(group) > 1 and spread > _LABEL_STDS * std_m:
            which = tuple(files[k] for k in group)
            text = (
                f"{named(which)} are the same picture with different labels: expected one label, got labels up to "
                f"{spread:.3g} m apart; remove the wrong rows of labels.csv"
            )
            doubts.append(Doubt("contradicting labels", which, text, "refuse"))
    repeated = [g for g in groups if len(g) > 1]
    if repeated:
        which = tuple(files[k] for g in repeated for k in g)
        text = (
            f"{named(which)} are {len(repeated)} picture{'s' if len(repeated) > 1 else ''} given {len(which)} times: "
            f"expected {len(files)} distinct frames, got {count}; label other frames, or ask for {count}"
        )
        doubts.append(Doubt("repeated frame", which, text, "refuse" if 2 * count < len(files) else "warn"))
    return doubts


def _same(pictures: Sequence[Picture]) -> NDArray[np.bool_]:
    """Return which pictures (N, N) are the same but for compression and brightness."""
    even = []
    for picture in pictures:
        values = cv2.blur(picture.astype(np.float32), _BLUR)
        even.append(values - values.mean(axis=(0, 1)))
    stack = np.stack(even)
    spread = np.maximum(stack.std(axis=(1, 2)), 1e-3)
    n = len(stack)
    apart = np.zeros((n, n))
    for k in range(n):
        # One gain a channel, so that exposure and white balance do not make another picture of it.
        gain = (spread[k] / spread)[:, None, None, :]
        apart[k] = np.abs(stack * gain - stack[k]).max(axis=(1, 2, 3))
    apart = np.minimum(apart, apart.T)
    pairs = apart[np.triu_indices(n, 1)]
    return np.asarray(apart <= np.clip(_SHARE * np.median(pairs), _LEAST, _MOST))
