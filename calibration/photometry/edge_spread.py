"""Blur from the sharpest edges."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.calibration_record import Finding
from calibration.estimate import Estimate
from calibration.photometry.edge_fit import REACH, ROWS, as_drawn, fitted
from calibration.photometry.frames import Array, Float, Picture
from calibration.photometry.intervals import of_student

_MOST_FRAMES = 6
_PATCHES = 150
_LEAST_STEP = 30.0
_STEEPEST_TILT = 0.7
_FEWEST_PLACES = 6
_PLACE_PX = 32
_LEAST_PATCHES = 2
_FEWEST_REGIONS = 4
_MOST_HIDDEN = 1.5
# Places are numbered by row, column and whether their edges are upright.
_ROW_STEP, _TURNED = 10_000, 100_000_000
# Of the variance: edges are not quite straight, nor drawn by quite the same shares of pixels.
_SHARED = 0.012
_METHOD = "error function across the sharpest straight edges, pixel's width taken off; interval between regions"


def edge_blur(pictures: Sequence[Picture]) -> tuple[Estimate | None, tuple[Finding, ...]]:
    """Return `sensor.blur_px` as an equivalent Gaussian, pixels; None with a finding when edges are too few.

    Small patches across strong straight edges are fitted by a step's response to a Gaussian (`edge_fit`), as in the
    slanted-edge method of ISO 12233. Edges that are softer than the sharp ones (shadows, out of focus) are left out
    from above. Edges are taken for shares of pixels, as renderers and cameras make them.
    """
    chosen = [pictures[k] for k in np.unique(np.linspace(0, len(pictures) - 1, _MOST_FRAMES).round().astype(int))]
    found = [patches for picture in chosen for patches in _patches(picture)]
    values, tilt, place = (np.concatenate([f[k] for f in found]) for k in range(3))
    places, regions = np.zeros(0), np.zeros(0, np.int64)
    if len(values):
        variance, is_good = fitted(values, tilt, _LEAST_STEP)
        places, regions = _by_place(as_drawn(variance)[is_good], place[is_good])
    is_sharp = _sharpest(places)
    sharp, regions = places[is_sharp], regions[is_sharp]
    count = len(np.unique(regions))
    if len(sharp) < _FEWEST_PLACES or count < _FEWEST_REGIONS:
        what = (
            f"sensor.blur_px is not identifiable: sharp straight edges in {len(sharp)} places, {_FEWEST_PLACES} needed"
        )
        return None, (Finding("note", what, "show something with straight, high-contrast edges, such as a board"),)
    squared = _mean_by_region(sharp, regions, len(places))
    value, low, high = (float(np.sqrt(max(v, 0.0))) for v in (squared.value, squared.low, squared.high))
    # Below a third of a pixel an edge lies within one pixel, whatever its width.
    low = low if low > 0.3 else 0.0
    return Estimate(value, low, high, squared.confidence, count, "px", _METHOD), ()


def _patches(picture: Picture) -> list[tuple[Array, Array, Array]]:
    grey = picture.astype(np.float32).mean(axis=2)
    return [_across(grey, False), _across(np.ascontiguousarray(grey.T), True)]


def _across(grey: Float, turned: bool) -> tuple[Array, Array, Array]:
    """Return patches (M, ROWS, 2 REACH + 1) on edges nearer to upright than to level, tilt (M,) and place (M,).

    Tilt is how many pixels the edge moves from one row to the next.
    """
    smooth = cv2.GaussianBlur(grey, (0, 0), 1.5)
    dx, dy = cv2.Sobel(smooth, -1, 1, 0) / 8, cv2.Sobel(smooth, -1, 0, 1) / 8
    size, half = np.abs(dx), ROWS // 2
    ridge = (size >= np.roll(size, 1, axis=1)) & (size > np.roll(size, -1, axis=1))
    strong = ridge & (size > _LEAST_STEP / 10) & (np.abs(dy) < _STEEPEST_TILT * size)
    strong[:half], strong[-half:], strong[:, : REACH + 1], strong[:, -REACH - 1 :] = False, False, False, False
    # Patches that overlap say little new.
    strong[np.arange(len(strong)) % (half + 1) != 0] = False
    y, x = np.nonzero(strong)
    if len(y) > _PATCHES:
        picked = np.linspace(0, len(y) - 1, _PATCHES).astype(int)
        y, x = y[picked], x[picked]
    rows = y[:, None, None] + np.arange(-half, half + 1)[:, None]
    values = grey[rows, x[:, None, None] + np.arange(-REACH, REACH + 1)].astype(np.float64)
    inside = (values.max(axis=(1, 2)) < 250) & (values.min(axis=(1, 2)) > 4)
    place = (y // _PLACE_PX) * _ROW_STEP + x // _PLACE_PX + _TURNED * turned
    return values[inside], _tilt(dx, dy)[y, x][inside].astype(np.float64), place[inside]


def _tilt(dx: NDArray[np.floating], dy: NDArray[np.floating]) -> Float:
    """Return the tilt of edges, by the structure tensor of a small window."""
    xx, xy, yy = (cv2.GaussianBlur(v, (0, 0), 2.0) for v in (dx * dx, dx * dy, dy * dy))
    return np.asarray(-np.tan(0.5 * np.arctan2(2 * xy, xx - yy)), np.float32)


def _by_place(variance: Array, place: NDArray[np.int64]) -> tuple[Array, NDArray[np.int64]]:
    """Return the median of each place and the region that it lies in."""
    medians, regions = [], []
    for one in np.unique(place):
        group = variance[place == one]
        if len(group) >= _LEAST_PATCHES:
            row, column = divmod(int(one) % _TURNED, _ROW_STEP)
            medians.append(float(np.median(group)))
            regions.append(int(one) // _TURNED * _TURNED + row // 2 * _ROW_STEP + column // 2)
    return np.array(medians), np.array(regions, np.int64)


def _sharpest(places: Array) -> NDArray[np.bool_]:
    """Return which places are in the sharp cluster: what is out of the lower half's scatter is left out."""
    kept = np.ones(len(places), bool)
    while kept.sum() >= _FEWEST_PLACES:
        centre = float(np.median(places[kept]))
        below = centre - places[kept & (places <= centre)]
        limit = 3 * 1.4826 * float(np.median(below)) + 0.02
        remaining = kept & (np.abs(places - centre) <= limit)
        if remaining.sum() == kept.sum():
            break
        kept = remaining
    return kept


def _mean_by_region(sharp: Array, regions: NDArray[np.int64], tried: int) -> Estimate:
    """Return the mean; neighbouring places lie on the same edge, so that errors are those of regions (clusters).

    Leaving places out hides scatter, as in the standard error of a trimmed mean (Tukey & McLaughlin 1963): by the share
    that is left. Neighbouring things make edges look wider only, which pulls the mean from the median.
    """
    mean = float(sharp.mean())
    sums = np.array([float((sharp[regions == r] - mean).sum()) for r in np.unique(regions)])
    count = len(sums)
    std = float(np.sqrt((sums**2).sum() * count / (count - 1))) / len(sharp) * min(tried / len(sharp), _MOST_HIDDEN)
    skew = mean - float(np.median(sharp))
    return of_student(mean, float(np.hypot(std, np.hypot(skew, _SHARED * mean))), count - 1, count, "px", _METHOD)
