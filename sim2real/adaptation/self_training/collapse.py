"""Notice that training collapses or stops being finite, and go back to the last good state."""

from __future__ import annotations

import math

import torch
from torch import nn


def feature_rank(features: torch.Tensor) -> float:
    """Return the effective rank of features (N, D) about their mean, 0 to min(N - 1, D) (Roy and Vetterli 2007).

    It is exp(H(p)), H the Shannon entropy of the singular values divided by their sum: D for D equally strong
    directions, 1 when all features lie on a line, and 0 when they are all the same.
    """
    values = features.detach().double()
    values = values - values.mean(dim=0)
    singular = torch.linalg.svdvals(values)
    total = singular.sum()
    # What is left of equal features after the mean is taken off is rounding.
    if float(total) <= 1e-6 * float(features.detach().double().abs().max().clamp(min=1e-30)):
        return 0.0
    share = singular / total
    return float(torch.exp(torch.special.entr(share).sum()))


def spread_ratio(before: torch.Tensor, after: torch.Tensor) -> float:
    """Return how widely predictions (N, L) vary over pictures after training, as a share of before.

    It is the ratio of the root mean squares of the distances from the mean prediction; infinite where predictions did
    not vary before.
    """
    spread = [math.sqrt(float(x.detach().double().var(dim=0, correction=0).sum())) for x in (before, after)]
    if spread[0] == 0.0:
        return math.inf
    return spread[1] / spread[0]


class Watch:
    """Compares a model in training with its start, and keeps its last good state."""

    def __init__(
        self,
        model: nn.Module,
        output: torch.Tensor,
        features: torch.Tensor,
        smallest_spread: float = 0.3,
        smallest_rank: float = 0.3,
    ) -> None:
        """Keep the start.

        Args:
            model: whose state is kept.
            output: (N, L), what it says about N pictures that differ, at the start.
            features: (N, D), of the same pictures.
            smallest_spread: share of the start's spread of predictions below which they have collapsed.
            smallest_rank: share of the start's effective rank below which features have collapsed.
        """
        self._model = model
        self._output = output.detach().clone()
        self._rank = feature_rank(features)
        self._smallest_spread, self._smallest_rank = smallest_spread, smallest_rank
        self._good: dict[str, torch.Tensor] = {}
        self.keep()

    def keep(self) -> None:
        """Keep the present state as the last good one."""
        self._good = {name: value.detach().clone() for name, value in self._model.state_dict().items()}

    def restore(self) -> None:
        """Put the last good state back, bit for bit."""
        self._model.load_state_dict(self._good)

    def check(self, loss: float, output: torch.Tensor, features: torch.Tensor) -> str | None:
        """Return None and keep the state when all is well, else one line that says what went wrong.

        Args:
            loss: of training.
            output: (N, L) of the start's pictures.
            features: (N, D) of the same pictures.
        """
        trouble = self._trouble(loss, output, features)
        if trouble is None:
            self.keep()
        return trouble

    def _trouble(self, loss: float, output: torch.Tensor, features: torch.Tensor) -> str | None:
        if not math.isfinite(loss):
            return f"the loss is {loss}"
        if not bool(torch.isfinite(output).all() and torch.isfinite(features).all()):
            return "predictions or features are not finite"
        if not all(bool(torch.isfinite(value).all()) for value in self._model.state_dict().values()):
            return "weights are not finite"
        ratio = spread_ratio(self._output, output)
        if ratio < self._smallest_spread:
            return f"predictions collapsed: they vary {ratio:.2f} times as much as at the start"
        rank = feature_rank(features)
        if rank < self._smallest_rank * self._rank:
            return f"features collapsed: their effective rank fell from {self._rank:.1f} to {rank:.1f}"
        return None
