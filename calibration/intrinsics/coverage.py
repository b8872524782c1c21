"""How much of a picture the views cover, and which view would tell most."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from calibration.boards.detect import BoardView
from calibration.intrinsics.fit import IntrinsicsFit
from calibration.intrinsics.lens_models import project_with_jacobians
from calibration.least_squares import of_step

Float = NDArray[np.float64]
_CELLS = (8, 6)
_TILTS_DEG = (0.0, -35.0, 35.0)
_PLACES = (-0.6, 0.0, 0.6)


def covered_share(views: Sequence[BoardView]) -> float:
    """Return the share of cells of the picture, of 8 x 6, in which a point was seen."""
    width, height = views[0].size_px
    pixels = np.concatenate([v.pixels for v in views])
    column = np.clip((pixels[:, 0] / width * _CELLS[0]).astype(int), 0, _CELLS[0] - 1)
    row = np.clip((pixels[:, 1] / height * _CELLS[1]).astype(int), 0, _CELLS[1] - 1)
    return len(set(zip(column.tolist(), row.tolist(), strict=True))) / (_CELLS[0] * _CELLS[1])


def next_view(fit: IntrinsicsFit) -> tuple[str, float]:
    """Return the view, in words, that would narrow the camera's intervals most, and the mean share by which it would.

    Of boards at nine places of the picture, flat or tilted, at the median distance: the one with the smallest mean of
    relative standard deviations after it (A-optimal design), its own pose being unknown.
    """
    centre = fit.views[0].points_m.mean(axis=0)
    points = max(fit.views, key=lambda v: len(v.ids)).points_m
    distance = float(np.median(fit.poses[:, 2, 3]))
    now = np.linalg.inv(fit.covariance)
    before = np.sqrt(np.diag(fit.covariance))
    best: tuple[float, str] = (0.0, "any other")
    camera = fit.camera
    for u, v, tilt_x, tilt_y in product(_PLACES, _PLACES, _TILTS_DEG, _TILTS_DEG):
        turn = Rotation.from_euler("xy", [tilt_x, tilt_y], degrees=True)
        ray = ((u * camera.width_px / 2) / camera.fx_px, (v * camera.height_px / 2) / camera.fy_px, 1.0)
        placed = turn.apply(points - centre) + distance * np.array(ray)
        if (placed[:, 2] < 0.1 * distance).any() or not camera.contains(camera.project(placed)).mean() > 0.9:
            continue
        _, of_point, of_numbers = project_with_jacobians(camera, placed)
        own = fit.kind.jacobian(of_numbers).reshape(2 * len(placed), -1) / fit.noise_px
        pose = (of_point @ of_step(placed)).reshape(2 * len(placed), 6) / fit.noise_px
        # What the unknown pose of the board takes away (Schur complement).
        told = own.T @ own - own.T @ pose @ np.linalg.pinv(pose.T @ pose) @ pose.T @ own
        after = np.sqrt(np.diag(np.linalg.inv(now + told)))
        gain = float(1.0 - (after / before).mean())
        if gain > best[0]:
            best = gain, _words(u, v, tilt_x, tilt_y)
    return best[1], best[0]


def _words(u: float, v: float, tilt_x: float, tilt_y: float) -> str:
    across = {-1: "left", 0: "", 1: "right"}[int(np.sign(u))]
    down = {-1: "upper", 0: "", 1: "lower"}[int(np.sign(v))]
    where = " ".join(w for w in (down, across) if w) or "middle"
    tilts = []
    if tilt_x:
        tilts.append(f"{'upper' if tilt_x > 0 else 'lower'} edge towards the camera by 35 degrees")
    if tilt_y:
        tilts.append(f"{'right' if tilt_y > 0 else 'left'} edge towards the camera by 35 degrees")
    return f"the board in the {where} of the picture, " + (" and ".join(tilts) or "seen straight on")
