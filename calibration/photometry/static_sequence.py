"""A static sequence in small blocks: what does not move, how it varies from frame to frame."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.photometry.frames import BLOCK, Float, Picture, block_mean
from calibration.photometry.noise_level import ROUNDING

_MOVING = 6.0


def _decoded(level: NDArray[np.floating]) -> NDArray[np.float64]:
    display = level / 255
    return np.asarray(np.where(display <= 0.04045, display / 12.92, ((display + 0.055) / 1.055) ** 2.4), np.float64)


# The inverse transfer function of sRGB (IEC 61966-2-1), and its square slope per grey level.
LIGHT_OF_LEVEL = _decoded(np.arange(256.0)).astype(np.float32)
_SLOPE_SQUARED = np.asarray((_decoded(np.arange(256) + 0.5) - _decoded(np.arange(256) - 0.5)) ** 2, np.float32)


@dataclass(frozen=True)
class StaticBlocks:
    """Means and variances over time, of blocks of 8 x 8 pixels that do not move and do not clip.

    Attributes:
        level: (B, 3), mean grey level.
        variance: (B, 3), over time, grey levels squared, rounding taken off.
        neighbours: (B, 3), sum of the covariances of neighbours in a row and in a column, grey levels squared.
        light: (B, 3), mean light, 1 at full scale.
        light_variance: (B, 3), over time, of light, rounding taken off.
        slope_squared: (B, 3), of light by grey level, squared.
        still_share: of the unclipped blocks.
    """

    level: Float
    variance: Float
    neighbours: Float
    light: Float
    light_variance: Float
    slope_squared: Float
    still_share: float


def static_blocks(pictures: Sequence[Picture]) -> StaticBlocks:
    """Return the statistics of a static sequence, three frames or more; lamp flicker is taken off first.

    A block moves when its mean leaves the median over time by six standard deviations (robust) of such means. The
    mean of a block says nearly nothing about the scatter within, so that the choice does not pull the variance.
    """
    height, width = (BLOCK * (n // BLOCK) for n in pictures[0].shape[:2])
    levels = np.stack([p[:height, :width] for p in pictures]).astype(np.float32)
    means = np.stack([block_mean(frame) for frame in levels])
    away = means - np.median(means, axis=0)
    width_robust = 1.4826 * np.median(np.abs(away), axis=(1, 2), keepdims=True) + 1e-3
    relative = np.abs(away - np.median(away, axis=(1, 2), keepdims=True))
    # Noise differs with brightness, so a block is judged by its own scatter as well as by that of all.
    # From one frame to the next most blocks do not change, even where something passes.
    changes = np.stack([block_mean((b - a) ** 2) for a, b in itertools.pairwise(levels)])
    own = np.sqrt(np.quantile(changes, 0.25, axis=0) / 2) / BLOCK
    still = np.asarray((relative < _MOVING * np.maximum(width_robust, 2 * own)).all(axis=(0, 3)))
    sums = np.maximum(means[:, still].sum(axis=1), 1e-6)
    gain = sums / sums.mean(axis=0)
    steady = levels / gain[:, None, None, :].astype(np.float32)
    middle = steady.mean(axis=0)
    rest = steady - middle
    per_freedom = np.float32(1 / (len(levels) - 1))
    square = (rest**2).sum(axis=0) * per_freedom
    across = (rest[:, :, :-1] * rest[:, :, 1:]).sum(axis=0) * per_freedom
    down = (rest[:, :-1] * rest[:, 1:]).sum(axis=0) * per_freedom
    together = cv2.copyMakeBorder(across, 0, 0, 0, 1, cv2.BORDER_REFLECT_101)
    together = together + cv2.copyMakeBorder(down, 0, 1, 0, 0, cv2.BORDER_REFLECT_101)
    noise = 4 * np.sqrt(block_mean(square).max(axis=2))
    darkest, brightest = block_extremes(middle)
    kept = (darkest > noise + 0.5) & (brightest < 254.5 - noise)
    light = LIGHT_OF_LEVEL[np.clip(np.stack([p[:height, :width] for p in pictures]), 0, 255)]
    light /= gain_in_light(light, still)[:, None, None, :]
    slope = block_mean(_SLOPE_SQUARED[np.clip(np.round(middle), 0, 255).astype(np.uint8)])
    chosen = still & kept
    return StaticBlocks(
        block_mean(middle)[chosen],
        block_mean(square)[chosen] - np.float32(ROUNDING),
        block_mean(together)[chosen],
        block_mean(light.mean(axis=0))[chosen],
        block_mean(light.var(axis=0, ddof=1))[chosen] - np.float32(ROUNDING) * slope[chosen],
        slope[chosen],
        float(still[kept].mean()) if kept.any() else 0.0,
    )


def block_extremes(middle: Float) -> tuple[Float, Float]:
    """Return the darkest and the brightest value (h, w) of every block of a picture (H, W, 3)."""
    h, w = middle.shape[0] // BLOCK, middle.shape[1] // BLOCK
    tiles = middle.reshape(h, BLOCK, w, BLOCK, 3)
    return tiles.min(axis=(1, 3, 4)), tiles.max(axis=(1, 3, 4))


def gain_in_light(light: Float, still: NDArray[np.bool_]) -> Float:
    """Return the gain (N, 3) of each frame of light (N, H, W, 3) on blocks (h, w) that are still."""
    sums = np.maximum(np.stack([block_mean(frame)[still].sum(axis=0) for frame in light]), 1e-9)
    return np.asarray(sums / sums.mean(axis=0), np.float32)
