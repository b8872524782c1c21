"""Pictures of what moves while light is gathered, from sharp frames in between."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs.sensing.light import levels_of_light, light_of_levels


def mean_in_light(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the mean (H, W, 3), in light, of frames (S, H, W, 3): a global shutter open from the first to the last.

    A sensor adds up light, not grey levels (Brooks & Barron 2019), so bright streaks stay bright.
    """
    if len(frames) == 1:
        return np.asarray(frames[0], np.uint8)
    return _weighted(frames, np.full((frames.shape[1], len(frames)), 1 / len(frames)))


def rolling_rows(frames: NDArray[np.uint8], exposure_s: float, readout_s: float) -> NDArray[np.uint8]:
    """Return the picture (H, W, 3) of a rolling shutter, whose rows gather light one after the other.

    Row r of H gathers it from r / (H - 1) * `readout_s` on, for `exposure_s` (Meingast, Geyer & Sastry 2005). Between
    two frames light changes linearly with time; an exposure of 0 takes what is there at that moment.

    Args:
        frames: (S, H, W, 3), evenly spaced in time from the first row's start, 0, to the last row's end,
            `exposure_s + readout_s`, both included.
        exposure_s: how long each row gathers light, seconds.
        readout_s: how much later the last row starts than the first, seconds; 0 is a global shutter.
    """
    count, height = frames.shape[:2]
    duration = exposure_s + readout_s
    if count == 1 or duration <= 0:
        return np.asarray(frames[0], np.uint8)
    start = np.linspace(0.0, readout_s, height) if height > 1 else np.zeros(1)
    to_frames = (count - 1) / duration
    return _weighted(frames, _row_weights(start * to_frames, (start + exposure_s) * to_frames, count))


def _row_weights(start: NDArray[np.float64], end: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return weights (H, S) of frames 0, 1, 2, ... in the mean from `start` to `end` (H,) of linear interpolation."""
    frame = np.arange(count)

    def area_before(time: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the area left of `time` under each frame's hat: 1 at the frame, 0 at its neighbours."""
        t = np.clip(time[:, None] - frame, -1.0, 1.0)
        return np.asarray(0.5 + t - 0.5 * t * np.abs(t))

    if (end - start).max() < 1e-9:
        return np.asarray(np.clip(1.0 - np.abs(start[:, None] - frame), 0.0, 1.0))
    return np.asarray((area_before(end) - area_before(start)) / (end - start)[:, None])


def _weighted(frames: NDArray[np.uint8], weights: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return the sum in light of frames (S, H, W, 3), row by row by weights (H, S)."""
    total = np.zeros(frames.shape[1:], np.float32)
    for frame, weight in zip(frames, weights.T.astype(np.float32), strict=True):
        rows = weight != 0
        if rows.any():
            total[rows] += light_of_levels(np.ascontiguousarray(frame[rows])) * weight[rows, None, None]
    return levels_of_light(total)
