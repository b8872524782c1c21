"""How the brightness and the colour of whole frames vary, from what stays the same in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.photometry.frames import Array, Blocks, Float

# A block whose ratio to the reference is within this of the frame's gain shows the same thing, stops.
_SAME_STOPS = 0.1
# By what the reference and the gain say, not by the noisy level itself, which would choose what noise made bright.
_LEAST_LEVEL = 35.0
_ABOVE_BLACK = 3.0
FEWEST_BLOCKS = 24
LEAST_SHARE = 0.3


@dataclass(frozen=True)
class FrameGains:
    """Gain of each frame relative to the median frame.

    Attributes:
        stops: (N, 3), per channel, binary logarithms of ratios; NaN where too little stays the same.
        error: (N, 3), standard deviations of `stops`.
        still_share: (N,), share of the blocks that show the same as the median frame.
        reference: (h, w, 3), the median frame.
    """

    stops: Array
    error: Array
    still_share: Array
    reference: Float

    @property
    def is_one_scene(self) -> bool:
        """Whether most frames show mostly the same."""
        return bool(np.median(self.still_share) >= LEAST_SHARE and np.isfinite(self.stops).all(axis=1).mean() > 0.5)


def frame_gains(blocks: Blocks, light: bool = False) -> FrameGains:
    """Return the gains of frames relative to their median frame, on blocks that stay the same and do not clip.

    The median frame and the gains are refined in turn; what moves is left out as an outlier of the ratios.

    Args:
        blocks: of the frames, in the order of time or any other.
        light: whether ratios are of linear light (inverse of sRGB), in place of display values.
    """
    mean = np.where((blocks.is_clean & (blocks.mean.min(axis=3) > _ABOVE_BLACK))[..., None], blocks.mean, np.nan)
    display = np.log2(mean / 255)
    logs = np.log2(((mean / 255 + 0.055) / 1.055) ** 2.4) if light else display
    least = _LEAST_LEVEL / 255
    floor = float(np.log2(((least + 0.055) / 1.055) ** 2.4 if light else least))
    stops = _first_gains(logs)
    for _ in range(3):
        reference = _median(logs - stops[:, None, None, :])
        stops, error, share = _refined(logs, reference, stops, floor)
    if (seen := np.isfinite(stops).all(axis=1)).any():
        stops = stops - np.median(stops[seen], axis=0)
    return FrameGains(stops, error, share, np.asarray(2.0**reference * 255, np.float32))


def _first_gains(logs: Float) -> Array:
    counts = np.isfinite(logs[..., 0]).sum(axis=(1, 2))
    # The frame with the most usable blocks overlaps best with the rest.
    base = logs[int(np.argmax(counts))]
    return np.array([[_median_1d((frame - base)[..., c]) for c in range(3)] for frame in logs])


def _refined(logs: Float, reference: Float, before: Array, floor: float) -> tuple[Array, Array, Array]:
    stops, error, share = np.full((len(logs), 3), np.nan), np.full((len(logs), 3), np.nan), np.zeros(len(logs))
    for k, frame in enumerate(logs):
        ratio = (frame - reference).reshape(-1, 3)
        bright = (reference + before[k] > floor).reshape(-1, 3)
        known = (np.isfinite(ratio) & bright).all(axis=1)
        ratio, base = ratio[known], reference.reshape(-1, 3)[known]
        if len(ratio) < FEWEST_BLOCKS:
            continue
        centre = np.median(ratio, axis=0)
        away = np.abs(ratio - centre)
        share[k] = float((away < _SAME_STOPS).all(axis=1).mean())
        limit = np.maximum(4 * 1.4826 * np.median(away, axis=0), 1e-4)
        kept = ratio[(away < limit).all(axis=1)]
        if len(kept) < FEWEST_BLOCKS:
            continue
        # A ratio of sums: the logarithm of a noisy dark value is too low on average.
        weight = np.exp2(base[(away < limit).all(axis=1)])
        ratios = (weight * np.exp2(kept)).sum(axis=0) / weight.sum(axis=0)
        stops[k] = np.log2(ratios)
        rest = weight * (np.exp2(kept) / ratios - 1)
        error[k] = np.sqrt((rest**2).sum(axis=0)) / weight.sum(axis=0) / np.log(2)
    return stops, error, share


def _median(values: NDArray[np.floating]) -> Float:
    """Return the median over frames (h, w, 3), NaN where fewer than half of the frames have a value."""
    known = np.isfinite(values)
    enough = known.mean(axis=0) > 0.5
    ordered = np.sort(values, axis=0)
    count = known.sum(axis=0)
    low = np.take_along_axis(ordered, np.maximum(count - 1, 0)[None] // 2, axis=0)[0]
    high = np.take_along_axis(ordered, np.minimum(count // 2, len(values) - 1)[None], axis=0)[0]
    return np.asarray(np.where(enough, (low + high) / 2, np.nan), np.float32)


def _median_1d(values: NDArray[np.floating]) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else 0.0
