"""Closed-form CORAL in front of the head, folded into its weights (correlation alignment, Sun et al. 2016)."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from calibration.errors import InputError
from policies.heads import KeypointHead, RegressionHead
from policies.perception import PerceptionModel
from sim2real.adaptation.moments import Moments, MomentSums, transform_between
from sim2real.adaptation.self_training.batch_norm import batches_of, evaluating


@torch.no_grad()
def head_moments(model: PerceptionModel, pictures: NDArray[np.uint8], batch: int = 16) -> Moments:
    """Return the moments of what goes into the layer that `fold_coral` changes; the model stays as it is.

    For keypoints that is each cell's features before the last 1 x 1 convolution, pooled over cells and pictures; for
    regression the pooled features before the first linear layer. Sums are pooled in float64, so that the order of
    pictures and the size of batches do not count.

    Args:
        model: as trained.
        pictures: uint8 (N, H, W, 3).
        batch: pictures a forward pass.

    Raises:
        InputError: no pictures, or features that are not finite.
    """
    layer = _layer(model)
    width = layer.weight.shape[1]
    sums = MomentSums(width, layer.weight.device)

    def add(_layer: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        sums.add(inputs[0])

    handle = layer.register_forward_pre_hook(add)
    try:
        with evaluating(model):
            for part in batches_of(model, pictures, batch):
                model(part)
    finally:
        handle.remove()
    return sums.moments(len(pictures), "the head")


def fold_coral(
    model: PerceptionModel,
    source: Moments,
    target: Moments,
    prior_count: float = 0.0,
    ridge: float = 0.1,
) -> None:
    """Change the head's layer so that it sees target features with the source's mean and covariance.

    A feature x becomes A (x - mean_t) + mean_s with A = C_s^1/2 C_t^-1/2, which is the layer with weights W A and bias
    b + W (mean_s - A mean_t): nothing is added at run time. Fold once, into the model as trained; a second time would
    apply A twice. Recalibrate batch normalization before: no linear map of the head's features undoes what other light
    does to layers that are not linear.

    Args:
        model: changed in place.
        source: moments on simulated pictures.
        target: moments on unlabelled pictures of the target.
        prior_count: as how many pictures the source counts in the target's moments, for few pictures.
        ridge: added to both covariances, as a share of the source's mean variance, so that directions in which few
            pictures hardly differ are not stretched without bound; with 0 the moments are the source's exactly.

    Raises:
        InputError: moments of another model, negative settings, or features that span too few directions for `ridge` 0.
    """
    layer = _layer(model)
    width = layer.weight.shape[1]
    if source.mean.shape != (width,) or target.mean.shape != (width,):
        raise InputError(
            f"moments must be of {width} features, got {len(source.mean)} of the source and {len(target.mean)} of the "
            "target; measure both with this model"
        )
    stretch, shift = transform_between(source, source.mixed(target, prior_count), ridge)
    with torch.no_grad():
        old = layer.weight.reshape(len(layer.weight), width).double()
        layer.weight.copy_((old @ stretch).reshape(layer.weight.shape))
        assert layer.bias is not None
        layer.bias.add_(old @ shift)


def _layer(model: PerceptionModel) -> nn.Conv2d | nn.Linear:
    layer: nn.Module | None = None
    if isinstance(model.head, KeypointHead):
        layer = model.head.out
    elif isinstance(model.head, RegressionHead):
        layer = model.head.layers[0]
    if not isinstance(layer, nn.Conv2d | nn.Linear):
        raise ValueError(f"CORAL folds into a keypoint or regression head, got {type(model.head).__name__}")
    return layer
