"""How far a model contradicts itself: a score of models that needs no label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from calibration.errors import InputError
from policies.perception import PerceptionModel
from policies.views import WEAK, PictureView, ViewRange


@dataclass(frozen=True, eq=False)
class Agreement:
    """What several views of N pictures say together.

    Attributes:
        keypoints_px: (N, K, 2), the median over the views, in pixels of the pictures.
        spread_px: (N, K), mean distance of the views' keypoints from it.
        confidence: (N, K), the smallest of the views'.
    """

    keypoints_px: NDArray[np.float64]
    spread_px: NDArray[np.float64]
    confidence: NDArray[np.float64]


def disagreement(
    model: PerceptionModel,
    pictures: NDArray[np.uint8],
    device: torch.device,
    seed: int,
    views: int = 6,
    limits: ViewRange = WEAK,
) -> NDArray[np.float64]:
    """Return how far the keypoints of each picture differ between small views of it: (N,) pixels.

    It is the mean distance, over views and keypoints, from the median over the views, after each view's keypoints are
    moved back into the picture. All pictures get the same views, so that a picture's score does not depend on which
    others it is asked with. A model that says the same for every picture is not consistent: its answers differ once
    they are moved back.

    Args:
        model: with a keypoint head; left in evaluation mode.
        pictures: uint8 (N, H, W, 3); no label is needed.
        device: where the model is.
        seed: of the views.
        views: how many, 2 or more.
        limits: of the views.

    Raises:
        InputError: a regression head, or fewer than two views.
    """
    agreement = agree(model, pictures, device, np.random.default_rng(seed), views, limits)
    return np.asarray(agreement.spread_px.mean(axis=1))


def agree(
    model: PerceptionModel,
    pictures: NDArray[np.uint8],
    device: torch.device,
    rng: np.random.Generator,
    views: int,
    limits: ViewRange = WEAK,
) -> Agreement:
    """Return what drawn views of pictures say together; arguments and errors are those of `disagreement`."""
    if model.spec.head != "keypoints":
        raise InputError(f"views can be compared for the keypoints head only, got {model.spec.head}")
    if views < 2:
        raise InputError(f"views must be 2 or more, got {views}")
    height, width = pictures.shape[1:3]
    found, confidences = [], []
    for _ in range(views):
        view = PictureView.draw(rng, (width, height), limits)
        seen = np.array([view(picture) for picture in pictures], np.uint8).reshape(pictures.shape)
        prediction = model.predict(seen, device)
        assert prediction.keypoints_px is not None
        assert prediction.confidence is not None
        found.append(view.backward(prediction.keypoints_px))
        confidences.append(prediction.confidence)
    middle = np.median(found, axis=0)
    spread = np.linalg.norm(np.array(found) - middle, axis=-1).mean(axis=0)
    return Agreement(middle, spread, np.min(confidences, axis=0))
