"""What hand-eye calibration says: estimates with intervals, and findings in words."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from calibration.calibration_record import CalibrationRecord, Finding, rows_of
from calibration.estimate import Estimate
from calibration.hand_eye.fit import FEWEST_VIEWS, HandEyeFit
from calibration.hand_eye.problem import HandEyeProblem

Float = NDArray[np.float64]

POSE_NAMES = ("shift_x_m", "shift_y_m", "shift_z_m", "tilt_x_rad", "tilt_y_rad", "tilt_z_rad")
_METHOD = "reprojection error over camera, board and lens, robot poses with errors; 95 % from the curvature"
# Turns that tell a camera's pose: about two axes by more than this.
_LITTLE_RAD = np.deg2rad(10.0)
# Poses nearer than this are the same.
_SAME_M, _SAME_RAD = 1e-4, 1e-4
_OFF_SCALE = 0.005


def hand_eye_record(
    fit: HandEyeFit, given: HandEyeProblem, source: str, held_out_px: float | None = None
) -> CalibrationRecord:
    """Return the record of a fit.

    `camera.x_m` to `camera.qw` are the pose of the camera on its mount; the intervals are those of `camera.shift_x_m`
    to `camera.tilt_z_rad`, a shift along and a turn about the camera's own axes, which are 0 at the best pose.

    Args:
        fit: the result.
        given: the problem, with the views that the fit left out.
        source: where the photographs are.
        held_out_px: how well views are predicted that were not used.
    """
    size = 0 if fit.lens is None else len(fit.lens.free)
    stds = np.sqrt(np.diag(fit.covariance))
    count = len(fit.problem.views)
    names = [f"camera.{name}" for name in POSE_NAMES]
    units = ["m"] * 3 + ["rad"] * 3
    values = np.zeros(6)
    estimates: dict[str, Estimate] = {}
    lens_names: list[str] = []
    if fit.lens is not None:
        lens_names = [f"camera.{name}" for name in fit.lens.free]
        for k, (name, value) in enumerate(zip(lens_names, fit.lens.values(fit.camera).tolist(), strict=True)):
            unit = "px" if name.endswith("_px") else "1"
            estimates[name] = Estimate.of_normal(value, stds[k], count, unit, _METHOD, widening=fit.widening)
    for k, (name, unit) in enumerate(zip(names, units, strict=True)):
        estimates[name] = Estimate.of_normal(
            float(values[k]), stds[size + k], count, unit, _METHOD, widening=fit.widening
        )
    estimates["board.scale"] = Estimate.of_normal(
        fit.board_scale, stds[-1] * fit.board_scale, count, "1", _METHOD, widening=fit.widening
    )
    quality = {f"camera.{axis}_m": v for axis, v in zip("xyz", fit.mount_from_camera.position_m, strict=True)}
    quality |= {f"camera.q{axis}": v for axis, v in zip("xyzw", fit.mount_from_camera.quat_xyzw, strict=True)}
    quality |= {
        "chain_px": float(np.sqrt((fit.chain_px**2).mean())),
        "noise_px": fit.noise.pixel_px,
        "robot_position_std_m": fit.noise.position_m,
        "robot_rotation_std_rad": fit.noise.rotation_rad,
    }
    if held_out_px is not None:
        quality["held_out_px"] = held_out_px
    order = [*lens_names, *names]
    covariance = fit.covariance[: size + 6, : size + 6] * fit.widening**2
    return CalibrationRecord(
        "hand_eye", source, count, estimates, tuple(order), rows_of(covariance), quality, findings(fit, given)
    )


def findings(fit: HandEyeFit, given: HandEyeProblem) -> tuple[Finding, ...]:
    """Return what a person should know of a fit."""
    found = [*excitation(fit.problem), *repeated(given)]
    for name, error in fit.bad:
        found.append(
            Finding(
                "warning",
                f"{name} contradicts the other views: its points are {error:.0f} px from where the robot's "
                "pose puts them, and it was left out",
                "did the robot move, or is it another frame's pose?",
            )
        )
    low = fit.board_scale - 1.96 * fit.widening * float(np.sqrt(fit.covariance[-1, -1]))
    high = fit.board_scale + 1.96 * fit.widening * float(np.sqrt(fit.covariance[-1, -1]))
    if abs(fit.board_scale - 1.0) > _OFF_SCALE and not low <= 1.0 <= high:
        found.append(
            Finding(
                "warning",
                f"the board is {100 * fit.board_scale:.1f} % [{100 * low:.1f}, {100 * high:.1f}] of its declared "
                "size, by the way the robot went",
                "measure it with a ruler and correct spacing_m; printers scale pages",
            )
        )
    return tuple(found)


def excitation(problem: HandEyeProblem) -> list[Finding]:
    """Return what the robot's turns cannot tell: turns about one axis leave the camera's place along it open.

    Tsai and Lenz 1989: two turns about different axes are needed.
    """
    turns = Rotation.from_matrix(problem.base_from_flange[:, :3, :3])
    middle = turns.mean()
    away = (middle.inv() * turns).as_rotvec()
    axes = np.linalg.svd(away - away.mean(axis=0))
    spread = axes[1] / np.sqrt(max(len(away) - 1, 1)) * 2.0
    if spread[0] < _LITTLE_RAD:
        return [
            Finding(
                "fault",
                f"the robot turned by about {np.rad2deg(spread[0]):.1f} degrees only, so that the camera's "
                "pose on it stays open",
                f"turn the flange by 20 degrees or more, about two different axes, over {FEWEST_VIEWS} views or more",
            )
        ]
    if spread[1] < _LITTLE_RAD:
        axis = ", ".join(f"{v:+.2f}" for v in axes[2][0])
        return [
            Finding(
                "fault",
                f"the robot turned about one axis only, ({axis}) in the flange, by about {np.rad2deg(spread[0]):.0f} "
                f"degrees, and by {np.rad2deg(spread[1]):.1f} about any other, so that the camera's place along it "
                "stays open",
                "add views that turn the flange about another axis by 20 degrees or more",
            )
        ]
    return []


def repeated(problem: HandEyeProblem) -> list[Finding]:
    """Return views with the same pose of the robot and another picture."""
    found = []
    poses = problem.base_from_flange
    for k in range(len(poses)):
        for other in range(k):
            apart = np.linalg.inv(poses[other]) @ poses[k]
            turn = float(np.linalg.norm(Rotation.from_matrix(apart[:3, :3]).as_rotvec()))
            if np.linalg.norm(apart[:3, 3]) > _SAME_M or turn > _SAME_RAD:
                continue
            one, two = problem.views[other], problem.views[k]
            common, a, b = np.intersect1d(one.ids, two.ids, return_indices=True)
            moved = float(np.median(np.linalg.norm(one.pixels[a] - two.pixels[b], axis=1))) if len(common) else np.inf
            if moved > 2.0:
                found.append(
                    Finding(
                        "warning",
                        f"{two.name} has the same pose of the robot as {one.name}, and its board is "
                        f"{moved:.0f} px away",
                        "one of the two poses was written down twice: remove that frame",
                    )
                )
    return found
