"""Predict labels for real frames and compare them with the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from calibration.lifting import label_values, lift, lift_joints
from calibration.rig import Rig
from calibration.view import CameraView
from policies.averaging import VIEWS, predict_over_views
from policies.perception import PerceptionModel
from sim2real.realdata import RealFrame, stack_pictures


@dataclass(frozen=True)
class FrameScore:
    """One frame's prediction and truth.

    Attributes:
        file: of the photograph.
        truth: scored label components, in the unit of the rig's label.
        prediction: the same, predicted.
        error: Euclidean distance of the two.
        truth_px: first keypoint in the photograph, by labels and camera; None when it cannot be projected.
        prediction_px: first keypoint in the photograph, by the model; None from a regression head.
        confidence: of the least certain keypoint, 0 to 1; None from a regression head.
        visible: as in labels.csv.
        joint_errors: by joint, in radians or metres, when the rig's joints are measured.
    """

    file: str
    truth: tuple[float, ...]
    prediction: tuple[float, ...]
    error: float
    truth_px: tuple[float, float] | None
    prediction_px: tuple[float, float] | None
    confidence: float | None
    visible: str
    joint_errors: dict[str, float]


def score_frames(
    model: PerceptionModel,
    rig: Rig,
    view: CameraView,
    frames: Sequence[RealFrame],
    device: torch.device,
    views: int = VIEWS,
) -> list[FrameScore]:
    """Return the score of each frame.

    Args:
        model: to be scored.
        rig: the station.
        view: the camera at the size of the photographs.
        frames: labelled; their labels are compared with the predictions only.
        device: where the model is.
        views: over how many small views of each photograph keypoints are averaged.
    """
    if not frames:
        return []
    prediction = predict_over_views(model, stack_pictures(frames), device, views)
    small = view.resized(*rig.input_size_px)
    scores = []
    for k, frame in enumerate(frames):
        truth_small = small.project(frame.keypoints_world)[0]
        joint_errors: dict[str, float] = {}
        pixel_small = confidence = None
        if prediction.keypoints_px is not None and prediction.confidence is not None:
            pixels = prediction.keypoints_px[k]
            point = lift(rig, small, pixels)
            pixel_small, confidence = pixels[0], float(prediction.confidence[k].min())
            if frame.joints is not None:
                found = lift_joints(rig, small, pixels)
                joint_errors = {name: abs(found[name] - frame.joints[name]) for name in frame.joints}
        else:
            assert prediction.points_m is not None
            point = prediction.points_m[k]
        truth, predicted = label_values(rig, frame.point_m), label_values(rig, point)
        scores.append(
            FrameScore(
                frame.file,
                tuple(float(v) for v in truth),
                tuple(float(v) for v in predicted),
                float(np.linalg.norm(truth - predicted)),
                _to_photograph(truth_small, rig),
                _to_photograph(pixel_small, rig),
                confidence,
                frame.visible,
                joint_errors,
            )
        )
    return scores


def _to_photograph(pixel: NDArray[np.float64] | None, rig: Rig) -> tuple[float, float] | None:
    """Return a pixel of the model's input as a pixel of the photograph."""
    if pixel is None or not np.isfinite(pixel).all():
        return None
    sx = rig.camera.image_size_px[0] / rig.input_size_px[0]
    sy = rig.camera.image_size_px[1] / rig.input_size_px[1]
    return float((pixel[0] + 0.5) * sx - 0.5), float((pixel[1] + 0.5) * sy - 0.5)
