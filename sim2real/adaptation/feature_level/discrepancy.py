"""Disparity discrepancy for regression and keypoints: a second head that disagrees on the target alone."""

from __future__ import annotations

import copy
import functools
from typing import Literal

import torch

from policies.perception import PerceptionModel, freeze_normalization
from sim2real.adaptation.feature_level.adversarial import reverse_gradient
from sim2real.adaptation.feature_level.alignment import Alignment
from sim2real.adaptation.seen import Seen, output_vector

Variant = Literal["disparity", "classifier"]
# How far the adversary starts from the head, as a share of the spread of each layer's weights: an exact copy would stay
# one, since the slope of a difference of 0 is 0.
_APART = 0.1


def disparity(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Return the mean absolute difference of outputs (N, L), a scalar; NaN in `second` does not count.

    Args:
        first: (N, L).
        second: (N, L).
    """
    counted = torch.isfinite(second)
    difference = (first - torch.where(counted, second, 0.0)).abs() * counted
    return difference.sum() / counted.sum().clamp(min=1)


def disparity_discrepancy(
    source_second: torch.Tensor,
    source_first: torch.Tensor,
    target_second: torch.Tensor,
    target_first: torch.Tensor,
    margin: float = 1.0,
) -> torch.Tensor:
    """Return how much more two heads disagree on the target than, `margin` times, on the source.

    Zhang et al. 2019 (MDD), with the L1 distance of outputs as Jiang et al. 2021 have it for regression.
    The discrepancy of the domains is the largest that a second head reaches.

    Args:
        source_second: (N, L), of the second head.
        source_first: (N, L), of the model's own head.
        target_second: (M, L).
        target_first: (M, L).
        margin: weight of the source.
    """
    return disparity(target_second, target_first) - margin * disparity(source_second, source_first)


class Discrepancy(Alignment):
    """The model's head and an adversary of the same form, which starts close to it.

    The adversary's normalization keeps its statistics, so that what it says of a picture does not depend on the others.
    """

    def __init__(self, model: PerceptionModel, seed: int, variant: Variant = "disparity", margin: float = 1.0) -> None:
        """Copy the head and change its weights a little.

        Args:
            model: the one that is trained.
            seed: of the change.
            variant: "disparity": the adversary agrees with the head on the source and disagrees on the target, and
                features are pulled the other way in both (Zhang et al. 2019). "classifier": the adversary learns the
                source's labels, and features are pulled on the target alone (maximum classifier discrepancy, Saito et
                al. 2018, in one step by gradient reversal).
            margin: weight of the source against the target for the adversary.
        """
        super().__init__()
        self.head = copy.deepcopy(model.head)
        generator = torch.Generator().manual_seed(seed)
        for parameter in self.head.parameters():
            parameter.requires_grad_(True)
            if parameter.ndim > 1:
                noise = torch.randn(parameter.shape, generator=generator).to(parameter)
                parameter.data.add_(_APART * parameter.detach().std(correction=0) * noise)
        self.variant = variant
        self.margin = margin
        # Not an attribute that is a module: the model's parameters are not the method's.
        self._vector = functools.partial(output_vector, model)
        freeze_normalization(self.head)

    def train(self, mode: bool = True) -> Discrepancy:
        """Set the mode, but keep the statistics of the adversary's normalization."""
        super().train(mode)
        freeze_normalization(self.head)
        return self

    def forward(self, source: Seen, target: Seen, labels: torch.Tensor, strength: float) -> torch.Tensor:
        """Return what the adversary makes small, the negative discrepancy; features get its gradient times -strength.

        The head's own outputs carry no gradient: it must not learn to please its adversary.
        """
        agreed, pull = (source.output, strength) if self.variant == "disparity" else (labels, 0.0)
        return -disparity_discrepancy(
            self._second(source, pull),
            agreed.detach(),
            self._second(target, strength),
            target.output.detach(),
            self.margin,
        )

    def _second(self, seen: Seen, strength: float) -> torch.Tensor:
        return self._vector(self.head([reverse_gradient(m, strength) for m in seen.maps]))
