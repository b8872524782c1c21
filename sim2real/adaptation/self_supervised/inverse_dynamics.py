"""Inverse dynamics: what moved between two pictures of one world is read from the backbone's features of both."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from policies.perception import PerceptionModel
from sim2real.adaptation.fine_tuning.sharing.model import DenseHead
from sim2real.adaptation.self_supervised.moments import Moments, SimulatedMoments
from sim2real.adaptation.self_supervised.pretext import Pretext, scale_gradient, seeded

_PLACES = 16
_HIDDEN = 128


class Displacement(nn.Module):
    """What moved, from places in both pictures: expected positions of learned maps (Levine et al. 2016), two layers."""

    def __init__(self, model: PerceptionModel, outputs: int) -> None:
        """Build it for a model's feature maps."""
        super().__init__()
        self.maps = DenseHead(model.backbone.channels, _PLACES)
        self.layers = nn.Sequential(nn.Linear(6 * _PLACES, _HIDDEN), nn.ReLU(inplace=True), nn.Linear(_HIDDEN, outputs))

    def forward(self, first: list[torch.Tensor], second: list[torch.Tensor]) -> torch.Tensor:
        """Return displacements (N, D) from the feature maps of N first and N second pictures."""
        a, b = self._places(first), self._places(second)
        # Their difference is most of the answer.
        out: torch.Tensor = self.layers(torch.cat([a, b, b - a], dim=1))
        return out.float()

    def _places(self, maps: list[torch.Tensor]) -> torch.Tensor:
        logits = self.maps(maps)
        n, k, h, w = logits.shape
        share = torch.softmax(logits.flatten(2), dim=2).reshape(n, k, h, w)
        x = torch.linspace(-1.0, 1.0, w, device=logits.device)
        y = torch.linspace(-1.0, 1.0, h, device=logits.device)
        return torch.cat([(share.sum(dim=2) * x).sum(dim=2), (share.sum(dim=3) * y).sum(dim=2)], dim=1)


def displacement_loss(predicted: torch.Tensor, moved: torch.Tensor) -> torch.Tensor:
    """Return the mean Huber loss of displacements (N, D) over what is known; 0 where nothing is.

    Args:
        predicted: (N, D).
        moved: (N, D), NaN where unknown.
    """
    known = torch.isfinite(moved)
    error = functional.smooth_l1_loss(predicted, torch.nan_to_num(moved), reduction="none")
    return (error * known).sum() / known.sum().clamp(min=1)


class InverseDynamics(Pretext):
    """Predicts what moved between two moments, on simulated pairs and on photographs whose joints were measured.

    Agrawal et al. 2016 (inverse model); Hansen et al. 2021 (PAD): beside the supervised loss, on the target's own
    recordings. Of a recording only displacements are used, which are the arm's actions: positions are not.
    """

    def __init__(
        self, model: PerceptionModel, simulated: SimulatedMoments, real: Moments, seed: int, pairs: int = 8
    ) -> None:
        """Build the predictor.

        Args:
            model: whose backbone sees.
            simulated: draws pairs; closed with this.
            real: pairs of photographs.
            seed: of the predictor and of which pairs are taken when.
            pairs: of each domain in a step.
        """
        super().__init__()
        self._simulated, self._real, self._seed, self._pairs = simulated, real, seed, pairs
        self.predictor = seeded(lambda: Displacement(model, len(simulated.components)), seed)

    def forward(
        self, model: PerceptionModel, simulated: torch.Tensor, real: torch.Tensor, step: int, strength: float
    ) -> torch.Tensor:
        """Return the mean loss of simulated and real pairs in equal parts; the given pictures are not used."""
        drawn = self._simulated.batch(step, self._pairs)
        rng = np.random.default_rng([self._seed, 11, step])
        chosen = rng.integers(len(self._real.first), size=self._pairs)
        device = simulated.device
        rgb = np.concatenate([drawn.first, self._real.first[chosen], drawn.second, self._real.second[chosen]])
        moved = torch.from_numpy(np.concatenate([drawn.moved, self._real.moved[chosen]])).float().to(device)
        maps = model.encode(torch.from_numpy(np.ascontiguousarray(rgb)).permute(0, 3, 1, 2).to(device))
        n = 2 * self._pairs
        predicted = self.predictor(
            [scale_gradient(m[:n], strength) for m in maps], [scale_gradient(m[n:], strength) for m in maps]
        )
        half = self._pairs
        return (
            displacement_loss(predicted[:half], moved[:half]) + displacement_loss(predicted[half:], moved[half:])
        ) / 2

    def close(self) -> None:
        """Close the simulator; twice is fine."""
        self._simulated.close()
