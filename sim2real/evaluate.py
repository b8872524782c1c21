"""Score a model on real photographs that it never saw."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import json
import logging
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from calibration.errors import InputError
from calibration.records import write_json, write_text
from calibration.rig import Rig
from policies.averaging import VIEWS
from policies.checkpoint import load_checkpoint
from policies.device import pick_device
from policies.perception import PerceptionModel
from sim2real.adaptation.guards.reliability import Judged, judge, load_reliability
from sim2real.cameras import aligned_camera
from sim2real.configs import EvaluateConfig
from sim2real.gap.measured import frame_protocol
from sim2real.gap.protocol import Protocol
from sim2real.labelled_photographs import report_data
from sim2real.pretrain import prepare_torch
from sim2real.realdata import RealFrame, load_real, stack_pictures
from sim2real.runs import system_info
from sim2real.scoring import FrameScore, score_frames
from sim2real.statistics import describe

logger = logging.getLogger(__name__)

SUMMARY_FORMAT = "sim2real.evaluation"


def evaluate(config: EvaluateConfig) -> dict[str, object]:
    """Score the model, write summary (JSON) and predictions (CSV beside it), and return the summary.

    Frames that the model was allowed to be fitted on are left out and counted.

    Raises:
        InputError: bad model, data or output files; nothing is written then.
    """
    table = config.json.with_suffix(".csv")
    for path in (config.json, table):
        if path.exists() and not config.overwrite:
            raise InputError(f"result file must be new, {path} exists; add --overwrite or choose another --json")
    if config.views < 1:
        raise InputError(f"views must be 1 or more, got {config.views}")
    if not 0.0 < config.level < 1.0:
        raise InputError(f"level must lie between 0 and 1, such as 0.9, got {config.level:g}")
    if config.json.suffix != ".json":
        raise InputError(f"--json must name a .json file, got {config.json}")
    device = pick_device(config.device)
    prepare_torch(0, 0)
    model, card = load_checkpoint(config.model, device)
    rig = card.rig
    data = load_real(config.real, rig)
    report_data(data)
    view, source = card.camera, card.camera_source
    if config.align:
        view, source = aligned_camera(rig, data.unlabelled).view, "aligned on unlabelled photographs"
    fitted = fitted_hashes(config.model)
    frames = [f for f in data.frames if f.sha256 not in fitted]
    used = [(f.file, "on the fitting side of the model's split") for f in data.frames if f.sha256 in fitted]
    if not frames:
        raise InputError(f"no frame of {config.real} is left to score: {len(used)} fitted, {len(data.faulty)} faulty")
    scores = score_frames(model, rig, view, frames, device, config.views)
    judged = _judge(config, model, frames, device)
    summary: dict[str, object] = {
        "format": SUMMARY_FORMAT,
        "version": 1,
        "protocol": _protocol(rig, frames).to_plain(),
        "display_unit": rig.label.display_unit,
        "model": str(config.model),
        "rig": rig.name,
        "real": str(config.real),
        "quantity": rig.label.name,
        "components": list(rig.label.components),
        "columns": list(rig.label.columns),
        "camera": source,
        "views": config.views,
        "selection": card.selection,
        **describe([s.error for s in scores], "m"),
        "by_visibility": by_visibility(scores),
        "joint_errors": joint_errors(rig, scores),
        "reliability": None if judged is None else judged.summary([s.file for s in scores], [s.error for s in scores]),
        "left_out": [list(item) for item in (*data.left_out, *used)],
        "faulty": [list(item) for item in data.faulty],
        "predictions": str(table),
        "system": system_info(),
    }
    try:
        config.json.parent.mkdir(parents=True, exist_ok=True)
        write_text(table, predictions_csv(rig, scores, judged))
        write_json(config.json, summary)
    except OSError as error:
        raise InputError(f"cannot write {config.json}: {error.strerror}") from None
    return summary


def _judge(
    config: EvaluateConfig, model: PerceptionModel, frames: Sequence[RealFrame], device: torch.device
) -> Judged | None:
    """Return how far to trust the model on each frame; None for a model that was not fine-tuned."""
    reliability = load_reliability(config.model)
    if reliability is None:
        return None
    judged = judge(reliability, model, stack_pictures(frames), config.level, device)
    if config.align or config.views != VIEWS:
        note = f"no radius: it was calibrated with the model's own camera and {VIEWS} views"
        judged = dataclasses.replace(judged, radius_m=None, note=note)
    if judged.radius_m is None:
        logger.warning("%s", judged.note)
    return judged


def _protocol(rig: Rig, frames: Sequence[RealFrame]) -> Protocol:
    contents = hashlib.sha256("".join(f.sha256 for f in frames).encode()).hexdigest()
    files = tuple(f.file for f in frames)
    return frame_protocol("real photographs", rig.label.name, "frames that the model never saw", files, contents)


def predictions_csv(rig: Rig, scores: Sequence[FrameScore], judged: Judged | None = None) -> str:
    """Return one line a frame: file, truth, prediction, error, pixels, confidence, visibility, and how far to trust it.

    The columns of the radius, novelty and abstention are empty for a model that was not fine-tuned.
    """
    columns = rig.label.columns
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    header = ["file", *(f"true_{c}" for c in columns), *(f"predicted_{c}" for c in columns), "error_m"]
    writer.writerow([*header, "true_u_px", "true_v_px", "predicted_u_px", "predicted_v_px", "confidence", "visible",
                     "radius_m", "novelty", "abstained"])  # fmt: skip
    for k, s in enumerate(scores):
        pixels = [*(s.truth_px or ("", "")), *(s.prediction_px or ("", ""))]
        confidence = "" if s.confidence is None else s.confidence
        writer.writerow([s.file, *s.truth, *s.prediction, s.error, *pixels, confidence, s.visible, *_trust(judged, k)])
    return text.getvalue()


def _trust(judged: Judged | None, frame: int) -> tuple[object, object, object]:
    if judged is None:
        return "", "", ""
    radius = "" if judged.radius_m is None else judged.radius_m
    return radius, float(judged.novelty[frame]), "yes" if judged.abstained[frame] else "no"


def by_visibility(scores: Sequence[FrameScore]) -> dict[str, object]:
    """Return the mean error and count of fully visible and of clipped targets apart."""
    values = sorted({s.visible for s in scores})
    groups = {v: [s.error for s in scores if s.visible == v] for v in values}
    return {v: {"mean": float(np.mean(errors)), "frames": len(errors)} for v, errors in groups.items()}


def joint_errors(rig: Rig, scores: Sequence[FrameScore]) -> dict[str, object]:
    """Return the mean absolute error of each joint: degrees, or metres for a prismatic one."""
    found: dict[str, object] = {}
    for joint in rig.joints:
        errors = [s.joint_errors[joint.name] for s in scores if joint.name in s.joint_errors]
        if errors:
            turning = joint.type == "revolute"
            value = float(np.mean(errors))
            found[joint.name] = {
                "mean": math.degrees(value) if turning else value,
                "unit": "deg" if turning else "m",
            }
    return found


def fitted_hashes(model: Path) -> set[str]:
    """Return the contents of the photographs that a run was allowed to be fitted on."""
    path = model / "split.json"
    if not path.is_file():
        return set()
    return set(json.loads(path.read_text(encoding="utf-8"))["train_sha256"])
