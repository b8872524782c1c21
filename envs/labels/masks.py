"""Masks of bodies: seen pixels, their number, COCO's run lengths and polygons."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


def visible_areas(segmentation: NDArray[np.int16], count: int) -> NDArray[np.int64]:
    """Return (count,), the number of seen pixels of each body in a segmentation (H, W) or in many (..., H, W)."""
    shape = segmentation.shape[:-2]
    frames = segmentation.reshape(-1, segmentation.shape[-2] * segmentation.shape[-1])
    areas = [np.bincount(frame + 1, minlength=count + 1)[1 : count + 1] for frame in frames]
    return np.array(areas, np.int64).reshape(*shape, count)


def visible_mask(segmentation: NDArray[np.int16], index: int) -> Mask:
    """Return (H, W) where a body is seen."""
    return np.asarray(segmentation == index)


def run_lengths(mask: Mask) -> list[int]:
    """Return COCO's run lengths of a mask (H, W): column by column, in turn of pixels off and on, off first."""
    flat = np.asarray(mask, bool).ravel(order="F")
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    edges = np.concatenate([[0], changes, [flat.size]])
    runs = np.diff(edges).tolist()
    return [0, *runs] if flat.size and flat[0] else runs


def mask_of_runs(runs: Sequence[int], height_px: int, width_px: int) -> Mask:
    """Return the mask (H, W) of COCO's run lengths.

    Raises:
        ValueError: the runs do not fill the picture.
    """
    if sum(runs) != height_px * width_px:
        raise ValueError(f"run lengths must sum up to {width_px} x {height_px}, got {sum(runs)}")
    values = np.arange(len(runs)) % 2 == 1
    return np.asarray(np.repeat(values, runs).reshape((height_px, width_px), order="F"))


def packed_runs(runs: Sequence[int]) -> str:
    """Return COCO's text of run lengths.

    From the third run on, the difference to the one before the last is written; each number goes five bits at a time,
    lowest first, a sixth bit says that more follow, and 48 is added to make a character (the reference is COCO API's
    `rleToString`).
    """
    text = []
    for k, run in enumerate(runs):
        value = run - runs[k - 2] if k > 2 else run
        while True:
            bits, value = value & 31, value >> 5
            # The last group's highest bit is the sign.
            more = value != (-1 if bits & 16 else 0)
            text.append(chr(48 + bits + (32 if more else 0)))
            if not more:
                break
    return "".join(text)


def coco_rle(mask: Mask) -> dict[str, object]:
    """Return a mask (H, W) as COCO's `segmentation`: size [height, width] and the text of its run lengths."""
    return {"size": list(mask.shape), "counts": packed_runs(run_lengths(mask))}


def polygons(mask: Mask) -> list[list[float]] | None:
    """Return COCO's polygons of a mask (H, W): x, y in turn along the edges of pixels, (0, 0) the picture's corner.

    Exact: the pixels whose centres lie in them are those of the mask.

    Returns:
        None for a mask with a hole, which polygons of this format cannot say.
    """
    # Twice as large, each pixel has a sample beside each of its edges.
    large = np.repeat(np.repeat(np.asarray(mask, np.uint8), 2, axis=0), 2, axis=1)
    contours, hierarchy = cv2.findContours(large, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    if len(contours) == 0:
        return []
    if (hierarchy[0, :, 3] >= 0).any():
        return None
    return [_corners((contour[:, 0].astype(np.int64) + 1) // 2) for contour in contours]


def _corners(points: NDArray[np.int64]) -> list[float]:
    """Return the points of a closed line of unit steps at which it turns, x and y in turn."""
    points = points[(points != np.roll(points, 1, axis=0)).any(axis=1)]
    before, after = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
    turns = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0] != 0
    back = (before * after).sum(axis=1) < 0
    return [float(v) for v in points[turns | back].ravel()]
