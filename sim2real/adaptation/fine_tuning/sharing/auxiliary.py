"""Auxiliary heads in fine-tuning: simulated frames teach them, and through them the encoder, beside the photographs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from policies.device import mixed_precision
from policies.perception import PerceptionModel
from sim2real.adaptation.fine_tuning.sharing.model import HeadName, MultiTaskModel, TaskBatch

_SIZE = 8


class AuxiliaryHeads:
    """Heads for what simulation labels for free, on the encoder of a model that is fine-tuned (Caruana 1997).

    They are no part of the model, which is saved without them.
    """

    def __init__(
        self,
        model: PerceptionModel,
        bodies: int,
        heads: Sequence[HeadName],
        frames: TaskBatch,
        weight: float,
        seed: int,
    ) -> None:
        """Build the heads; torch's own generator is left as it is.

        Args:
            model: whose encoder they share.
            bodies: how many bodies a mask tells apart, beside "none".
            heads: what is predicted.
            frames: simulated, with the labels of all tasks.
            weight: of each head's loss.
            seed: of the heads and of which frames are taken when.
        """
        device = next(model.parameters()).device
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._shared = MultiTaskModel(model, bodies, heads)
        self._shared.heads.to(device)
        self._frames, self._weight, self._seed, self._device = frames, weight, seed, device
        self._history: dict[str, list[float]] = {name: [] for name in heads}

    def parameters(self) -> list[nn.Parameter]:
        """Return what the heads learn."""
        return list(self._shared.heads.parameters())

    def loss(self, step: int) -> torch.Tensor:
        """Return the weighted sum of the heads' losses on the frames of a step, a scalar."""
        rng = np.random.default_rng([self._seed, step, 2])
        chosen = torch.from_numpy(rng.integers(len(self._frames.pictures), size=_SIZE))
        with mixed_precision(self._device, on_cpu=True):
            losses = self._shared.losses(self._frames.take(chosen).to(self._device))
        for name, loss in losses.items():
            self._history[name].append(float(loss.detach()))
        return self._weight * torch.stack(list(losses.values())).sum()

    def first_and_last(self) -> dict[str, tuple[float, float]]:
        """Return each head's loss, unweighted, over the first and the last tenth of the steps; empty before any."""
        found = {}
        for name, losses in self._history.items():
            tenth = max(1, len(losses) // 10)
            if losses:
                found[name] = (float(np.mean(losses[:tenth])), float(np.mean(losses[-tenth:])))
        return found
