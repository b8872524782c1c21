"""The interface of feature-level methods."""

from __future__ import annotations

import torch
from torch import nn

from sim2real.adaptation.seen import Seen


class Alignment(nn.Module):
    """What a feature-level method adds to the loss of the labelled source.

    Its own parameters, such as a discriminator's, are trained by the same optimizer. It never sees a target label.
    """

    def forward(self, source: Seen, target: Seen, labels: torch.Tensor, strength: float) -> torch.Tensor:
        """Return the loss, a scalar.

        Args:
            source: of labelled simulated pictures, with gradients.
            target: of unlabelled real pictures, with gradients.
            labels: (N, L) of the source, in the coordinates of `source.output`; NaN where one does not count.
            strength: 0 at the start of training to 1; how strongly the backbone is pulled. A method without parts of
                its own returns its loss times `strength`; an adversarial one trains its own parts at full rate and
                reverses gradients by `strength` (Ganin and Lempitsky 2015).
        """
        raise NotImplementedError


def check_features(method: str, source: torch.Tensor, target: torch.Tensor, least: int = 1) -> None:
    """Check that features are (N, D) and (M, D) with at least `least` rows each.

    Raises:
        ValueError: they are not.
    """
    shapes = f"{tuple(source.shape)} and {tuple(target.shape)}"
    if source.ndim != 2 or target.ndim != 2 or source.shape[1] != target.shape[1]:
        raise ValueError(f"{method} needs features (N, D) of the source and (M, D) of the target, got {shapes}")
    if min(len(source), len(target)) < least:
        raise ValueError(f"{method} needs at least {least} rows of each domain, got {shapes}; use larger batches")
