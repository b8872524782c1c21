"""Whether labelled frames can be learned from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from calibration.extrinsics import CameraPrior
from calibration.rig import Rig
from calibration.view import CameraView
from policies.perception import Prediction
from sim2real.adaptation.guards.checks.doubt import Doubt
from sim2real.adaptation.guards.checks.mislabelled import check_mislabelled, label_residuals, sure_frames
from sim2real.adaptation.guards.checks.repeats import check_repeats
from sim2real.adaptation.guards.checks.station import check_station_of, flat_pictures
from sim2real.adaptation.guards.checks.units import check_units
from sim2real.adaptation.guards.views import view_disagreement
from sim2real.cameras import ALIGNED_PRIOR
from sim2real.images import resize
from sim2real.realdata import RealFrame, stack_pictures

Picture = NDArray[np.uint8]
Array = NDArray[np.float64]

# The background must be that of one place: as many pictures are needed for a median to be free of what moves in them.
_FEWEST_FOR_BACKGROUND = 5


class Predictor(Protocol):
    """What is asked of a model, such as `policies.perception.PerceptionModel`."""

    def predict(self, pictures: NDArray[np.uint8], device: torch.device) -> Prediction:
        """Return predictions for pictures uint8 (N, H, W, 3)."""
        ...


def check_labelled(
    rig: Rig,
    view: CameraView,
    frames: Sequence[RealFrame],
    model: Predictor | None,
    device: torch.device,
    others: Sequence[Picture] | None = None,
    view_is_aligned: bool = False,
) -> list[Doubt]:
    """Return what looks wrong with labelled frames that are about to be learned from; an empty list when nothing does.

    Args:
        rig: the station.
        view: the camera known before, at the size of the photographs.
        frames: those to learn from. Give no frame on which results are reported.
        model: trained in simulation; None leaves out what needs its keypoints.
        device: where the model is.
        others: pictures of the same station without labels, of any size; they may hold those of `frames`.
        view_is_aligned: whether `view` was aligned on photographs, or is the rig's own.
    """
    if not frames:
        return []
    seen: Array | None = None
    confidence: Array | None = None
    disagreement: Array | None = None
    if model is not None:
        pictures = stack_pictures(frames)
        prediction = model.predict(pictures, device)
        seen, confidence = prediction.keypoints_px, prediction.confidence
        if seen is not None:
            disagreement = view_disagreement(lambda p: _keypoints(model, p, device), pictures)
    return check_labels(rig, view, frames, seen, confidence, disagreement, others, view_is_aligned)


def _keypoints(model: Predictor, pictures: Picture, device: torch.device) -> Array:
    found = model.predict(pictures, device).keypoints_px
    assert found is not None
    return found


def check_labels(
    rig: Rig,
    view: CameraView,
    frames: Sequence[RealFrame],
    keypoints_px: Array | None = None,
    confidence: Array | None = None,
    disagreement_px: Array | None = None,
    others: Sequence[Picture] | None = None,
    view_is_aligned: bool = False,
) -> list[Doubt]:
    """Return what `check_labelled` does, from a model's output.

    Args:
        rig: the station.
        view: as in `check_labelled`.
        frames: N of them.
        keypoints_px: (N, K, 2) by a model, in pixels of its input; None without one.
        confidence: (N, K) of it, 0 to 1; None counts every frame as sure.
        disagreement_px: (N,) of `view_disagreement`, when it is known.
        others: as in `check_labelled`.
        view_is_aligned: as in `check_labelled`.
    """
    small = view.resized(*rig.input_size_px)
    camera = rig.camera
    prior = CameraPrior(camera.position_std_m, camera.rotation_std_rad, camera.focal_std)
    prior = ALIGNED_PRIOR if view_is_aligned else prior
    files = [f.file for f in frames]
    pictures = [f.picture for f in frames]
    points = np.stack([f.point_m for f in frames])
    points_world = np.stack([f.keypoints_world for f in frames])
    small_others = None if others is None else [resize(p, *rig.input_size_px) for p in others]

    doubts = check_station_of(files, pictures, small_others)
    flat = flat_pictures(pictures)
    kept = [k for k in range(len(frames)) if not flat[k]]
    doubts += check_repeats(
        [files[k] for k in kept],
        [frames[k].sha256 for k in kept],
        [pictures[k] for k in kept],
        points[kept],
        rig.label.std_m,
    )
    foreign = {file for d in doubts if d.kind in ("another station", "constant picture") for file in d.files}
    sure = np.array([file not in foreign for file in files], dtype=np.bool_)
    masked = None
    if keypoints_px is not None:
        certain = np.ones(points_world.shape[:2]) if confidence is None else confidence
        sure &= sure_frames(certain, disagreement_px, float(np.hypot(*rig.input_size_px)))
        masked = np.where(sure[:, None, None], keypoints_px, np.nan)
    wrong = check_units(rig, small, prior, files, points, points_world, [f.joints for f in frames], masked)
    doubts += wrong
    if keypoints_px is None or any(len(d.files) > len(files) / 2 for d in wrong):
        return doubts
    sure &= np.array([not any(file in d.files for d in wrong) for file in files])
    residuals = label_residuals(small, prior, points_world, keypoints_px, sure, rig.label.std_m)
    scene = (small_others or []) + [pictures[k] for k in kept]
    background = np.median(scene, axis=0) if len(scene) >= _FEWEST_FOR_BACKGROUND else None
    return doubts + check_mislabelled(files, residuals, points_world, keypoints_px, pictures, background)
