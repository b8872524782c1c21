"""Recalibrate batch normalization on pictures of the target (AdaBN, Li et al. 2017)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from calibration.errors import InputError


@dataclass(frozen=True, eq=False)
class LayerStatistics:
    """What goes into one normalization layer, by channel.

    Attributes:
        mean: (C,) float64.
        variance: (C,) float64, of the population: E[x^2] - E[x]^2.
        count: how many activations a channel has, over all pictures and places.
    """

    mean: torch.Tensor
    variance: torch.Tensor
    count: int


class _Reached(Exception):  # noqa: N818 - it ends a forward pass early, nothing is wrong
    """The last layer that was asked for has been fed."""


def pooled_statistics(model: nn.Module, batches: Iterable[torch.Tensor]) -> dict[str, LayerStatistics]:
    """Return the statistics of every layer's inputs, by the layer's name, as the model stands; nothing changes.

    Sums over all batches are pooled in float64, so that neither the order of pictures nor the size of batches counts.
    A running average does not do that: it averages the variances within batches, which leaves out what differs
    between them.

    Args:
        model: whose layers normalize with their running statistics while it looks.
        batches: what its `forward` takes, pictures (N, 3, H, W).

    Raises:
        InputError: a model without batch normalization, no pictures, or activations that are not finite.
    """
    return _statistics(model, normalizations(model), batches)


def recalibrate(model: nn.Module, pictures: NDArray[np.uint8], prior_count: float = 0.0, batch: int = 16) -> None:
    """Set the running statistics of every batch normalization to those of the pictures; nothing else changes.

    Layers are set one after the other, in the order in which the model runs them, and each is measured behind
    those before it as they were set: the statistics are exactly those that the layer then meets, which no single pass
    gives. With L layers that costs about L / 2 forward passes.

    For few pictures, the result is that of a mixture in which the source counts as `prior_count` = N pictures beside
    the n given ones:
        mean = (N mean_s + n mean_t) / (N + n)
        variance = (N variance_s + n variance_t) / (N + n) + N n (mean_s - mean_t)^2 / (N + n)^2.

    Args:
        model: changed in place; what is in training mode stays so.
        pictures: uint8 (n, H, W, 3) of the target; no label is needed.
        prior_count: 0 keeps nothing of the source, infinity everything.
        batch: pictures a forward pass.

    Raises:
        InputError: a model without batch normalization, no pictures, a negative `prior_count`, or activations that are
            not finite; the model is then as it was.
    """
    if not prior_count >= 0.0:
        raise InputError(f"prior_count must be 0 or more pictures, got {prior_count}")
    layers = normalizations(model)
    before = {name: (running_mean(layer).clone(), running_variance(layer).clone()) for name, layer in layers.items()}
    share = len(pictures) / (prior_count + len(pictures)) if len(pictures) else 0.0
    try:
        for name in run_order(model, layers, batches_of(model, pictures[:1], 1)):
            layer = layers[name]
            found = _statistics(model, {name: layer}, batches_of(model, pictures, batch), stop_early=True)[name]
            mean, variance = blended(running_mean(layer).double(), running_variance(layer).double(), found, share)
            running_mean(layer).copy_(mean)
            running_variance(layer).copy_(variance)
    except BaseException:
        for name, (mean, variance) in before.items():
            running_mean(layers[name]).copy_(mean)
            running_variance(layers[name]).copy_(variance)
        raise


def blended(
    mean: torch.Tensor, variance: torch.Tensor, target: LayerStatistics, share: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean and variance (C,) of a mixture of the source (mean, variance) and a share, 0 to 1, of the target."""
    rest = 1.0 - share
    between = share * rest * (mean - target.mean).square()
    return rest * mean + share * target.mean, rest * variance + share * target.variance + between


def batches_of(model: nn.Module, pictures: NDArray[np.uint8], size: int) -> Iterator[torch.Tensor]:
    """Yield pictures uint8 (N, H, W, 3) as tensors (n, 3, H, W), n up to `size`, where the model's weights are."""
    device = next(model.parameters()).device
    for start in range(0, len(pictures), size):
        part = np.ascontiguousarray(pictures[start : start + size])
        yield torch.from_numpy(part).permute(0, 3, 1, 2).to(device)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put a model into evaluation mode, and every part of it back into its own mode afterwards."""
    modes = [(part, part.training) for part in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for part, mode in modes:
            part.training = mode


def normalizations(model: nn.Module) -> dict[str, _BatchNorm]:
    """Return the layers that normalize with running statistics, by name.

    Raises:
        InputError: there are none.
    """
    found = {
        name: part
        for name, part in model.named_modules()
        if isinstance(part, _BatchNorm) and part.running_mean is not None
    }
    if not found:
        raise InputError(
            "recalibration needs a model with batch normalization that keeps statistics, got one without; "
            "choose another method, or a backbone such as resnet18"
        )
    return found


def running_mean(layer: _BatchNorm) -> torch.Tensor:
    """Return the running mean (C,) itself, not a copy."""
    assert layer.running_mean is not None
    return layer.running_mean


def running_variance(layer: _BatchNorm) -> torch.Tensor:
    """Return the running variance (C,) itself, not a copy."""
    assert layer.running_var is not None
    return layer.running_var


@torch.no_grad()
def run_order(model: nn.Module, layers: dict[str, _BatchNorm], batches: Iterable[torch.Tensor]) -> list[str]:
    """Return the names of the layers that a forward pass runs, in the order in which it runs them first.

    Raises:
        InputError: no picture.
    """
    called: dict[str, None] = {}
    handles = [
        layer.register_forward_pre_hook(lambda _layer, _inputs, name=name: called.setdefault(name))
        for name, layer in layers.items()
    ]
    try:
        with evaluating(model):
            for pictures in batches:
                model(pictures)
    finally:
        for handle in handles:
            handle.remove()
    if not called:
        raise InputError("recalibration needs at least one picture, got none")
    return list(called)


@torch.no_grad()
def _statistics(
    model: nn.Module,
    layers: dict[str, _BatchNorm],
    batches: Iterable[torch.Tensor],
    stop_early: bool = False,
) -> dict[str, LayerStatistics]:
    """Return the statistics of some layers' inputs; `stop_early` ends each pass after the first call of a layer."""
    sums: dict[str, torch.Tensor] = {}
    counts = dict.fromkeys(layers, 0)

    def add(name: str, x: torch.Tensor) -> None:
        flat = x.detach().double().transpose(0, 1).flatten(1)
        part = torch.stack([flat.sum(dim=1), flat.square().sum(dim=1)])
        sums[name] = sums[name] + part if name in sums else part
        counts[name] += flat.shape[1]
        if stop_early:
            raise _Reached

    handles = [
        layer.register_forward_pre_hook(lambda _layer, inputs, name=name: add(name, inputs[0]))
        for name, layer in layers.items()
    ]
    try:
        with evaluating(model):
            for pictures in batches:
                try:
                    model(pictures)
                except _Reached:
                    continue
    finally:
        for handle in handles:
            handle.remove()
    if not sums:
        raise InputError("recalibration needs at least one picture, got none")
    found = {}
    for name, (total, squares) in sums.items():
        mean = total / counts[name]
        variance = (squares / counts[name] - mean.square()).clamp(min=0.0)
        if not bool(torch.isfinite(mean).all() and torch.isfinite(variance).all()):
            raise InputError(f"activations before layer '{name}' are not finite; load a model that was trained soundly")
        found[name] = LayerStatistics(mean, variance, counts[name])
    return found
