"""Penalties that hold weights near where pretraining left them: L2-SP and elastic weight consolidation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

import torch
from torch import nn

Tensors = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


class Learner(Protocol):
    """A model with a loss, such as `policies.perception.PerceptionModel`."""

    def loss(
        self, pictures: torch.Tensor, pixels: torch.Tensor, weight: torch.Tensor, points: torch.Tensor
    ) -> torch.Tensor:
        """Return the loss of a batch."""
        ...


def weights_of(model: nn.Module) -> dict[str, torch.Tensor]:
    """Return copies of all parameters by name: the start that penalties refer to."""
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def l2_sp(model: nn.Module, start: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Return the squared distance of the weights from their start, a scalar; its gradient is 2 (w - w0).

    Li et al. 2018 (L2-SP). Only parameters that learn and that `start` names count. Leave plain weight decay off for
    them: it would pull the same weights to 0.
    """
    return _total(
        (parameter - start[name]).float().square().sum()
        for name, parameter in model.named_parameters()
        if name in start and parameter.requires_grad
    )


def ewc(model: nn.Module, start: Mapping[str, torch.Tensor], fisher: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Return half the squared distance of the weights from their start, each weighed by its Fisher information.

    Kirkpatrick et al. 2017, equation 3 without its factor lambda. Only parameters that learn and that `fisher` names
    count. Leave plain weight decay off for them.
    """
    return 0.5 * _total(
        (fisher[name] * (parameter - start[name]).float().square()).sum()
        for name, parameter in model.named_parameters()
        if name in fisher and parameter.requires_grad
    )


def fisher_diagonal(model: nn.Module, batches: Iterable[Tensors]) -> dict[str, torch.Tensor]:
    """Return the diagonal of the empirical Fisher information by name: mean squared gradients of single frames.

    Labels are those of the frames, not drawn from the model's own output. The model is put into evaluation mode; its
    weights, statistics and `requires_grad` are unchanged.

    Args:
        model: with a `loss`.
        batches: of the old task, each with any number of frames along the first axis.

    Raises:
        ValueError: no frame.
    """
    learner: Learner = model  # type: ignore[assignment]
    asked = {name: p.requires_grad for name, p in model.named_parameters()}
    model.eval()
    model.requires_grad_(True)
    parameters = dict(model.named_parameters())
    total = {name: torch.zeros_like(p, dtype=torch.float32) for name, p in parameters.items()}
    count = 0
    for batch in batches:
        for k in range(len(batch[0])):
            pictures, pixels, weight, points = (tensor[k : k + 1] for tensor in batch)
            loss = learner.loss(pictures, pixels, weight, points)
            grads = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
            for name, grad in zip(parameters, grads, strict=True):
                if grad is not None:
                    total[name] += grad.detach().float().square()
            count += 1
    for name, parameter in parameters.items():
        parameter.requires_grad_(asked[name])
    if count == 0:
        raise ValueError("fisher_diagonal needs at least one frame, got none")
    return {name: value / count for name, value in total.items()}


def scaled_fisher(fisher: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return Fisher information divided by its mean over all weights: a strength then means the same for any loss."""
    values = sum(float(v.sum()) for v in fisher.values())
    mean = values / max(1, sum(v.numel() for v in fisher.values()))
    return {name: value / max(mean, 1e-30) for name, value in fisher.items()}


def _total(terms: Iterable[torch.Tensor]) -> torch.Tensor:
    values = list(terms)
    return torch.stack(values).sum() if values else torch.zeros(())
