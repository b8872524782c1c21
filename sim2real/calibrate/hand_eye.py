"""`sim2real calibrate hand-eye`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibration.boards.detect import Detection
from calibration.calibration_record import CalibrationRecord, Finding
from calibration.camera import CameraIntrinsics
from calibration.errors import InputError
from calibration.hand_eye.choice import LENSES, choose, held_out
from calibration.hand_eye.conventions import check_conventions
from calibration.hand_eye.fit import HandEyeFit, fit_hand_eye
from calibration.hand_eye.problem import HandEyeProblem
from calibration.hand_eye.record import hand_eye_record
from calibration.hand_eye.refine import Accuracy
from calibration.intrinsics.fit import fit_intrinsics
from calibration.intrinsics.lens_models import LENS_KINDS
from calibration.records import read_record
from sim2real.calibrate.configs import HandEyeConfig
from sim2real.calibrate.inputs import new_folder, read_poses
from sim2real.calibrate.page import write_calibration
from sim2real.calibrate.plots import bars, scatter
from sim2real.calibrate.views import Pictures, drawn, find_board, rejected

Float = NDArray[np.float64]


def run(config: HandEyeConfig) -> tuple[str, int]:
    """Find the camera; return one line and the exit status, 3 when the record must not be used.

    Raises:
        InputError: poses that are missing or in another convention, too few views, or no board.
    """
    if config.lens != "auto" and config.lens not in LENSES:
        raise InputError(f"--lens must be auto or one of {', '.join(LENSES)}, got '{config.lens}'")
    poses = read_poses(config.real)
    camera = None if config.intrinsics is None else lens_of(config.intrinsics)
    detection, pictures = find_board(config.board, config.real)
    problem = _problem(config, detection, poses)
    out = new_folder(config.out)
    first = camera or fit_intrinsics(problem.views, LENSES[0]).camera
    check_conventions(problem, first)
    accuracy = None if config.robot_accuracy is None else Accuracy(*config.robot_accuracy)
    tried: dict[str, float] = {}
    if camera is None and config.lens == "auto":
        choice = choose(problem, LENSES, accuracy)
        fit, tried = choice.fit, choice.held_out_px
        held = tried[fit.lens.name] if fit.lens else None
    else:
        lens = LENSES[1] if config.lens == "auto" else config.lens
        fit = fit_hand_eye(problem, camera, lens, accuracy)
        held = held_out(problem, lens, accuracy) if camera is None else None
    record = hand_eye_record(fit, problem, str(config.real), held)
    width, height = problem.views[0].size_px
    extra = {"width_px": float(width), "height_px": float(height), "camera.on_wrist": float(config.setup == "wrist")}
    record = replace(
        record,
        quality=record.quality | extra,
        findings=(*record.findings, *_ambiguous(detection), *rejected(detection)),
    )
    return _write(out, config, fit, record, tried, pictures), 0 if record.is_usable else 3


def _problem(config: HandEyeConfig, detection: Detection, poses: dict[str, Float]) -> HandEyeProblem:
    for view in detection.views:
        if view.name not in poses:
            raise InputError(
                f"{config.real / 'poses.csv'} needs a row for {view.name}, found {', '.join(list(poses)[:4])} ..."
            )
    return HandEyeProblem(config.setup, detection.views, np.array([poses[v.name] for v in detection.views]))


def _ambiguous(detection: Detection) -> list[Finding]:
    if detection.board.has_one_orientation:
        return []
    return [
        Finding(
            "warning",
            f"the {detection.board} looks the same from several sides, so that a view may be turned",
            "use a charuco board, or a chessboard with an even number of corners one way and an odd one the other",
        )
    ]


def lens_of(path: Path) -> CameraIntrinsics:
    """Return the camera of a record of a lens."""
    record = read_record(path / "record.json" if path.is_dir() else path, CalibrationRecord)
    values = {n.removeprefix("camera."): e.value for n, e in record.estimates.items()}
    if record.kind != "intrinsics":
        raise InputError(f"{path} must be a record of a lens, got one of kind '{record.kind}'")
    kinds = [k for k in LENS_KINDS.values() if set(k.free) == set(values)]
    size = round(record.quality["width_px"]), round(record.quality["height_px"])
    return kinds[0].camera(np.array([values[n] for n in kinds[0].free]), *size)


def _write(
    out: Path,
    config: HandEyeConfig,
    fit: HandEyeFit,
    record: CalibrationRecord,
    tried: dict[str, float],
    pictures: Pictures,
) -> str:
    predicted = [
        fit.predict(pose, view.points_m)
        for pose, view in zip(fit.problem.base_from_flange, fit.problem.views, strict=True)
    ]
    residuals = np.concatenate([p - v.pixels for p, v in zip(predicted, fit.problem.views, strict=True)])
    names = [*fit.problem.names, *(n for n, _ in fit.bad)]
    left_out = [n for n, _ in fit.bad]
    plots = [
        scatter(residuals, "scatter", "Residuals of all points, predicted through the robot's poses."),
        bars(names, [*fit.chain_px.tolist(), *(e for _, e in fit.bad)], left_out, "root mean square error, px", "views",
             "Error of each view through the robot's poses; orange: left out."),
    ]  # fmt: skip
    table = ("Lens models", ("model", "error of held-out views, px"), [(k, f"{v:.3f}") for k, v in tried.items()])
    where = "on the flange" if config.setup == "wrist" else "in the robot's base"
    return write_calibration(
        out, f"Camera {where}", record, plots, drawn(fit.problem.views, predicted, pictures), [table]
    )
