"""Domain-adversarial training: features by which no discriminator can tell the domains apart."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from sim2real.adaptation.feature_level.alignment import Alignment
from sim2real.adaptation.seen import Seen

_HIDDEN = 256


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, strength: float) -> torch.Tensor:
        ctx.strength = strength
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        return -ctx.strength * gradients[0], None


def reverse_gradient(x: torch.Tensor, strength: float) -> torch.Tensor:
    """Return x as it is; its gradient is multiplied by -strength (Ganin and Lempitsky 2015)."""
    out: torch.Tensor = _Reversal.apply(x, strength)  # type: ignore[no-untyped-call]
    return out


class Discriminator(nn.Module):
    """Two hidden layers and one number, a logit: above 0 means "from the source"."""

    def __init__(self, inputs: int, seed: int, hidden: int = _HIDDEN) -> None:
        """Build it with weights that depend on the seed alone; torch's own generator is left as it is."""
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        sizes = (inputs, hidden, hidden, 1)
        layers: list[nn.Module] = []
        for a, b in itertools.pairwise(sizes):
            layers += [_linear(a, b, generator), nn.ReLU()]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return logits (N,) of features (N, D)."""
        out: torch.Tensor = self.layers(features.float())
        return out[:, 0].float()


def domain_loss(source_logits: torch.Tensor, target_logits: torch.Tensor) -> torch.Tensor:
    """Return a discriminator's binary cross-entropy, each domain weighing half: log 2 where it knows nothing.

    Args:
        source_logits: (N,), that should be positive.
        target_logits: (M,), that should be negative.
    """
    return (functional.softplus(-source_logits).mean() + functional.softplus(target_logits).mean()) / 2


def confusion_loss(source_logits: torch.Tensor, target_logits: torch.Tensor) -> torch.Tensor:
    """Return the cross-entropy against "either domain, evenly": log 2 at its least, where all logits are 0.

    Tzeng et al. 2015, for two domains of the same weight.
    """

    def even(logits: torch.Tensor) -> torch.Tensor:
        return (functional.softplus(-logits) + functional.softplus(logits)).mean() / 2

    return (even(source_logits) + even(target_logits)) / 2


class Dann(Alignment):
    """A discriminator behind a gradient reversal (DANN: Ganin and Lempitsky 2015, Ganin et al. 2016)."""

    def __init__(self, inputs: int, seed: int) -> None:
        """Build the discriminator of features (N, inputs)."""
        super().__init__()
        self.discriminator = Discriminator(inputs, seed)

    def forward(self, source: Seen, target: Seen, labels: torch.Tensor, strength: float) -> torch.Tensor:
        """Return the discriminator's loss; the features get its gradient times -strength."""
        logits = [self.discriminator(reverse_gradient(seen.features, strength)) for seen in (source, target)]
        return domain_loss(logits[0], logits[1])


class Confusion(Alignment):
    """Domain confusion (Tzeng et al. 2015): features learn uniform domain labels, the discriminator the true ones.

    Unlike a reversed gradient, the pull on the features does not vanish with the discriminator's error.
    """

    def __init__(self, inputs: int, seed: int) -> None:
        """Build the discriminator of features (N, inputs)."""
        super().__init__()
        self.discriminator = Discriminator(inputs, seed)

    def forward(self, source: Seen, target: Seen, labels: torch.Tensor, strength: float) -> torch.Tensor:
        """Return the discriminator's loss, felt by it alone, plus strength times the features' confusion loss."""
        both: Sequence[Seen] = (source, target)
        told = [self.discriminator(seen.features.detach()) for seen in both]
        fixed = {name: p.detach() for name, p in self.discriminator.named_parameters()}
        felt = [torch.func.functional_call(self.discriminator, fixed, (seen.features,)) for seen in both]
        return domain_loss(told[0], told[1]) + strength * confusion_loss(felt[0], felt[1])


def _linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    # torch's own initialization would draw from the global generator.
    layer: nn.Linear = nn.utils.skip_init(nn.Linear, inputs, outputs)  # type: ignore[no-untyped-call]
    bound = inputs**-0.5
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_((torch.rand(parameter.shape, generator=generator) * 2 - 1) * bound)
    return layer
