"""Noise from single frames: what a second difference leaves over in smooth places."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.calibration_record import Finding
from calibration.estimate import Estimate
from calibration.photometry.frames import Array, Float, Picture, block_mean, in_blocks
from calibration.photometry.intervals import noise_estimates, of_student

_SECOND = np.array([1.0, -2.0, 1.0])
_SECOND_WIDE = np.array([1.0, 0.0, -2.0, 0.0, 1.0])
ROUNDING = 1 / 12
# Slope of the smoothed picture that still counts as smooth, grey levels a pixel.
_SMOOTH = 1.0
# In frames of one scene, a place that is this much steeper in one frame has something passing.
_PASSING = 2.0
# Of what leaving out outliers changed: one standard deviation of what texture that stayed may do.
_LEFT_IN = 0.3
_FEWEST_PLACES = 30
_OUTLIER = 4.0
_REGION = 3
_LEVEL_BINS = 8
_METHOD = "second differences in smooth blocks (Immerkaer 1996, two scales), interval between places"


@dataclass(frozen=True)
class NoiseLevel:
    """Noise of single frames.

    Attributes:
        estimates: `sensor.noise` and `sensor.grain`, grey levels; empty when no place is smooth.
        quality: standard deviation of all noise by brightness, `noise_at_level_48` and so on, grey levels.
        findings: what the frames cannot tell.
    """

    estimates: dict[str, Estimate]
    quality: dict[str, float]
    findings: tuple[Finding, ...]


def noise_level(pictures: Sequence[Picture], is_one_scene: bool = False) -> NoiseLevel:
    """Return the noise of pictures (H, W, 3), from each of them alone.

    The operator of Immerkaer 1996 (Fast noise variance estimation) removes what is linear; on noise of independent
    pixels its mean square is 36 variances. Noise of two by two pixels (`grain`) passes a ninth of that, and all of it
    when the taps lie two pixels apart, which tells the two from each other. Smooth places are chosen on a smoothed
    picture, nearly independent of what is measured, and outliers within a brightness (texture) are left out, as in
    the noise level function of Liu et al. 2006. Rounding to grey levels (1/12) is taken off. What leaving out changed
    widens the interval, because about as much may have stayed in.

    Args:
        pictures: of one size.
        is_one_scene: whether they show mostly the same; then a place is smooth in all of them or in none, so that
            noise has less of a say in what is chosen.
    """
    rows = [_statistics(p) for p in pictures]
    fine, wide, level, steepness = (np.stack([r[k] for r in rows]) for k in range(4))
    usable = np.isfinite(fine) & _smooth(steepness, is_one_scene)[..., None]
    if usable.any(axis=(0, 3)).sum() < _FEWEST_PLACES:
        what = f"noise is not identifiable: fewer than {_FEWEST_PLACES} smooth blocks of 8 x 8 pixels"
        return NoiseLevel({}, {}, (Finding("warning", what, "measure it on a static sequence"),))
    keep = _typical(wide, level, usable)
    grain2 = _mean_by_region(9 / 8 * (wide - fine), keep, usable)
    white2 = _mean_by_region(fine - (wide - fine) / 8 - ROUNDING, keep, usable)
    estimates, hidden = noise_estimates(white2, grain2, _METHOD)
    quality = _function_of_level(wide, level, keep)
    return NoiseLevel(estimates, quality, hidden + _findings(estimates, float((fine[keep] < 0.01).mean())))


def _smooth(steepness: Float, is_one_scene: bool) -> NDArray[np.bool_]:
    """Return which blocks (N, h, w) are smooth, from slopes relative to the limit."""
    if not is_one_scene:
        return np.asarray(steepness < 1)
    return np.asarray((np.median(steepness, axis=0) < 1) & (steepness < _PASSING))


def _statistics(picture: Picture) -> tuple[Float, Float, Float, Float]:
    """Return mean squares of both operators over 36, mean levels (h, w, 3), and slopes relative to the limit (h, w).

    The first two are NaN where clipping is near.
    """
    values = picture.astype(np.float32)
    fine = block_mean(np.square(cv2.sepFilter2D(values, -1, _SECOND, _SECOND), dtype=np.float32)) / np.float32(36)
    wide = block_mean(
        np.square(cv2.sepFilter2D(values, -1, _SECOND_WIDE, _SECOND_WIDE), dtype=np.float32)
    ) / np.float32(36)
    level = block_mean(values)
    smoothed = cv2.GaussianBlur(values, (0, 0), 2.5)
    slope = np.hypot(cv2.Sobel(smoothed, -1, 1, 0), cv2.Sobel(smoothed, -1, 0, 1)).max(axis=2) / 8
    steepest = in_blocks(cv2.dilate(slope, np.ones((11, 11), np.uint8))).max(axis=(1, 3))
    spread = np.sqrt(wide)
    steepness = np.asarray(steepest / (_SMOOTH + 0.1 * np.median(spread)), np.float32)
    is_inside = (level > 4 * spread + 1) & (level < 254 - 4 * spread)
    hidden = ~is_inside
    # At the border the operators see mirrored pixels.
    hidden[[0, -1]] = True
    hidden[:, [0, -1]] = True
    return np.where(hidden, np.nan, fine), np.where(hidden, np.nan, wide), level, steepness


def _typical(wide: Float, level: Float, usable: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which blocks vary as much as others of their brightness, by themselves and over all frames.

    Cube roots of mean squares are nearly normal (Wilson & Hilferty 1931), so that cutting both sides alike does not
    pull the mean.
    """
    root = np.cbrt(np.where(usable, wide, np.nan))
    relative = np.full_like(root, np.nan)
    edges = np.quantile(level[usable], np.linspace(0, 1, 7))
    for low, high in itertools.pairwise(edges):
        inside = usable & (level >= low) & (level <= high)
        if inside.sum() >= 4:
            centre, width = _lower_scale(root[inside])
            relative[inside] = (root[inside] - centre) / width
    keep = np.abs(np.nan_to_num(relative, nan=np.inf)) < _OUTLIER
    weight = keep.sum(axis=(0, 3))
    place = np.where(keep, relative, 0.0).sum(axis=(0, 3)) / np.sqrt(np.maximum(weight, 1))
    for _ in range(2):
        inside = weight > 0
        centre, width = _lower_scale(place[inside])
        weight = np.where(np.abs(place - centre) < _OUTLIER * width, weight, 0)
    return np.asarray(keep & (weight > 0)[None, :, :, None])


def _lower_scale(values: Float) -> tuple[float, float]:
    """Return median and width of the lower half: texture lies above only."""
    centre = float(np.median(values))
    return centre, max(1.4826 * float(np.median(centre - values[values <= centre])), 1e-6)


def _mean_by_region(values: NDArray[np.floating], keep: NDArray[np.bool_], usable: NDArray[np.bool_]) -> Estimate:
    """Return the mean (h, w over frames and channels) with an interval between regions of 3 x 3 blocks.

    Neighbouring blocks share pixels and texture, and the same place shows the same texture in every frame, so that
    each region counts once: a ratio estimator with clusters (Cochran 1977, section 6).
    """
    weight = keep.sum(axis=(0, 3)).astype(np.float64)
    total = np.where(keep, values, 0.0).sum(axis=(0, 3), dtype=np.float64)
    weight, total = _in_regions(weight), _in_regions(total)
    mean = float(total.sum() / weight.sum())
    rest = (total - mean * weight)[weight > 0]
    count = len(rest)
    std = float(np.sqrt((rest**2).sum() * count / max(count - 1, 1)) / weight.sum())
    std = float(np.hypot(std, _LEFT_IN * (float(values[usable].mean()) - mean)))
    return of_student(mean, std, count - 1, count, "1", _METHOD)


def _in_regions(values: Array) -> Array:
    h, w = (-(-n // _REGION) for n in values.shape)
    whole = np.zeros((h * _REGION, w * _REGION))
    whole[: values.shape[0], : values.shape[1]] = values
    return np.asarray(whole.reshape(h, _REGION, w, _REGION).sum(axis=(1, 3)).ravel())


def _function_of_level(wide: Float, level: Float, keep: NDArray[np.bool_]) -> dict[str, float]:
    found = {}
    for k in range(_LEVEL_BINS):
        inside = keep & (level >= 32 * k) & (level < 32 * (k + 1))
        if inside.sum() >= _FEWEST_PLACES:
            variance = max(float(wide[inside].mean()) - ROUNDING, 0.0)
            found[f"noise_at_level_{32 * k + 16}"] = variance**0.5
    return found


def _findings(estimates: dict[str, Estimate], flat_share: float) -> tuple[Finding, ...]:
    found = []
    if flat_share > 0.05:
        what = f"{100 * flat_share:.0f} % of the smooth blocks hold no noise at all: compression removed it"
        found.append(Finding("warning", what + ", the true noise is larger", "measure it on raw or png frames"))
    noise, grain = estimates["sensor.noise"], estimates["sensor.grain"]
    if grain.value > 0.5 * noise.value and grain.low > 0:
        what = f"noise of neighbouring pixels is alike (grain {grain.value:.2f}, noise {noise.value:.2f} grey levels)"
        found.append(Finding("note", what + ": demosaicing or compression", "set sensor.noise and sensor.grain both"))
    return tuple(found)
