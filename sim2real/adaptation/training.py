"""The training loop of adaptation: simulated frames teach the task, unlabelled photographs pull the features."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from policies.device import mixed_precision
from policies.perception import PerceptionModel, freeze_normalization
from sim2real.adaptation.feature_level.alignment import Alignment
from sim2real.adaptation.guards.training import TrainingGuard
from sim2real.adaptation.seen import Seen, label_vector, see
from sim2real.adaptation.self_supervised.pretext import Pretext
from sim2real.adaptation.source import Source
from sim2real.pretrain import batch_tensors, schedule
from sim2real.progress import progress

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class AdaptSettings:
    """How training for adaptation goes; chosen on development splits.

    Attributes:
        steps: of training.
        batch: frames of each domain in a step.
        rate: learning rate of the head.
        backbone_factor: learning rate of the backbone, as a share of the head's.
        weight: of the feature-level loss; None takes the method's own.
        pretext_weight: of the self-supervised loss; None takes the method's own.
        stage: whose features are aligned; -1 is the coarsest.
        translator_steps: of learning canonical looks.
        teacher_steps: of the mean teacher.
        pool_frames: simulated frames that moments, weights and the mean teacher use.
        looks_frames: simulated frames from which sensor ranges are fitted.
        least_effective: share of the pool that weighted frames must be worth, or weights are flattened.
    """

    steps: int = 60
    batch: int = 16
    rate: float = 1e-3
    backbone_factor: float = 0.5
    weight: float | None = None
    pretext_weight: float | None = None
    stage: int = -1
    translator_steps: int = 300
    teacher_steps: int = 60
    pool_frames: int = 256
    looks_frames: int = 400
    least_effective: float = 0.25


@dataclass(frozen=True)
class Trained:
    """How a training went.

    Attributes:
        losses: of each step.
        stopped: None, or one line: why it stopped early and which state was put back.
        pretext_losses: of each step, unweighted, where there is a self-supervised method.
    """

    losses: tuple[float, ...]
    stopped: str | None
    pretext_losses: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False)
class Pulls:
    """What is added to the loss of the labelled frames.

    Attributes:
        alignment: feature-level method, or None.
        weight: of its loss.
        pretext: self-supervised method, or None.
        pretext_weight: of its loss.
    """

    alignment: Alignment | None = None
    weight: float = 0.0
    pretext: Pretext | None = None
    pretext_weight: float = 0.0

    @property
    def parts(self) -> list[nn.Module]:
        """The methods, whose own parameters are trained with the model and thrown away."""
        return [m for m in (self.alignment, self.pretext) if m is not None]


def ramp(progress_share: float) -> float:
    """Return how strongly the domains are pulled together, 0 at the start to 1 (Ganin et al. 2016, section 5.2.2)."""
    return float(2.0 / (1.0 + np.exp(-10.0 * progress_share)) - 1.0)


def train_adapted(
    model: PerceptionModel,
    source: Source,
    pulls: Pulls,
    pictures: NDArray[np.uint8],
    seed: int,
    device: torch.device,
    settings: AdaptSettings,
) -> Trained:
    """Train the model in place and return how it went; it is left in evaluation mode.

    Batch normalization keeps its statistics: those of two mixed domains would fit neither. Where the loss blows up, or
    predictions on photographs collapse, training stops and the last good state is put back.

    Args:
        model: pretrained.
        source: labelled simulated frames.
        pulls: methods that look at the photographs; none of them for the labelled frames alone.
        pictures: unlabelled photographs (N, H, W, 3) at the size that the model sees.
        seed: which photographs are drawn when.
        device: where the model is.
        settings: how it goes.
    """
    s = settings
    groups: list[dict[str, Any]] = [
        {"params": list(model.head.parameters()), "rate_factor": 1.0},
        {"params": list(model.backbone.parameters()), "rate_factor": s.backbone_factor},
    ]
    for part in pulls.parts:
        part.to(device).train()
        groups.append({"params": list(part.parameters()), "rate_factor": 1.0})
    optimizer = torch.optim.AdamW(groups, lr=s.rate, weight_decay=1e-3)
    rng = np.random.default_rng([seed, 6])
    guard = TrainingGuard(model, optimizer)
    losses: list[float] = []
    pretext_losses: list[float] = []
    stopped = None
    model.train()
    freeze_normalization(model)
    with progress("adapt", s.steps, "steps") as advance:
        for step in range(s.steps):
            torch.manual_seed(seed * 100_003 + step)
            tensors = batch_tensors(source.batch(step, s.batch), device)
            chosen = rng.integers(len(pictures), size=s.batch)
            share = step / s.steps
            real = torch.from_numpy(np.ascontiguousarray(pictures[chosen])).permute(0, 3, 1, 2).to(device)
            loss, target, pretext_loss = _loss(model, pulls, step, ramp(share), tensors, real, s.stage, device)
            if pretext_loss is not None:
                pretext_losses.append(float(pretext_loss.detach()))
            for group in optimizer.param_groups:
                group["lr"] = s.rate * schedule(share) * group["rate_factor"]
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_([p for g in groups for p in g["params"]], 5.0)
            optimizer.step()
            losses.append(float(loss.detach()))
            seen = (None, None) if target is None else (target.output.detach(), target.features.detach())
            stopped = guard.check(step + 1, losses[-1], *seen)
            advance(step + 1, f"loss {losses[-1]:.3f}")
            if stopped is not None:
                logger.warning("adaptation stopped: %s", stopped)
                break
    model.eval()
    return Trained(tuple(losses), stopped, tuple(pretext_losses))


def _loss(
    model: PerceptionModel,
    pulls: Pulls,
    step: int,
    strength: float,
    tensors: tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor],
    real: torch.Tensor,
    stage: int,
    device: torch.device,
) -> tuple[torch.Tensor, Seen | None, torch.Tensor | None]:
    """Return the loss, what the model makes of the photographs where a method looks at them, and the pretext's loss."""
    pictures, pixels, counted, points = tensors
    other: Seen | None = None
    told: torch.Tensor | None = None
    with mixed_precision(device, on_cpu=True):
        seen = see(model, pictures, stage)
        loss = model.loss_of(seen.out, pixels, counted, points)
        if pulls.alignment is not None:
            other = see(model, real, stage)
            labels = label_vector(model, pixels, counted, points)
            loss = loss + pulls.weight * pulls.alignment(seen, other, labels, strength)
        if pulls.pretext is not None:
            told = pulls.pretext(model, pictures, real, step, strength)
            loss = loss + pulls.pretext_weight * told
            if other is None:
                with torch.no_grad():
                    # For the guard: a pretext says nothing of what the head makes of photographs.
                    other = see(model, real, stage)
    return loss, other, told
