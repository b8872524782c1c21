"""A straight edge in a small patch: how wide the Gaussian is that it was seen through."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from scipy import special

from calibration.photometry.frames import Array

REACH = 8
ROWS = 9
_ROW = (np.arange(ROWS) - ROWS // 2).astype(np.float64)[:, None]
_AT = np.arange(-REACH, REACH + 1, dtype=np.float64)
_ITERATIONS = 10
# Of middle, half the step, slope, place, log width and tilt.
_LONGEST_STEP = np.array([1e3, 1e3, 1e3, 1.0, 0.5, 0.1])
_PIXEL = 1 / 12


def fitted(values: Array, tilt: Array, least_step: float) -> tuple[Array, Array]:
    """Return the variance (M,) of the Gaussian across each edge, squared pixels, and whether it fits (M,).

    Nonlinear least squares after Levenberg 1944 and Marquardt 1963, all patches at once. A patch fits when what is
    left over is hardly more than in the best of them, which is noise.

    Args:
        values: (M, ROWS, 2 REACH + 1), grey levels with an upright edge near the middle.
        tilt: (M,), about how many pixels the edge moves from one row to the next.
        least_step: grey levels.
    """
    p = np.zeros((len(values), 6))
    low, high = values[:, ROWS // 2, :3].mean(axis=1), values[:, ROWS // 2, -3:].mean(axis=1)
    p[:, 0], p[:, 1], p[:, 5] = (low + high) / 2, (high - low) / 2, tilt
    damping = np.full(len(values), 1e-2)
    rest, jacobian = _model(p, values)
    cost = (rest**2).sum(axis=1)
    for _ in range(_ITERATIONS):
        turned = jacobian.transpose(0, 2, 1)
        normal = turned @ jacobian
        diagonal = np.einsum("mii->mi", normal)
        damped = normal + (damping[:, None] * diagonal + 1e-9)[:, :, None] * np.eye(6)
        step = np.linalg.solve(damped, turned @ rest[..., None])[..., 0]
        trial = p + np.clip(step, -_LONGEST_STEP, _LONGEST_STEP)
        trial[:, 4] = np.clip(trial[:, 4], np.log(0.15), np.log(REACH))
        new_rest, new_jacobian = _model(trial, values)
        new_cost = (new_rest**2).sum(axis=1)
        better = new_cost < cost
        p[better], rest[better], jacobian[better] = trial[better], new_rest[better], new_jacobian[better]
        cost = np.minimum(cost, new_cost)
        damping = np.where(better, damping * 0.3, damping * 5)
    step_size = 2 * np.abs(p[:, 1])
    scatter = np.sqrt(cost / (values[0].size - 6))
    is_step = (step_size > least_step) & (np.abs(p[:, 3]) < 2) & (scatter < 0.1 * step_size)
    is_step &= np.exp(p[:, 4]) < 0.45 * REACH
    typical = float(np.quantile(scatter[is_step], 0.2)) if is_step.any() else 0.0
    fits = is_step & (scatter < 1.15 * typical + 0.004 * step_size)
    # Along a row a tilted edge is wider, and so is what the height of a pixel adds.
    return (np.exp(2 * p[:, 4]) - p[:, 5] ** 2 * _PIXEL) / (1 + p[:, 5] ** 2), fits


def _model(p: Array, values: Array) -> tuple[Array, Array]:
    """Return what is left of the patches (M, K), and the derivatives (M, K, 6) of the model.

    The model is a step on a slope, seen through a Gaussian and pixels of width 1: middle + half * curve + slope * x.
    `p` (M, 6) is middle, half, slope, place in the middle row, log width and tilt.
    """
    middle, half, slope, place, log_width, tilt = (p[:, k, None, None] for k in range(6))
    width = np.exp(log_width)
    x = _AT - place - tilt * _ROW
    curve, by_place, by_width = _smoothed_step((x + 0.5) / width, (x - 0.5) / width, width)
    by_place = half * by_place
    parts = (np.ones_like(x), curve, np.broadcast_to(_AT, x.shape), by_place, half * by_width, by_place * _ROW)
    rest = values - middle - slope * _AT - half * curve
    return rest.reshape(len(p), -1), np.stack(parts, axis=3).reshape(len(p), -1, 6)


def _smoothed_step(right: Array, left: Array, width: Array) -> tuple[Array, Array, Array]:
    """Return the mean of the error function over a pixel, -1 to 1, and its derivatives by place and log width."""
    erf_right, erf_left = special.erf(right / np.sqrt(2)), special.erf(left / np.sqrt(2))
    bell_right, bell_left = (np.sqrt(2 / np.pi) * np.exp(-0.5 * z * z) for z in (right, left))
    curve = width * (right * erf_right + bell_right - left * erf_left - bell_left)
    return curve, erf_left - erf_right, width * (bell_right - bell_left)


def as_drawn(variance: Array) -> Array:
    """Return the variance of the simulation's blur that is seen as this one (M,), squared pixels.

    Narrow Gaussians are not what their few taps are; the table is what the fit finds on edges with known taps.
    """
    seen, drawn = _table()
    return np.asarray(np.interp(variance, seen, drawn))


@lru_cache(maxsize=1)
def _table() -> tuple[Array, Array]:
    """Return seen and drawn variances, for edges of several tilts and places, blurred by the taps of a Gaussian."""
    drawn = np.array([0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 1.0, 1.5, 3.4])
    tilts = np.repeat((0.05, 0.2, 0.35, 0.5, 0.65), 2)
    places = np.tile((-0.2, 0.3), 5)
    margin = 2 * REACH
    across = np.arange(-REACH - margin, REACH + margin + 1)
    sub_rows = (np.arange(8 * (ROWS + 2 * margin)) + 0.5) / 8 - 0.5 - ROWS // 2 - margin
    edges = []
    for tilt, place in zip(tilts, places, strict=True):
        fine = np.clip(across + 0.5 - place - tilt * sub_rows[:, None], 0, 1)
        edges.append(60 + 120 * fine.reshape(-1, 8, len(across)).mean(axis=1))
    seen = []
    for std in drawn:
        taps = np.exp(-0.5 * (np.arange(-margin, margin + 1) / std) ** 2)
        taps /= taps.sum()
        patches = np.array([cv2.sepFilter2D(e, -1, taps, taps)[margin:-margin, margin:-margin] for e in edges])
        seen.append(float(np.median(fitted(patches, tilts, 30.0)[0])))
    return np.maximum.accumulate(seen), drawn**2
