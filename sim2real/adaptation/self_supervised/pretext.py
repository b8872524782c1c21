"""The interface of self-supervised methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import nn

from policies.perception import PerceptionModel

M = TypeVar("M", bound=nn.Module)


class Pretext(nn.Module):
    """A task without labels beside the labelled source: a network of its own answers it from the backbone's features.

    That network is trained by the same optimizer at its full rate from the first step, while its pull on the backbone
    grows with `strength`: an untrained one would only push the backbone about. It is thrown away after training.
    """

    def forward(
        self, model: PerceptionModel, simulated: torch.Tensor, real: torch.Tensor, step: int, strength: float
    ) -> torch.Tensor:
        """Return the loss, a scalar; the backbone gets its gradient times `strength`.

        Args:
            model: whose backbone is looked through.
            simulated: pictures (N, 3, H, W), uint8, of the labelled source.
            real: unlabelled photographs (M, 3, H, W), uint8.
            step: of training, from 0: what is random follows from it and the seed.
            strength: 0 at the start of training to 1.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Release what draws frames; twice is fine."""


class _Scaled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, factor: float) -> torch.Tensor:
        ctx.factor = factor
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        return ctx.factor * gradients[0], None


def scale_gradient(x: torch.Tensor, factor: float) -> torch.Tensor:
    """Return x as it is; its gradient is multiplied by a factor."""
    out: torch.Tensor = _Scaled.apply(x, factor)  # type: ignore[no-untyped-call]
    return out


def seeded(build: Callable[[], M], seed: int) -> M:
    """Return what `build` makes with weights that depend on the seed alone; torch's own generator is left as it is."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()
