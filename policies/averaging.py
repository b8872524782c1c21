"""Keypoints averaged over small views of a picture."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from policies.perception import PerceptionModel, Prediction
from policies.views import WEAK, PictureView

# How many views measurements of photographs use, where time does not matter.
VIEWS = 8


def predict_over_views(
    model: PerceptionModel, pictures: NDArray[np.uint8], device: torch.device, views: int = VIEWS, seed: int = 0
) -> Prediction:
    """Return predictions for pictures uint8 (N, H, W, 3) whose keypoints are the median over views of each.

    A heatmap's cells are wider than its keypoints should be, and where a keypoint lies within its cell pulls at it.
    Views that are moved, turned and zoomed a little put it elsewhere in a cell; taken back, their median is nearer. The
    first view is the picture itself, whose confidence is returned. All pictures get the same views, so a prediction
    does not depend on the others.

    Args:
        model: left in evaluation mode; with a regression head, whose output no view can be taken back from, the
            picture alone counts.
        pictures: of the size that the model sees.
        device: where the model is.
        views: 1 or more; the time grows with it.
        seed: of the views.

    Raises:
        ValueError: fewer than one view.
    """
    if views < 1:
        raise ValueError(f"views must be 1 or more, got {views}")
    first = model.predict(pictures, device)
    if first.keypoints_px is None or not len(pictures):
        return first
    found = [first.keypoints_px]
    rng = np.random.default_rng(seed)
    for _ in range(views - 1):
        view = PictureView.draw(rng, (pictures.shape[2], pictures.shape[1]), WEAK)
        seen = model.predict(np.stack([view(p) for p in pictures]), device).keypoints_px
        assert seen is not None
        found.append(view.backward(seen))
    return Prediction(np.median(found, axis=0), first.confidence, None)
