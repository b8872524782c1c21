"""Blur from the sharpest edges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
_STEEPEST_TILT = 0.7
# The variance of a pixel's width: edges are drawn, and seen, as shares of pixels.
_PIXEL = 1 / 12
_FEWEST_PLACES = 8
_PLACE_PX = 32
# Of middle, half the step, place and log width.
_LONGEST_STEP = np.array([1e3, 1e3, 1.0, 0.5])
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
        variance, place = ((std * cosine) ** 2 - _PIXEL)[is_good], place[is_good]
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
    """Return the standard deviation (M,) of the error function fitted to each row, and whether it fits (M,)."""
    at = np.arange(-_REACH, _REACH + 1, dtype=np.float64)
    low, high = values[:, :3].mean(axis=1), values[:, -3:].mean(axis=1)
    p = np.stack([(low + high) / 2, (high - low) / 2, np.zeros(len(values)), np.full(len(values), np.log(1.0))], axis=1)
    damping = np.full(len(values), 1e-2)
    rest, jacobian = _model(p, at, values)
    cost = (rest**2).sum(axis=1)
    for _ in range(15):
        normal = np.einsum("mki,mkj->mij", jacobian, jacobian)
        diagonal = np.einsum("mii->mi", normal)
        damped = normal + (damping[:, None] * diagonal + 1e-9)[:, :, None] * np.eye(4)
        step = np.linalg.solve(damped, np.einsum("mki,mk->mi", jacobian, rest)[..., None])[..., 0]
        trial = p + np.clip(step, -_LONGEST_STEP, _LONGEST_STEP)
        trial[:, 3] = np.clip(trial[:, 3], np.log(0.15), np.log(_REACH))
        new_rest, new_jacobian = _model(trial, at, values)
        new_cost = (new_rest**2).sum(axis=1)
        better = new_cost < cost
        p[better], rest[better], jacobian[better] = trial[better], new_rest[better], new_jacobian[better]
        cost = np.minimum(cost, new_cost)
        damping = np.where(better, damping * 0.3, damping * 5)
    step_size = 2 * np.abs(p[:, 1])
    scatter = np.sqrt(cost / (len(at) - 4))
    flat = np.abs(p[:, 2]) < 2
    fits = (step_size > _LEAST_STEP) & (scatter < 0.06 * step_size) & flat
    return np.exp(p[:, 3]), fits


def _model(p: Array, at: Array, values: Array) -> tuple[Array, Array]:
    """Return what is left of the rows (M, K), and the derivatives (M, K, 4) of the model."""
    width = np.exp(p[:, 3])[:, None]
    z = (at - p[:, 2, None]) / width
    curve = special.erf(z / np.sqrt(2))
    bell = np.sqrt(2 / np.pi) * np.exp(-0.5 * z * z)
    scaled = p[:, 1, None] * bell
    jacobian = np.stack([np.ones_like(z), curve, -scaled / width, -scaled * z], axis=2)
    return values - p[:, 0, None] - p[:, 1, None] * curve, jacobian


def _by_place(variance: Array, place: Array) -> Array:
    """Return the median of each place that holds three edges or more: what lies together shares its errors."""
    order = np.argsort(place, kind="stable")
    ends = np.flatnonzero(np.diff(place[order])) + 1
    return np.array([np.median(group) for group in np.split(variance[order], ends) if len(group) >= 3])


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
