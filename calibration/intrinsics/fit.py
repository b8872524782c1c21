"""Fit a camera to views of a board (Zhang 2000), robust to bad views, with the covariance of every number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.boards.detect import BoardView
from calibration.camera import CameraIntrinsics
from calibration.errors import InputError
from calibration.intrinsics.lens_models import LENS_KINDS, LensKind, project_with_jacobians
from calibration.least_squares import Solution, of_step, solve, turned

Float = NDArray[np.float64]

# Views of a flat board: two give a pinhole, a third checks it.
FEWEST_VIEWS = 3
# Residuals of so many standard deviations count linearly.
_HUBER = 2.5
# A view is bad when its error is this many times that of the others, and more than so many pixels.
_BAD_RATIO, _BAD_PX = 3.0, 0.5
# At most this share of the views may be called bad.
_MOST_BAD = 0.4


@dataclass(frozen=True, eq=False)
class IntrinsicsFit:
    """A camera fitted to views.

    Attributes:
        camera: the best one.
        kind: which numbers were free.
        covariance: (F, F) of the free numbers, in the order of `kind.free`.
        views: that were used.
        poses: (V, 4, 4), camera_from_board of each.
        bad: (name, error in pixels) of views that were left out.
        residuals: of each view (N, 2), pixels.
        noise_px: standard deviation of a coordinate.
        degrees_of_freedom: of the fit.
    """

    camera: CameraIntrinsics
    kind: LensKind
    covariance: Float
    views: tuple[BoardView, ...]
    poses: Float
    bad: tuple[tuple[str, float], ...]
    residuals: tuple[Float, ...]
    noise_px: float
    degrees_of_freedom: int

    @property
    def rms_px(self) -> float:
        """Root mean square distance between seen and projected points."""
        return rms(np.concatenate(self.residuals))


def rms(residuals: Float) -> float:
    """Return the root mean square length of residuals (N, 2)."""
    return float(np.sqrt((residuals**2).sum(axis=1).mean()))


def fit_intrinsics(views: Sequence[BoardView], kind: LensKind | str) -> IntrinsicsFit:
    """Return the camera that explains the views best.

    Reprojection errors are made smallest over the camera and one pose for each view, by Levenberg-Marquardt with
    Huber's loss; views that fit much worse than the others are left out and named. The covariance is that of least
    squares with independent errors of the points, of the size that the residuals show.

    Raises:
        InputError: too few views, or views from which no camera follows.
    """
    kind = LENS_KINDS[kind] if isinstance(kind, str) else kind
    if len(views) < FEWEST_VIEWS:
        missing = FEWEST_VIEWS - len(views)
        raise InputError(
            f"a camera needs {FEWEST_VIEWS} views of a board or more, got {len(views)}; take {missing} more, each "
            "tilted another way"
        )
    camera = starting_camera(views, kind)
    kept = list(views)
    bad: list[tuple[str, float]] = []
    while True:
        camera, poses, noise, result = _fit(kept, camera, kind)
        errors = np.array([rms(r) for r in result.residuals])
        others = np.array([np.median(np.delete(errors, k)) for k in range(len(errors))])
        worst = int(np.argmax(errors / others))
        allowed = len(bad) + 1 <= _MOST_BAD * len(views) and len(kept) - 1 >= FEWEST_VIEWS
        if not allowed or errors[worst] < max(_BAD_RATIO * others[worst], _BAD_PX):
            break
        bad.append((kept[worst].name, float(errors[worst])))
        kept.pop(worst)
    if not np.isfinite(result.covariance).all() or (np.diag(result.covariance) <= 0).any():
        raise InputError(
            f"no camera follows from the {len(kept)} views: are all of them seen straight on? Tilt the board by 20 "
            "to 45 degrees, another way in each"
        )
    return IntrinsicsFit(
        camera, kind, result.covariance, tuple(kept), poses, tuple(bad), result.residuals, noise, result.freedom
    )


@dataclass(frozen=True, eq=False)
class _Result:
    residuals: tuple[Float, ...]
    covariance: Float
    freedom: int


def _fit(
    views: Sequence[BoardView], camera: CameraIntrinsics, kind: LensKind
) -> tuple[CameraIntrinsics, Float, float, _Result]:
    poses = np.array([pose_of_board(view, camera) for view in views])
    free, points = len(kind.free), [view.points_m for view in views]
    counts = [len(p) for p in points]
    stops = np.cumsum(counts)
    size = camera.width_px, camera.height_px
    total = int(stops[-1])
    seen = np.concatenate([view.pixels for view in views])
    # Steps of the camera's numbers are counted in their own size, so that one damping fits all.
    noise = 1.0

    def evaluate(state: tuple[Float, Float]) -> tuple[Float, Float]:
        values, now = state
        here = kind.camera(values, *size)
        jacobian = np.zeros((total, 2, free + 6 * len(views)))
        residuals = np.empty((total, 2))
        for k, (start, stop) in enumerate(zip(stops - counts, stops, strict=True)):
            placed = points[k] @ now[k, :3, :3].T + now[k, :3, 3]
            pixels, of_point, of_numbers = project_with_jacobians(here, placed)
            residuals[start:stop] = pixels - seen[start:stop]
            jacobian[start:stop, :, :free] = kind.jacobian(of_numbers)
            jacobian[start:stop, :, free + 6 * k : free + 6 * k + 6] = of_point @ of_step(placed)
        return residuals / noise, jacobian.reshape(2 * total, -1) / noise

    def moved(state: tuple[Float, Float], step: Float) -> tuple[Float, Float]:
        values = state[0] + step[:free]
        if not _can_be(values, kind):
            return state[0], state[1]
        return values, np.array([turned(p, step[free + 6 * k : free + 6 * k + 6]) for k, p in enumerate(state[1])])

    state = kind.values(camera), poses
    for _ in range(3):
        solution = solve(state, evaluate, moved, _HUBER)
        state = solution.state
        raw = solution.residuals * noise
        # Of a normal error in the plane, the median length is 1.177 standard deviations.
        robust = float(np.median(np.linalg.norm(raw, axis=1))) / 1.177
        freedom = 2 * total - free - 6 * len(views)
        robust *= np.sqrt(2 * total / max(freedom, 1))
        if abs(robust - noise) < 0.02 * noise:
            break
        noise = max(robust, 1e-6)
    inside = solution.weights >= 1.0
    each = raw[inside]
    spread = float(np.sqrt((each**2).sum() / max(2 * len(each) - free - 6 * len(views), 1)))
    # Cutting at Huber's bound takes tails away; of normal errors next to nothing.
    covariance = _inverse_information(solution)[:free, :free] * (spread / noise) ** 2
    split = tuple(raw[start:stop] for start, stop in zip(stops - counts, stops, strict=True))
    fitted = kind.camera(state[0], *size)
    return fitted, state[1], spread, _Result(split, covariance, freedom)


def _inverse_information(solution: Solution[tuple[Float, Float]]) -> Float:
    """Return the inverse of the information; NaN where it has none.

    By a QR decomposition of the derivatives: of a rational lens, whose numbers nearly cancel, the information itself
    has lost half of the digits.
    """
    each = np.repeat(np.sqrt(solution.weights), solution.residuals.shape[1])
    weighted = solution.jacobian * each[:, None]
    lengths = np.linalg.norm(weighted, axis=0)
    count = len(lengths)
    with np.errstate(all="ignore"):
        triangle = np.linalg.qr(weighted / lengths, mode="r") if (lengths > 0).all() else np.zeros((count, count))
        if np.abs(np.diag(triangle)).min() < 1e-12:
            return np.full((count, count), np.nan)
        inverse = np.linalg.inv(triangle) / lengths[:, None]
    return np.asarray(inverse @ inverse.T)


def _can_be(values: Float, kind: LensKind) -> bool:
    focal = values[: 1 if kind.free[0] == "f_px" else 2]
    return bool((focal > 1.0).all() and (focal < 1e6).all())


def starting_camera(views: Sequence[BoardView], kind: LensKind) -> CameraIntrinsics:
    """Return a first camera: Zhang's closed form for the focal length, the middle of the picture, no distortion."""
    width, height = views[0].size_px
    with np.errstate(all="ignore"):
        matrix = cv2.initCameraMatrix2D(
            [v.points_m.astype(np.float32) for v in views],
            [v.pixels.astype(np.float32) for v in views],
            (width, height),
        )
    focal = float(np.median([matrix[0, 0], matrix[1, 1]]))
    if not np.isfinite(focal) or not 0.2 * width < focal < 20 * width:
        focal = 1.0 * max(width, height)
    plain = CameraIntrinsics(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2)
    return kind.camera(kind.values(plain), width, height) if kind.model == "pinhole" else _as_fisheye(plain)


def _as_fisheye(camera: CameraIntrinsics) -> CameraIntrinsics:
    return CameraIntrinsics(
        camera.width_px, camera.height_px, camera.fx_px, camera.fy_px, camera.cx_px, camera.cy_px, model="fisheye"
    )


def pose_of_board(view: BoardView, camera: CameraIntrinsics) -> Float:
    """Return camera_from_board (4, 4) of one view: the better of the two poses of a plane (Collins & Bartoli 2014)."""
    rays = camera.unproject(view.pixels)
    fine = np.isfinite(rays).all(axis=1)
    points, seen = view.points_m[fine], rays[fine, :2]
    pose = np.eye(4)
    pose[2, 3] = 1.0
    if len(points) < 4:
        return pose
    centre = points.mean(axis=0)
    _, turns, shifts, _ = cv2.solvePnPGeneric(points - centre, seen[:, None], np.eye(3), None, flags=cv2.SOLVEPNP_IPPE)
    candidates = []
    for turn, shift in zip(turns, shifts, strict=True):
        candidate = np.eye(4)
        candidate[:3, :3] = cv2.Rodrigues(turn)[0]
        candidate[:3, 3] = shift.ravel() - candidate[:3, :3] @ centre
        placed = points @ candidate[:3, :3].T + candidate[:3, 3]
        if (placed[:, 2] > 0).all():
            candidates.append((float(np.square(placed[:, :2] / placed[:, 2:] - seen).sum()), candidate))
    return min(candidates, key=lambda c: c[0])[1] if candidates else pose
