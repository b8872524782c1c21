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
from calibration.photometry.intervals import of_mean

_MOST_FRAMES = 6
_PATCHES = 150
_LEAST_STEP = 30.0
_STEEPEST_TILT = 0.7
_FEWEST_PLACES = 6
_PLACE_PX = 32
_LEAST_PATCHES = 2
# Of the variance: edges are not quite straight, nor drawn by quite the same shares of pixels.
_SHARED = 0.012
_METHOD = "error function across the sharpest straight edges, pixel's width taken off; interval between places"


def edge_blur(pictures: Sequence[Picture]) -> tuple[Estimate | None, tuple[Finding, ...]]:
    """Return `sensor.blur_px` as an equivalent Gaussian, pixels; None with a finding when edges are too few.

    Small patches across strong straight edges are fitted by a step's response to a Gaussian (`edge_fit`), as in the
    slanted-edge method of ISO 12233. Edges that are softer than the sharp ones (shadows, out of focus) are left out
    from above. Edges are taken for shares of pixels, as renderers and cameras make them.
    """
    chosen = [pictures[k] for k in np.unique(np.linspace(0, len(pictures) - 1, _MOST_FRAMES).round().astype(int))]
    found = [patches for picture in chosen for patches in _patches(picture)]
    values, tilt, place = (np.concatenate([f[k] for f in found]) for k in range(3))
    places = np.zeros(0)
    if len(values):
        variance, is_good = fitted(values, tilt, _LEAST_STEP)
        places = _by_place(as_drawn(variance)[is_good], place[is_good])
    sharp = _sharpest(places)
    if len(sharp) < _FEWEST_PLACES:
        what = (
            f"sensor.blur_px is not identifiable: sharp straight edges in {len(sharp)} places, {_FEWEST_PLACES} needed"
        )
        return None, (Finding("note", what, "show something with straight, high-contrast edges, such as a board"),)
    squared = of_mean(sharp, "px", _METHOD, _SHARED * float(sharp.mean()))
    value, low, high = (float(np.sqrt(max(v, 0.0))) for v in (squared.value, squared.low, squared.high))
    # Below a third of a pixel an edge lies within one pixel, whatever its width.
    low = low if low > 0.3 else 0.0
    return Estimate(value, low, high, squared.confidence, len(sharp), "px", _METHOD), ()


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
    place = (y // _PLACE_PX) * 10_000 + x // _PLACE_PX + 10_000_000 * turned
    return values[inside], _tilt(dx, dy)[y, x][inside].astype(np.float64), place[inside]


def _tilt(dx: NDArray[np.floating], dy: NDArray[np.floating]) -> Float:
    """Return the tilt of edges, by the structure tensor of a small window."""
    xx, xy, yy = (cv2.GaussianBlur(v, (0, 0), 2.0) for v in (dx * dx, dx * dy, dy * dy))
    return np.asarray(-np.tan(0.5 * np.arctan2(2 * xy, xx - yy)), np.float32)


def _by_place(variance: Array, place: Array) -> Array:
    """Return the median of each place: what lies together shares its errors."""
    order = np.argsort(place, kind="stable")
    ends = np.flatnonzero(np.diff(place[order])) + 1
    return np.array([np.median(group) for group in np.split(variance[order], ends) if len(group) >= _LEAST_PATCHES])


def _sharpest(places: Array) -> Array:
    """Return the places of the sharp cluster: from above, what is out of the lower half's scatter is left out."""
    kept = np.sort(places)
    while len(kept) >= _FEWEST_PLACES:
        centre = float(np.median(kept))
        below = centre - kept[kept <= centre]
        limit = 3 * 1.4826 * float(np.median(below)) + 0.02
        remaining = kept[np.abs(kept - centre) <= limit]
        if len(remaining) == len(kept):
            break
        kept = remaining
    return kept
