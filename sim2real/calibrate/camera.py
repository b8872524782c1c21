"""`sim2real calibrate camera`: the rig's camera, refined on labelled photographs."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.calibration_record import CalibrationRecord, Finding, rows_of
from calibration.errors import InputError
from calibration.estimate import Estimate
from calibration.extrinsics import CameraFit, CameraPrior, fit_camera
from calibration.hand_eye.record import POSE_NAMES
from calibration.rig import Rig
from calibration.rig_file import load_rig
from calibration.view import CameraView
from sim2real.calibrate.configs import CameraConfig
from sim2real.calibrate.inputs import new_folder
from sim2real.calibrate.page import Shown, write_calibration
from sim2real.calibrate.plots import scatter
from sim2real.calibrate.seen_points import seen_points
from sim2real.images import read_image
from sim2real.realdata import RealFrame, load_real
from sim2real.splits import split_frames

Float = NDArray[np.float64]

_METHOD = "points with known places onto their pixels, given the rig's prior (Huber's loss); 95 % from the curvature"
_FEWEST = 4
_SEEN_STD_PX = 2.0
_MOST_PICTURES = 6


@dataclass(frozen=True, eq=False)
class _Seen:
    frames: tuple[RealFrame, ...]
    points: Float
    pixels: Float


def run(config: CameraConfig) -> tuple[str, int]:
    """Refine the camera; return one line and the exit status.

    Raises:
        InputError: too few photographs in which the object is seen, or bad photographs.
    """
    rig = load_rig(config.rig)
    data = load_real(config.real, rig)
    view = CameraView.of(rig)
    split = split_frames(rig, data.frames)
    fitting = [f for f in data.frames if (f.group in config.groups if config.groups else f.file in split.train)]
    scoring = [f for f in data.frames if f not in fitting]
    out = new_folder(config.out)
    pictures = dict(zip([f.file for f in data.frames], [_full(config, rig, f) for f in data.frames], strict=True))
    fit = None
    # The first fit tells better which blob is which.
    for _ in range(2):
        at = view if fit is None else fit.view
        seen = _see(config, rig, at, fitting, pictures)
        if len(seen.points) < _FEWEST:
            raise InputError(
                f"refining a camera needs {_FEWEST} points or more, got {len(seen.points)} in {len(fitting)} "
                "photographs; is the object in them, and in front of a background that does not move?"
            )
        fit = _fit(rig, view, seen)
    assert fit is not None
    record = _record(config, rig, view, fit, seen, _see(config, rig, fit.view, scoring, pictures))
    residuals = fit.view.project(seen.points) - seen.pixels
    plots = [scatter(residuals, "scatter", "Labels through the refined camera, less where the object was seen.")]
    shown = [
        _drawn(f, pictures[f.file], view, fit.view, seen)
        for f in fitting[:: max(1, -(-len(fitting) // _MOST_PICTURES))]
    ]
    return write_calibration(out, f"Camera of {rig.name}", record, plots, shown), 0


def _full(config: CameraConfig, rig: Rig, frame: RealFrame) -> NDArray[np.uint8]:
    picture = read_image(config.real / frame.file)[0]
    width, height = rig.camera.image_size_px
    if picture.shape[:2] != (height, width):
        picture = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    return picture


def _see(
    config: CameraConfig, rig: Rig, view: CameraView, frames: list[RealFrame], pictures: dict[str, NDArray[np.uint8]]
) -> _Seen:
    if not frames:
        return _Seen((), np.zeros((0, 3)), np.zeros((0, 2)))
    if config.model is not None:
        from sim2real.calibrate.model_points import model_points

        pixels = model_points(config.model, rig, frames)
    else:
        pixels = seen_points(rig, view, frames, pictures)
    points = np.array([f.keypoints_world for f in frames])
    fine = np.isfinite(pixels).all(axis=2)
    fine &= np.array([f.visible == "full" for f in frames])[:, None]
    owners = np.repeat(np.arange(len(frames)), fine.shape[1]).reshape(fine.shape)[fine]
    return _Seen(tuple(frames[k] for k in owners.tolist()), points[fine], pixels[fine])


def _fit(rig: Rig, view: CameraView, seen: _Seen) -> CameraFit:
    prior = CameraPrior(rig.camera.position_std_m, rig.camera.rotation_std_rad, rig.camera.focal_std)
    depth = view.world_from_camera.inverse().apply(seen.points)[:, 2]
    label_px = rig.label.std_m * view.intrinsics.fx_px / np.maximum(depth, 1e-3)
    std = np.sqrt(_SEEN_STD_PX**2 + label_px**2)
    fit = fit_camera(view, prior, seen.points, seen.pixels, std)
    # What was assumed of the labels' errors is corrected by what is seen of them, towards wider intervals only.
    size = np.linalg.norm(fit.view.project(seen.points) - seen.pixels, axis=1) / std
    ratio = float(np.median(size)) / 1.177
    return fit if ratio <= 1.0 else fit_camera(view, prior, seen.points, seen.pixels, std * ratio)


def _record(
    config: CameraConfig, rig: Rig, before: CameraView, fit: CameraFit, seen: _Seen, held_out: _Seen
) -> CalibrationRecord:
    names = tuple(f"camera.{n}" for n in (*POSE_NAMES, "focal_scale"))
    units = ("m",) * 3 + ("rad",) * 3 + ("1",)
    stds = np.sqrt(np.diag(fit.covariance))
    estimates = {
        name: Estimate.of_normal(0.0 if unit != "1" else 1.0, float(std), len(seen.points), unit, _METHOD)
        for name, unit, std in zip(names, units, stds, strict=True)
    }
    pose, lens = fit.view.world_from_camera, fit.view.intrinsics
    quality = {f"camera.{axis}_m": v for axis, v in zip("xyz", pose.position_m, strict=True)}
    quality |= {f"camera.q{axis}": v for axis, v in zip("xyzw", pose.quat_xyzw, strict=True)}
    quality |= {"width_px": float(lens.width_px), "height_px": float(lens.height_px), "focal_px": lens.fx_px}
    moved = float(np.linalg.norm(np.subtract(pose.position_m, before.world_from_camera.position_m)))
    quality |= {
        "moved_m": moved,
        "fitted_px": _mean_px(fit.view, seen),
        "fitted_median_px": _median_px(fit.view, seen),
        "fitted_before_px": _mean_px(before, seen),
    }
    if len(held_out.points):
        quality |= {
            "held_out_px": _mean_px(fit.view, held_out),
            "held_out_median_px": _median_px(fit.view, held_out),
            "held_out_before_px": _mean_px(before, held_out),
        }
    findings = []
    change = np.array([*fit.change.shift_m, *fit.change.tilt_rad])
    prior = np.array([rig.camera.position_std_m] * 3 + [rig.camera.rotation_std_rad] * 3)
    if (np.abs(change) > 3 * prior).any():
        findings.append(
            Finding(
                "warning",
                f"the camera is {moved * 100:.1f} cm and {np.rad2deg(np.linalg.norm(change[3:])):.1f} degrees from "
                "where the rig's file has it, more than three times its uncertainty",
                "check the file, and whether labels are in metres and in the label's frame",
            )
        )
    files, covariance = len({f.file for f in seen.frames}), rows_of(fit.covariance)
    return CalibrationRecord("camera", str(config.real), files, estimates, names, covariance, quality, tuple(findings))


def _mean_px(view: CameraView, seen: _Seen) -> float:
    return float(np.linalg.norm(view.project(seen.points) - seen.pixels, axis=1).mean())


def _median_px(view: CameraView, seen: _Seen) -> float:
    return float(np.median(np.linalg.norm(view.project(seen.points) - seen.pixels, axis=1)))


def _drawn(frame: RealFrame, picture: NDArray[np.uint8], before: CameraView, after: CameraView, seen: _Seen) -> Shown:
    picture = picture.copy()
    for view, colour, kind in (
        (before, (0, 104, 168), cv2.MARKER_TILTED_CROSS),
        (after, (215, 0, 140), cv2.MARKER_CROSS),
    ):
        for x, y in view.project(frame.keypoints_world):
            cv2.drawMarker(picture, (round(float(x)), round(float(y))), colour, kind, 18, 2)
    for owner, (x, y) in zip(seen.frames, seen.pixels, strict=True):
        if owner is frame:
            cv2.circle(picture, (round(float(x)), round(float(y))), 9, (0, 190, 90), 2, cv2.LINE_AA)
    return Shown(
        picture,
        f"{frame.file}: seen (green circle), the label by the rig's camera (blue) and by the refined one (magenta)",
    )
