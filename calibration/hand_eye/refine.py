"""Refine hand-eye calibration on pixels, with a robot that is not quite where it says it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.camera import CameraIntrinsics
from calibration.hand_eye.problem import HandEyeProblem
from calibration.intrinsics.lens_models import LensKind, project_with_jacobians
from calibration.least_squares import Solution, of_step, solve, turned

Float = NDArray[np.float64]

_HUBER = 2.5
# Errors of a robot's poses are never taken to be smaller, metres and radians.
_SMALLEST_M, _SMALLEST_RAD = 2e-5, 4e-5
_ROUNDS = 4
# How far the size of a board may be off, as a share: printers scale pages, and the robot's way shows it.
SCALE_STD = 0.02
_VARIANCE_STEPS = 40


@dataclass(frozen=True)
class Noise:
    """Standard deviations of what is measured.

    Attributes:
        pixel_px: of a coordinate of a point in a picture.
        position_m: of each axis of the robot's position.
        rotation_rad: of each axis of its turn.
    """

    pixel_px: float = 1.0
    position_m: float = 1e-3
    rotation_rad: float = 2e-3


@dataclass(frozen=True)
class Accuracy:
    """Standard deviations of a robot's poses: position (metres) and turn (radians), of each axis."""

    position_m: float
    rotation_rad: float


@dataclass(frozen=True, eq=False)
class Chain:
    """A state of the fit.

    Attributes:
        values: (F,), free numbers of the lens.
        camera_from_mount: (4, 4).
        carrier_from_board: (4, 4).
        log_scale: logarithm of the true size of the board over the declared one.
        slack: (V, 6), step by which each mount_from_carrier is off, in the mount's axes.
    """

    values: Float
    camera_from_mount: Float
    carrier_from_board: Float
    log_scale: float
    slack: Float


@dataclass(frozen=True, eq=False)
class Refined:
    """The result.

    Attributes:
        chain: the best state.
        noise: that the residuals show.
        covariance: (F + 13, F + 13): free numbers, step of camera_from_mount, step of carrier_from_board, log scale.
        residuals: (R, 2) pixels, with the slack.
        starts: (V + 1,), where the points of each view begin.
    """

    chain: Chain
    noise: Noise
    covariance: Float
    residuals: Float
    starts: NDArray[np.int64]


def refine(
    problem: HandEyeProblem,
    lens: LensKind,
    camera: CameraIntrinsics,
    start: Chain,
    free: bool,
    inflation: float = 1.0,
    accuracy: Accuracy | None = None,
) -> Refined:
    """Return the chain that explains all pixels best.

    The pixels have errors, and so has each pose of the robot: six numbers a view with a normal prior, whose widths
    are found from the data by restricted maximum likelihood (Patterson and Thompson 1971; by expectation-maximisation,
    Laird and Ware 1982). Without them the errors of one view would be taken for many independent ones, and every
    interval would be far too narrow.

    Args:
        problem: views and poses.
        lens: which numbers of the camera are free.
        camera: to begin from, or the known one.
        start: to begin from.
        free: whether the lens is fitted as well.
        inflation: of the variance of pixels, because errors of neighbouring points are alike.
        accuracy: how far the robot is off at most; None to find that from the data alone.
    """
    count = len(problem.views)
    lens_size = len(lens.free) if free else 0
    size = camera.width_px, camera.height_px
    middle = problem.mount_from_carrier()
    seen = np.concatenate([view.pixels for view in problem.views])
    starts = np.cumsum([0, *(len(view.pixels) for view in problem.views)])
    fixed = lens_size + 13
    state, noise = start, Noise()
    solution: Solution[Chain] | None = None
    for _ in range(_ROUNDS):
        widths = np.tile([noise.position_m] * 3 + [noise.rotation_rad] * 3, count)
        pixel = noise.pixel_px * inflation**0.5

        def evaluate(now: Chain, pixel: float = pixel) -> tuple[Float, Float]:
            here = lens.camera(now.values, *size) if free else camera
            jacobian = np.zeros((len(seen), 2, fixed + 6 * count))
            residuals = np.empty((len(seen), 2))
            for k, view in enumerate(problem.views):
                rows = slice(starts[k], starts[k + 1])
                arms = np.exp(now.log_scale) * view.points_m @ now.carrier_from_board[:3, :3].T
                carried = arms + now.carrier_from_board[:3, 3]
                link = turned(middle[k], now.slack[k])
                mounted = carried @ link[:3, :3].T + link[:3, 3]
                turn = now.camera_from_mount[:3, :3]
                placed = mounted @ turn.T + now.camera_from_mount[:3, 3]
                pixels, of_point, of_numbers = project_with_jacobians(here, placed)
                residuals[rows] = pixels - seen[rows]
                if free:
                    jacobian[rows, :, :lens_size] = lens.jacobian(of_numbers)
                jacobian[rows, :, lens_size : lens_size + 6] = of_point @ of_step(placed)
                jacobian[rows, :, lens_size + 6 : fixed - 1] = of_point @ (turn @ link[:3, :3] @ of_step(carried))
                jacobian[rows, :, fixed - 1] = (of_point @ (turn @ link[:3, :3] @ arms[:, :, None]))[..., 0]
                jacobian[rows, :, fixed + 6 * k : fixed + 6 * k + 6] = of_point @ (turn @ of_step(mounted))
            return residuals / pixel, jacobian.reshape(2 * len(seen), -1) / pixel

        def prior(now: Chain, widths: Float = widths) -> tuple[Float, Float]:
            rows = np.diag(np.concatenate([np.zeros(fixed - 1), [1.0 / SCALE_STD], 1.0 / widths]))[fixed - 1 :]
            return np.concatenate([[now.log_scale / SCALE_STD], now.slack.ravel() / widths]), rows

        solution = solve(
            state, evaluate, lambda now, step: _moved(now, step, lens, lens_size), _HUBER / inflation**0.5, prior
        )
        state = solution.state
        before = noise
        noise = _noise(solution, noise, fixed, count, inflation)
        if accuracy is not None:
            noise = Noise(
                noise.pixel_px,
                min(noise.position_m, accuracy.position_m),
                min(noise.rotation_rad, accuracy.rotation_rad),
            )
        if abs(noise.pixel_px / before.pixel_px - 1) < 0.01 and abs(noise.position_m / before.position_m - 1) < 0.05:
            break
    assert solution is not None
    covariance = np.asarray(np.linalg.pinv(solution.information, hermitian=True), np.float64)[:fixed, :fixed]
    return Refined(state, noise, covariance, solution.residuals * pixel, starts)


def _moved(now: Chain, step: Float, lens: LensKind, lens_size: int) -> Chain:
    values = now.values
    if lens_size:
        values = now.values + step[:lens_size]
        if not (values[: 1 if lens.free[0] == "f_px" else 2] > 1.0).all():
            values = now.values
    return Chain(
        values,
        turned(now.camera_from_mount, step[lens_size : lens_size + 6]),
        turned(now.carrier_from_board, step[lens_size + 6 : lens_size + 12]),
        now.log_scale + float(step[lens_size + 12]),
        now.slack + step[lens_size + 13 :].reshape(-1, 6),
    )


def _noise(solution: Solution[Chain], noise: Noise, fixed: int, count: int, inflation: float) -> Noise:
    """Return the noise under which the residuals are most likely, near the present state."""
    each = np.repeat(solution.weights, 2)
    data = (solution.jacobian * each[:, None]).T @ solution.jacobian
    slack = solution.state.slack.ravel()
    position, rotation, pixel = noise.position_m, noise.rotation_rad, inflation**-0.5
    gradient = (
        data[fixed:, fixed:] @ slack - (solution.jacobian * each[:, None])[:, fixed:].T @ solution.residuals.ravel()
    )
    cross = data[:fixed, fixed:] @ slack - (solution.jacobian * each[:, None])[:, :fixed].T @ solution.residuals.ravel()
    target = np.concatenate([cross, gradient])
    squares = float((solution.weights * (solution.residuals**2).sum(axis=1)).sum())
    offset = np.concatenate([np.zeros(fixed), slack])
    scale = np.zeros(fixed)
    scale[-1] = SCALE_STD**-2
    own = np.zeros(len(target))
    own[fixed - 1] = -solution.state.log_scale * scale[-1]
    for _ in range(_VARIANCE_STEPS):
        now = np.tile([position] * 3 + [rotation] * 3, count)
        information = data / (inflation * pixel**2) + np.diag(np.concatenate([scale, 1.0 / now**2]))
        covariance = np.linalg.pinv(information, hermitian=True)
        mean = covariance @ (target / (inflation * pixel**2) + own)
        moments = (mean[fixed:] ** 2 + np.diag(covariance)[fixed:]).reshape(count, 6)
        position = max(float(np.sqrt(moments[:, :3].mean())), _SMALLEST_M)
        rotation = max(float(np.sqrt(moments[:, 3:].mean())), _SMALLEST_RAD)
        change = mean - offset
        # Residuals are linear near the state: r + J change.
        moved = squares + 2 * float(change @ ((solution.jacobian * each[:, None]).T @ solution.residuals.ravel()))
        moved += float(change @ data @ change) + float(np.einsum("ij,ji->", data, covariance))
        pixel = float(np.sqrt(max(moved, 1e-12) / (2 * solution.weights.sum())))
    return Noise(noise.pixel_px * inflation**0.5 * pixel, position, rotation)
