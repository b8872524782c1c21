"""Closed-form CORAL before every normalization, folded into the layers: recalibration with whole covariances."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from policies.heads import KeypointMaps
from policies.perception import PerceptionModel
from sim2real.adaptation.moments import Moments, MomentSums, transform_between
from sim2real.adaptation.self_training.batch_norm import (
    batches_of,
    evaluating,
    normalizations,
    run_order,
    running_mean,
    running_variance,
)


@dataclass(frozen=True)
class _Place:
    """A normalization and what feeds it.

    Attributes:
        name: of the normalization in the model.
        conv: name of the convolution whose output it is given as it comes, or None.
        groups: number of groups of channels that the convolution keeps apart; without one, each channel for itself.
    """

    name: str
    conv: str | None
    groups: int


class _Reached(Exception):  # noqa: N818 - it ends a forward pass early, nothing is wrong
    """The layer that was asked for has been fed."""


@torch.no_grad()
def fold_coral_layers(
    model: PerceptionModel,
    simulated: NDArray[np.uint8],
    pictures: NDArray[np.uint8],
    prior_count: float = 0.0,
    ridge: float = 0.1,
    batch: int = 16,
) -> int:
    """Give every normalization inputs with the mean and covariance that they have in simulation; return how many.

    Correlation alignment (Sun, Feng and Saenko 2016) where AdaBN (Li et al. 2017) aligns variances alone: before a
    normalization, the photographs' activations are whitened and recoloured with simulation's covariance, which
    is folded into the convolution before it, so nothing is added at run time. The first convolutions see
    neighbourhoods of pixels, whose covariances tell of blur and noise as well as of colour. Layers are changed in the
    order in which they run, each measured behind those before it as they were changed; the source is measured on the
    model as it was. Channels that a convolution keeps apart (grouped, depthwise) are aligned within their group, and
    a normalization that no convolution feeds directly is given the channels' variances alone.

    Args:
        model: changed in place; what is in training mode stays so.
        simulated: uint8 (N, H, W, 3), of the simulation that the model was trained on.
        pictures: uint8 (M, H, W, 3) of the target; no label is needed.
        prior_count: as how many pictures the source counts in the target's moments, for few pictures.
        ridge: added to the variances of channels that are scaled to variance 1 in simulation.
        batch: pictures a forward pass.

    Raises:
        InputError: a model without batch normalization, no pictures, negative settings, or activations that are not
            finite; the model is then as it was.
    """
    before = copy.deepcopy(model)
    places = _places(model, pictures[:1])
    source = _moments(before, places, simulated, batch, stop_early=False)
    try:
        for place in places:
            target = _moments(model, [place], pictures, batch, stop_early=True)[place.name]
            parts = [
                _scaled_transform(s, s.mixed(t, prior_count), ridge)
                for s, t in zip(source[place.name], target, strict=True)
            ]
            _fold(model, place, parts)
    except BaseException:
        model.load_state_dict(before.state_dict())
        raise
    return len(places)


def _scaled_transform(source: Moments, target: Moments, ridge: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return A and c, found on channels scaled to variance 1 in simulation: their scales differ by magnitudes."""
    scale = source.covariance.diagonal().clamp(min=torch.finfo(torch.float32).tiny).sqrt()
    outer = torch.outer(scale, scale)
    stretch, shift = transform_between(
        Moments(source.mean / scale, source.covariance / outer, source.pictures),
        Moments(target.mean / scale, target.covariance / outer, target.pictures),
        ridge,
    )
    return scale[:, None] * stretch / scale, scale * shift


def _fold(model: nn.Module, place: _Place, parts: list[tuple[torch.Tensor, torch.Tensor]]) -> None:
    layer = normalizations(model)[place.name]
    shift = torch.cat([c for _, c in parts])
    if place.conv is None:
        # gain (a x + c - m) / sqrt(v) is gain (x - (m - c) / a) / sqrt(v / a^2).
        gain = torch.cat([a.flatten() for a, _ in parts])
        running_mean(layer).copy_((running_mean(layer).double() - shift) / gain)
        running_variance(layer).copy_(running_variance(layer).double() / gain.square())
        return
    conv = model.get_submodule(place.conv)
    assert isinstance(conv, nn.Conv2d)
    size = len(conv.weight) // len(parts)
    for k, (stretch, _) in enumerate(parts):
        rows = slice(k * size, (k + 1) * size)
        conv.weight[rows] = torch.tensordot(stretch, conv.weight[rows].double(), dims=1).to(conv.weight.dtype)
        if conv.bias is not None:
            conv.bias[rows] = (stretch @ conv.bias[rows].double()).to(conv.bias.dtype)
    running_mean(layer).sub_(shift)


def _places(model: nn.Module, one: NDArray[np.uint8]) -> list[_Place]:
    """Return the normalizations in the order in which they run, with the convolutions that feed them."""
    layers = normalizations(model)
    order = run_order(model, layers, batches_of(model, one, 1))
    made: dict[int, tuple[str, torch.Tensor]] = {}
    feeds: dict[str, str] = {}
    uses: dict[str, int] = {}

    def keep(name: str, output: torch.Tensor) -> None:
        made[id(output)] = (name, output)
        uses[name] = uses.get(name, 0) + 1

    def look(name: str, given: torch.Tensor) -> None:
        if id(given) in made:
            feeds[name] = made[id(given)][0]

    handles = [
        part.register_forward_hook(lambda _part, _given, output, name=name: keep(name, output))
        for name, part in model.named_modules()
        if isinstance(part, nn.Conv2d)
    ]
    handles += [
        layer.register_forward_pre_hook(lambda _layer, given, name=name: look(name, given[0]))
        for name, layer in layers.items()
    ]
    try:
        with evaluating(model), torch.no_grad():
            for x in batches_of(model, one, 1):
                model(x)
    finally:
        for handle in handles:
            handle.remove()
    found = []
    for name in order:
        conv = feeds.get(name)
        if conv is None or uses[conv] > 1 or not _feeds_alone(model, conv, name, one):
            found.append(_Place(name, None, layers[name].num_features))
        else:
            part = model.get_submodule(conv)
            assert isinstance(part, nn.Conv2d)
            found.append(_Place(name, conv, part.groups))
    return found


def _feeds_alone(model: nn.Module, conv: str, name: str, one: NDArray[np.uint8]) -> bool:
    """Return whether nothing but the normalization sees what the convolution puts out, as a shortcut would."""
    x = next(batches_of(model, one, 1))
    with evaluating(model):
        handle = model.get_submodule(conv).register_forward_hook(lambda _part, _given, output: output * 0)
        without_output = _outputs(model(x))
        handle.remove()
        handle = model.get_submodule(name).register_forward_pre_hook(lambda _part, given: (given[0] * 0,))
        without_input = _outputs(model(x))
        handle.remove()
    return all(torch.equal(a, b) for a, b in zip(without_output, without_input, strict=True))


def _outputs(found: KeypointMaps | torch.Tensor) -> tuple[torch.Tensor, ...]:
    return (found.logits, found.offsets) if isinstance(found, KeypointMaps) else (found,)


def _moments(
    model: nn.Module, places: Iterable[_Place], pictures: NDArray[np.uint8], batch: int, stop_early: bool
) -> dict[str, list[Moments]]:
    """Return the moments of what goes into the normalizations, by group of channels."""
    layers = normalizations(model)
    sums = {p.name: [_sums(layers[p.name], p.groups) for _ in range(p.groups)] for p in places}

    def add(name: str, x: torch.Tensor) -> None:
        for part, of_group in zip(x.chunk(len(sums[name]), dim=1), sums[name], strict=True):
            of_group.add(part)
        if stop_early:
            raise _Reached

    handles = [
        layers[name].register_forward_pre_hook(lambda _layer, given, name=name: add(name, given[0])) for name in sums
    ]
    try:
        with evaluating(model):
            for x in batches_of(model, pictures, batch):
                try:
                    model(x)
                except _Reached:
                    continue
    finally:
        for handle in handles:
            handle.remove()
    return {n: [s.moments(len(pictures), f"layer '{n}'") for s in parts] for n, parts in sums.items()}


def _sums(layer: _BatchNorm, groups: int) -> MomentSums:
    return MomentSums(layer.num_features // groups, running_mean(layer).device)
