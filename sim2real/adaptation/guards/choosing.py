"""Choose between the model from simulation and one that was adapted or fine-tuned."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from calibration.rig import Rig
from calibration.view import CameraView
from policies.perception import PerceptionModel
from sim2real.adaptation.guards.never_worse import (
    FEWEST_LABELLED,
    Decision,
    LabelFree,
    cross_fitted_errors,
    decide,
    decide_without_labels,
)
from sim2real.adaptation.guards.views import view_disagreement
from sim2real.adaptation.self_training.plausibility import plausible
from sim2real.realdata import RealFrame
from sim2real.scoring import score_frames

_FOLDS = 3
# Fine-tunes a model in place on labelled frames, and returns the camera to use with it.
Tune = Callable[[PerceptionModel, Sequence[RealFrame]], CameraView]


def choose_without_labels(
    before: PerceptionModel,
    after: PerceptionModel,
    rig: Rig,
    view: CameraView,
    pictures: NDArray[np.uint8],
    device: torch.device,
    labelled: int = 0,
) -> Decision:
    """Return which model to use, by what unlabelled photographs tell of both.

    Args:
        before: from simulation, with a keypoint head.
        after: adapted or fine-tuned.
        rig: the station.
        view: its camera at the size of the photographs.
        pictures: unlabelled (N, H, W, 3) at the size that the models see.
        device: where the models are.
        labelled: how many labelled frames there were; too few to decide.
    """
    small = view.resized(*rig.input_size_px)

    def evidence(model: PerceptionModel) -> LabelFree:
        def keypoints(shown: NDArray[np.uint8]) -> NDArray[np.float64]:
            found = model.predict(shown, device).keypoints_px
            assert found is not None, "a regression head has no keypoints"
            return found

        found = keypoints(pictures)
        return LabelFree(found, view_disagreement(keypoints, pictures), plausible(rig, small, found))

    return decide_without_labels(evidence(before), evidence(after), labelled)


def errors_by_cross_fitting(
    before: PerceptionModel,
    rig: Rig,
    frames: Sequence[RealFrame],
    tune: Tune,
    device: torch.device,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Return the error of each labelled frame (N,), metres, by a model fine-tuned without it, three folds of them.

    Groups of frames, such as recordings, are not divided. NaN where nothing was predicted.

    Args:
        before: from simulation; not changed.
        rig: the station.
        frames: labelled, four or more; no frame on which results are reported.
        tune: how the model is fine-tuned.
        device: where the model is.
        seed: of the folds.
    """
    assert len(frames) >= FEWEST_LABELLED

    def adapt(train: Sequence[RealFrame]) -> Callable[[Sequence[RealFrame]], list[float]]:
        model = copy.deepcopy(before)
        tuned_view = tune(model, train)
        return lambda held: [s.error for s in score_frames(model, rig, tuned_view, held, device)]

    groups = [f.group for f in frames]
    return cross_fitted_errors(frames, adapt, _FOLDS, groups if any(groups) else None, seed)


def choose_by_errors(
    before: PerceptionModel,
    rig: Rig,
    view: CameraView,
    frames: Sequence[RealFrame],
    tuned: NDArray[np.float64],
    device: torch.device,
    seed: int = 0,
) -> tuple[Decision, NDArray[np.float64]]:
    """Return whether fine-tuning helps, and the errors (N,), metres, of what is used on frames that it did not see.

    Args:
        before: from simulation.
        rig: the station.
        view: the camera that goes with it, at the size of the photographs.
        frames: labelled, those of `tuned`.
        tuned: their errors after fine-tuning, of `errors_by_cross_fitting`.
        device: where the model is.
        seed: of the bootstrap.
    """
    plain = np.array([s.error for s in score_frames(before, rig, view, frames, device)])
    decision = decide(plain, tuned, "m", seed)
    return decision, tuned if decision.use == "adapted" else plain
