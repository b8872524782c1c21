"""Refine where a camera is, from points whose pixels are known or from the edges of a body."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import least_squares

from calibration.estimate import Estimate
from calibration.view import CameraView
from calibration.world import CameraParams

Array = NDArray[np.float64]
_NAMES = ("shift_x", "shift_y", "shift_z", "tilt_x", "tilt_y", "tilt_z", "focal_scale")
_UNITS = ("m", "m", "m", "rad", "rad", "rad", "1")


@dataclass(frozen=True)
class CameraPrior:
    """What was known before: one standard deviation of position, rotation and relative focal length."""

    position_std_m: float
    rotation_std_rad: float
    focal_std: float

    def scales(self) -> Array:
        """Return the seven standard deviations in the order of the parameters; none is below 1e-6."""
        stds = [self.position_std_m] * 3 + [self.rotation_std_rad] * 3 + [self.focal_std]
        return np.asarray(np.maximum(np.array(stds), 1e-6))


@dataclass(frozen=True, eq=False)
class CameraFit:
    """A refined camera.

    Attributes:
        view: the camera.
        change: the same as a change from the nominal camera.
        estimates: change with 95 % intervals (Laplace approximation), by parameter.
        residual_px: root mean square reprojection error over the inliers.
        count: observations used.
        covariance: (7, 7) of the change: shift (m), rotation vector (rad), relative focal length.
    """

    view: CameraView
    change: CameraParams
    estimates: dict[str, Estimate]
    residual_px: float
    count: int
    covariance: Array


def fit_camera(
    nominal: CameraView, prior: CameraPrior, points_world: ArrayLike, pixels: ArrayLike, pixel_std: ArrayLike
) -> CameraFit:
    """Return the camera that explains pixels (N, 2) of world points (N, 3) best, given what was known before.

    Maximum a posteriori over position, rotation and focal length, with Huber's loss so that a wrong pixel
    does not pull the camera away.

    Args:
        nominal: the camera that the prior is about.
        prior: how well it is known.
        points_world: metres.
        pixels: where they were seen.
        pixel_std: standard deviation of each observation (N,) or of all, pixels.
    """
    points = np.asarray(points_world, dtype=np.float64).reshape(-1, 3)
    seen = np.asarray(pixels, dtype=np.float64).reshape(-1, 2)
    std = np.broadcast_to(np.asarray(pixel_std, dtype=np.float64), (len(points),))

    def residual(view: CameraView) -> Array:
        return np.asarray(np.nan_to_num((view.project(points) - seen) / std[:, None], nan=1e3))

    return refine_camera(nominal, prior, residual, float(std.mean()) if len(std) else 1.0, "fit to labelled points")


def refine_camera(
    nominal: CameraView,
    prior: CameraPrior,
    residual: Callable[[CameraView], Array],
    pixel_scale: float,
    method: str,
    start: Array | None = None,
) -> CameraFit:
    """Return the camera near `nominal` that makes residuals smallest, given what was known before.

    Maximum a posteriori: Huber's loss by iteratively reweighted least squares (Holland and Welsch 1977), with
    intervals from the curvature at the optimum (Laplace approximation).

    Args:
        nominal: the camera that the prior is about.
        prior: how well it is known.
        residual: maps a camera to residuals (N, d), in standard deviations.
        pixel_scale: pixels of one standard deviation, for the reported residual.
        method: named in the estimates.
        start: seven numbers in the order of `change_of` to start from; None for the nominal camera.
    """
    scales = prior.scales()

    def view_of(x: Array) -> CameraView:
        return nominal.moved(change_of(x * scales))

    x = np.zeros(7) if start is None else start / scales
    weights: Array | None = None
    solution = None
    for _ in range(6):
        raw = residual(view_of(x))
        size = np.linalg.norm(raw, axis=1)
        weights = np.sqrt(np.minimum(1.0, 2.0 / np.maximum(size, 1e-9)))
        fixed = weights[:, None]
        solution = least_squares(lambda v, w=fixed: np.concatenate([(residual(view_of(v)) * w).ravel(), v]), x)
        x = np.asarray(solution.x)
    assert solution is not None
    covariance = np.linalg.inv(solution.jac.T @ solution.jac)
    covariance = covariance * np.outer(scales, scales)
    half = 1.96 * np.sqrt(np.diag(covariance))
    values = x * scales
    final = residual(view_of(x))
    inlier = np.linalg.norm(final, axis=1) < 4.0
    rms = float(np.sqrt(np.mean(np.sum(final[inlier] ** 2, axis=1)))) * pixel_scale if inlier.any() else float("nan")
    estimates = {
        name: Estimate(v + base, v + base - h, v + base + h, 0.95, len(final), unit, method)
        for name, unit, v, h, base in zip(_NAMES, _UNITS, values, half, (0.0,) * 6 + (1.0,), strict=True)
    }
    view = view_of(x)
    return CameraFit(view, change_of(values), estimates, rms, len(final), covariance)


def change_of(values: Array) -> CameraParams:
    """Return seven numbers (shift, rotation vector, relative focal change) as a change of the camera."""
    v = [float(value) for value in values]
    return CameraParams((v[0], v[1], v[2]), (v[3], v[4], v[5]), 1.0 + v[6])
