"""Blur from the sharpest edges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from scipy import special

from calibration.calibration_record import Finding
from calibration.estimate import Estimate
from calibration.photometry.frames import Array, Float, Picture
from calibration.photometry.intervals import of_mean

_REACH = 8
_MOST_FRAMES = 6
_PROFILES_PER_FRAME = 800
_LEAST_STEP = 30.0
_LEAST_STEP_TO_NOISE = 15.0
_STEEPEST_TILT = 0.7
# The variance of a pixel's width: edges are drawn, and seen, as shares of pixels.
_PIXEL = 1 / 12
_FEWEST_PLACES = 8
_PLACE_PX = 32
_AT = np.arange(-_REACH, _REACH + 1, dtype=np.float64)
# Of middle, half the step, slope, place and log width.
_LONGEST_STEP = np.array([1e3, 1e3, 1e3, 1.0, 0.5])
_METHOD = "error function across the sharpest straight edges, pixel's width taken off; interval between places"


@dataclass(frozen=True)
class _Profiles:
    """Rows of grey levels (M, 2 R + 1) across edges, cosine of the edge's tilt (M,), and the place (M,) it lies in."""

    values: Array
    cosine: Array
    place: Array


def edge_blur(pictures: Sequence[Picture]) -> tuple[Estimate | None, tuple[Finding, ...]]:
    """Return `sensor.blur_px` as an equivalent Gaussian, pixels; None with a finding when edges are too few.

    Rows and columns across strong straight edges are fitted by the error function, which is a step's response to a
    Gaussian; a tilted edge is wider along the row by one over the cosine of its tilt, as in the slanted-edge method of
    ISO 12233. Edges that are softer than the sharp ones (shadows, out of focus) are left out from above.
    """
    chosen = [pictures[k] for k in np.unique(np.linspace(0, len(pictures) - 1, _MOST_FRAMES).round().astype(int))]
    found = [p for picture in chosen for p in _profiles(picture)]
    values = np.concatenate([p.values for p in found])
    cosine, place = (np.concatenate([getattr(p, name) for p in found]) for name in ("cosine", "place"))
    if len(values):
        std, is_good = _fitted(values)
        is_good &= std < 0.45 * _REACH
        variance, place = _as_drawn((std * cosine) ** 2 - (1 - cosine**2) * _PIXEL)[is_good], place[is_good]
    places = _by_place(variance, place) if len(values) and is_good.any() else np.zeros(0)
    sharp = _sharpest(places)
    if len(sharp) < _FEWEST_PLACES:
        what = (
            f"sensor.blur_px is not identifiable: sharp straight edges in {len(sharp)} places, {_FEWEST_PLACES} needed"
        )
        return None, (Finding("note", what, "show something with straight, high-contrast edges, such as a board"),)
    squared = of_mean(sharp, "px", _METHOD)
    # Below a third of a pixel an edge is within one pixel, whatever its width.
    ends = [float(np.sqrt(max(v, 0.0))) for v in (squared.value, squared.low, squared.high)]
    estimate = Estimate(
        ends[0], ends[1] if ends[1] > 0.3 else 0.0, ends[2], squared.confidence, len(sharp), "px", _METHOD
    )
    return estimate, ()


def _profiles(picture: Picture) -> list[_Profiles]:
    grey = picture.astype(np.float32).mean(axis=2)
    return [_across(grey, 0), _across(np.ascontiguousarray(grey.T), 1)]


def _across(grey: Float, turned: int) -> _Profiles:
    """Return the rows across edges that are nearer to upright than to level."""
    smooth = cv2.GaussianBlur(grey, (0, 0), 1.5)
    dx, dy = cv2.Sobel(smooth, -1, 1, 0) / 8, cv2.Sobel(smooth, -1, 0, 1) / 8
    size = np.abs(dx)
    ridge = (size >= np.roll(size, 1, axis=1)) & (size > np.roll(size, -1, axis=1))
    strong = ridge & (size > _LEAST_STEP / 10) & (np.abs(dy) < _STEEPEST_TILT * size)
    strong[:4], strong[-4:], strong[:, : _REACH + 1], strong[:, -_REACH - 1 :] = False, False, False, False
    y, x = np.nonzero(strong)
    if len(y) > _PROFILES_PER_FRAME:
        picked = np.linspace(0, len(y) - 1, _PROFILES_PER_FRAME).astype(int)
        y, x = y[picked], x[picked]
    columns = x[:, None] + np.arange(-_REACH, _REACH + 1)
    # The tilt of a straight edge is that of its neighbourhood.
    tilt = _tilt(dx, dy)[y, x]
    values = grey[y[:, None], columns].astype(np.float64)
    inside = (values.max(axis=1) < 250) & (values.min(axis=1) > 4)
    rows, cols = (y, x) if not turned else (x, y)
    place = (rows // _PLACE_PX) * 10_000 + (cols // _PLACE_PX)
    return _Profiles(values[inside], np.cos(tilt)[inside], place[inside])


def _tilt(dx: Float, dy: Float) -> Float:
    """Return the angle of the gradient from the row, by the structure tensor of a small window."""
    xx, xy, yy = (cv2.GaussianBlur(v, (0, 0), 2.0) for v in (dx * dx, dx * dy, dy * dy))
    return np.asarray(0.5 * np.arctan2(2 * xy, xx - yy), np.float32)


def _fitted(values: Array) -> tuple[Array, Array]:
    """Return the width (M,) of the Gaussian fitted to each row, and whether it fits (M,): Levenberg & Marquardt."""
    low, high = values[:, :3].mean(axis=1), values[:, -3:].mean(axis=1)
    p = np.zeros((len(values), 5))
    p[:, 0], p[:, 1] = (low + high) / 2, (high - low) / 2
    damping = np.full(len(values), 1e-2)
    rest, jacobian = _model(p, values)
    cost = (rest**2).sum(axis=1)
    for _ in range(12):
        normal = np.einsum("mki,mkj->mij", jacobian, jacobian, optimize=True)
        diagonal = np.einsum("mii->mi", normal)
        damped = normal + (damping[:, None] * diagonal + 1e-9)[:, :, None] * np.eye(5)
        step = np.linalg.solve(damped, np.einsum("mki,mk->mi", jacobian, rest)[..., None])[..., 0]
        trial = p + np.clip(step, -_LONGEST_STEP, _LONGEST_STEP)
        trial[:, 4] = np.clip(trial[:, 4], np.log(0.15), np.log(_REACH))
        new_rest, new_jacobian = _model(trial, values)
        new_cost = (new_rest**2).sum(axis=1)
        better = new_cost < cost
        p[better], rest[better], jacobian[better] = trial[better], new_rest[better], new_jacobian[better]
        cost = np.minimum(cost, new_cost)
        damping = np.where(better, damping * 0.3, damping * 5)
    step_size = 2 * np.abs(p[:, 1])
    scatter = np.sqrt(cost / (values.shape[1] - 5))
    is_step = (step_size > _LEAST_STEP) & (np.abs(p[:, 3]) < 2) & (scatter < 0.06 * step_size)
    typical = float(np.quantile(scatter[is_step], 0.25)) if is_step.any() else 0.0
    return np.exp(p[:, 4]), is_step & (scatter < np.minimum(1.6 * typical + 0.005 * step_size, step_size / _LEAST_STEP_TO_NOISE))


def _model(p: Array, values: Array) -> tuple[Array, Array]:
    """Return what is left of the rows (M, K), and the derivatives (M, K, 5) of the model.

    The model is a step on a slope, seen through a Gaussian and pixels of width 1: middle + half * curve + slope * x.
    `p` (M, 5) is middle, half, slope, place, log width.
    """
    width = np.exp(p[:, 4])[:, None]
    x = _AT - p[:, 3, None]
    right, left = (x + 0.5) / width, (x - 0.5) / width
    curve, by_place, by_width = _smoothed_step(right, left, width)
    half = p[:, 1, None]
    jacobian = np.stack(
        [np.ones_like(x), curve, np.broadcast_to(_AT, x.shape), half * by_place, half * by_width], axis=2
    )
    return values - p[:, 0, None] - p[:, 2, None] * _AT - half * curve, jacobian


def _smoothed_step(right: Array, left: Array, width: Array) -> tuple[Array, Array, Array]:
    """Return the mean of the error function over a pixel, -1 to 1, and its derivatives by place and log width."""
    erf_right, erf_left = special.erf(right / np.sqrt(2)), special.erf(left / np.sqrt(2))
    bell_right, bell_left = (np.sqrt(2 / np.pi) * np.exp(-0.5 * z * z) for z in (right, left))
    curve = width * (right * erf_right + bell_right - left * erf_left - bell_left)
    return curve, erf_left - erf_right, width * (bell_right - bell_left)


def _as_drawn(variance: Array) -> Array:
    """Return the variance of the simulation's blur that is seen as this one (M,), squared pixels.

    Narrow Gaussians are not what their few taps are; the table is what the fit finds on edges with known taps.
    """
    seen, drawn = _table()
    return np.asarray(np.interp(variance, seen, drawn))


@lru_cache(maxsize=1)
def _table() -> tuple[Array, Array]:
    """Return seen and drawn variances, for edges at 16 places within a pixel, blurred by the taps of a Gaussian."""
    drawn = np.array([0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 1.0, 1.3, 1.7, 2.2, 2.8, 3.4])
    at = np.arange(-3 * _REACH, 3 * _REACH + 1)
    places = (np.arange(16) + 0.5) / 16 - 0.5
    steps = np.clip(at + 0.5 - places[:, None], 0, 1)
    seen = []
    for std in drawn:
        taps = np.exp(-0.5 * (np.arange(-2 * _REACH, 2 * _REACH + 1) / std) ** 2)
        blurred = np.array([np.convolve(row, taps / taps.sum(), "same") for row in steps])
        rows = blurred[:, 2 * _REACH : 4 * _REACH + 1]
        seen.append(float(np.median(_fitted(60 + 120 * rows)[0] ** 2)))
    return np.maximum.accumulate(seen), drawn**2


def _by_place(variance: Array, place: Array) -> Array:
    """Return the median of each place that holds six rows or more: what lies together shares its errors."""
    order = np.argsort(place, kind="stable")
    ends = np.flatnonzero(np.diff(place[order])) + 1
    return np.array([np.median(group) for group in np.split(variance[order], ends) if len(group) >= 6])


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
