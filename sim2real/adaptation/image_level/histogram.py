"""Histogram matching."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim2real.adaptation.image_level.picture_map import Picture


def match_histograms(picture: Picture, reference: Picture) -> Picture:
    """Return a picture (H, W, 3) whose values of each channel are distributed as the reference's.

    Each value goes to the reference's value of the same rank (Gonzalez and Woods, section 3.3); a value stands in the
    middle of the ranks that it covers, and ranks between two values of the reference are interpolated, so a picture
    matched to itself comes back unchanged.
    """
    changed = np.empty_like(picture)
    for c in range(picture.shape[2]):
        own, wanted = _ranks(picture[..., c]), _ranks(reference[..., c])
        shown = np.flatnonzero(np.bincount(reference[..., c].ravel(), minlength=256))
        table = np.interp(own, wanted[shown], shown.astype(np.float64))
        changed[..., c] = np.rint(table).astype(np.uint8)[picture[..., c]]
    return changed


def _ranks(channel: Picture) -> NDArray[np.float64]:
    """Return for each value 0 to 255 the middle of the share of pixels at or below it."""
    counts = np.bincount(channel.ravel(), minlength=256).astype(np.float64)
    return np.asarray((np.cumsum(counts) - 0.5 * counts) / counts.sum())
