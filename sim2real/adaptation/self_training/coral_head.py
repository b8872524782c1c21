"""Closed-form CORAL in front of the head, folded into its weights (correlation alignment, Sun et al. 2016)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from calibration.errors import InputError
from policies.heads import KeypointHead, RegressionHead
from policies.perception import PerceptionModel
from sim2real.adaptation.self_training.batch_norm import batches_of, evaluating

# Directions with less than this share of the largest variance carry nothing that could be stretched soundly.
_SMALLEST = 1e-9


@dataclass(frozen=True, eq=False)
class Moments:
    """First and second moments of what goes into the head's layer.

    Attributes:
        mean: (D,) float64.
        covariance: (D, D) float64, of the population.
        pictures: from how many pictures they are.
    """

    mean: torch.Tensor
    covariance: torch.Tensor
    pictures: int


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
    if len(pictures) == 0:
        raise InputError("CORAL needs at least one picture, got none")
    layer = _layer(model)
    width = layer.weight.shape[1]
    total = torch.zeros(width, dtype=torch.float64, device=layer.weight.device)
    products = torch.zeros(width, width, dtype=torch.float64, device=layer.weight.device)
    count = 0

    def add(_layer: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        nonlocal count
        rows = inputs[0].double().movedim(1, -1).reshape(-1, width)
        total.add_(rows.sum(dim=0))
        products.add_(rows.T @ rows)
        count += len(rows)

    handle = layer.register_forward_pre_hook(add)
    try:
        with evaluating(model):
            for part in batches_of(model, pictures, batch):
                model(part)
    finally:
        handle.remove()
    mean = total / count
    covariance = products / count - torch.outer(mean, mean)
    if not bool(torch.isfinite(covariance).all()):
        raise InputError("features before the head are not finite; load a model that was trained soundly")
    return Moments(mean, covariance, len(pictures))


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
    if not prior_count >= 0.0 or not ridge >= 0.0:
        raise InputError(f"prior_count and ridge must be 0 or more, got {prior_count} and {ridge}")
    share = target.pictures / (prior_count + target.pictures)
    stretch, shift = transform_between(source, _mixed(source, target, share), ridge)
    with torch.no_grad():
        old = layer.weight.reshape(len(layer.weight), width).double()
        layer.weight.copy_((old @ stretch).reshape(layer.weight.shape))
        assert layer.bias is not None
        layer.bias.add_(old @ shift)


def transform_between(source: Moments, target: Moments, ridge: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return A (D, D) and c (D,) in float64: A x + c has the source's moments where x has the target's.

    Raises:
        InputError: the target's features span too few directions for this `ridge`.
    """
    eye = torch.eye(len(source.mean), dtype=torch.float64, device=source.mean.device)
    added = ridge * source.covariance.trace() / len(eye) * eye
    stretch = _power(source.covariance + added, 0.5) @ _power(target.covariance + added, -0.5)
    return stretch, source.mean - stretch @ target.mean


def _mixed(source: Moments, target: Moments, share: float) -> Moments:
    """Return the moments of a mixture with this share, 0 to 1, of the target."""
    rest, apart = 1.0 - share, target.mean - source.mean
    mean = rest * source.mean + share * target.mean
    covariance = rest * source.covariance + share * target.covariance + rest * share * torch.outer(apart, apart)
    return Moments(mean, covariance, target.pictures)


def _power(matrix: torch.Tensor, power: float) -> torch.Tensor:
    """Return a power of a symmetric positive matrix."""
    values, vectors = torch.linalg.eigh((matrix + matrix.T) / 2)
    if power < 0 and bool(values[0] <= _SMALLEST * values[-1]):
        raise InputError(
            f"features of the target span fewer than {len(values)} directions: their smallest variance is "
            f"{float(values[0]):.1e} of {float(values[-1]):.1e}; use a larger ridge or prior_count, or more pictures"
        )
    root: torch.Tensor = (vectors * values.clamp(min=0.0).pow(power)) @ vectors.T
    return root


def _layer(model: PerceptionModel) -> nn.Conv2d | nn.Linear:
    layer: nn.Module | None = None
    if isinstance(model.head, KeypointHead):
        layer = model.head.out
    elif isinstance(model.head, RegressionHead):
        layer = model.head.layers[0]
    if not isinstance(layer, nn.Conv2d | nn.Linear):
        raise ValueError(f"CORAL folds into a keypoint or regression head, got {type(model.head).__name__}")
    return layer
