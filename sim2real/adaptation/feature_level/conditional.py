"""Conditional adversarial adaptation for continuous labels: domains are compared given what the head says."""

from __future__ import annotations

import math

import torch

from sim2real.adaptation.feature_level.adversarial import Discriminator, domain_loss, reverse_gradient
from sim2real.adaptation.feature_level.alignment import Alignment
from sim2real.adaptation.seen import Seen

# Above this size of the outer product CDAN draws random projections instead, of a fixed width.
_LARGEST_PRODUCT = 4096
_PROJECTED = 1024
_ENCODED = 16


def fourier_encode(outputs: torch.Tensor, frequencies: torch.Tensor, phases: torch.Tensor) -> torch.Tensor:
    """Return random Fourier features (N, F) of outputs: sqrt(2 / F) cos(outputs @ frequencies + phases).

    Rahimi and Recht 2007: with frequencies ~ N(0, 1 / s^2) and phases ~ U(0, 2 pi), inner products approach
    exp(-||y - y'||^2 / (2 s^2)). A label so encoded plays the part that class probabilities play in CDAN.

    Args:
        outputs: (N, L).
        frequencies: (L, F).
        phases: (F,).
    """
    return math.sqrt(2 / len(phases)) * torch.cos(outputs @ frequencies + phases)


def multilinear(features: torch.Tensor, encoded: torch.Tensor) -> torch.Tensor:
    """Return the outer products of features (N, D) and encoded outputs (N, F), flattened: (N, D F)."""
    return (features[:, :, None] * encoded[:, None, :]).flatten(1)


def randomized_multilinear(
    features: torch.Tensor, encoded: torch.Tensor, of_features: torch.Tensor, of_encoded: torch.Tensor
) -> torch.Tensor:
    """Return a narrow stand-in (N, P) for `multilinear`, whose inner products it keeps in the mean.

    Long et al. 2018 (CDAN): (features @ R_f) * (encoded @ R_g) / sqrt(P), with entries of variance 1 in the
    projections.

    Args:
        features: (N, D).
        encoded: (N, F).
        of_features: R_f, (D, P).
        of_encoded: R_g, (F, P).
    """
    return (features @ of_features) * (encoded @ of_encoded) / math.sqrt(of_features.shape[1])


class ConditionalDann(Alignment):
    """CDAN (Long et al. 2018) with continuous labels: a discriminator of features times Fourier-encoded outputs.

    Outputs enter without gradient: they say where to compare features, and are not themselves made alike.
    """

    frequencies: torch.Tensor
    phases: torch.Tensor
    of_features: torch.Tensor
    of_encoded: torch.Tensor

    def __init__(self, inputs: int, outputs: int, seed: int, bandwidth: float | None = None) -> None:
        """Draw the encoding and build the discriminator.

        Args:
            inputs: size D of the features.
            outputs: size L of `Seen.output`.
            seed: of the encoding, the projections and the discriminator.
            bandwidth: how far outputs must be apart to count as different, in their own units; None: sqrt(L) / 2, that
                is half a unit in each coordinate.
        """
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        width = bandwidth if bandwidth is not None else math.sqrt(outputs) / 2
        self.register_buffer("frequencies", torch.randn(outputs, _ENCODED, generator=generator) / width)
        self.register_buffer("phases", 2 * math.pi * torch.rand(_ENCODED, generator=generator))
        self.projects = inputs * _ENCODED > _LARGEST_PRODUCT
        size = _PROJECTED if self.projects else inputs * _ENCODED
        drawn = _PROJECTED if self.projects else 0
        self.register_buffer("of_features", torch.randn(inputs, drawn, generator=generator))
        self.register_buffer("of_encoded", torch.randn(_ENCODED, drawn, generator=generator))
        self.discriminator = Discriminator(size, seed)

    def forward(self, source: Seen, target: Seen, labels: torch.Tensor, strength: float) -> torch.Tensor:
        """Return the discriminator's loss; the features get its gradient times -strength."""
        return domain_loss(self._logits(source, strength), self._logits(target, strength))

    def _logits(self, seen: Seen, strength: float) -> torch.Tensor:
        features = reverse_gradient(seen.features, strength)
        encoded = fourier_encode(seen.output.detach(), self.frequencies, self.phases)
        if self.projects:
            joint = randomized_multilinear(features, encoded, self.of_features, self.of_encoded)
        else:
            joint = multilinear(features, encoded)
        out: torch.Tensor = self.discriminator(joint)
        return out
