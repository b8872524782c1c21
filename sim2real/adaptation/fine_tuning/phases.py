"""A phase of fine-tuning as data: which parts learn, and how fast; everything else is frozen."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from policies.perception import PerceptionModel
from sim2real.adaptation.fine_tuning.stages import Stage, stages_of

# Names of several stages, or of some of their parameters.
HEAD, BACKBONE, FIRST_BLOCK, LAST_BLOCK = "head", "backbone", "first_block", "last_block"
BATCH_NORM, LORA = "batch_norm", "lora"
WEIGHT_DECAY = 1e-3


@dataclass(frozen=True)
class Group:
    """Parts that learn together.

    Attributes:
        parts: names of stages, or "head", "backbone", "first_block" (stem and first stage), "last_block" (last stage of
            the backbone), "batch_norm" (scales and shifts of batch normalization), "lora" (added low-rank factors).
        factor: of the phase's learning rate.
        statistics: whether batch normalization of these stages keeps its statistics or goes on collecting them.
    """

    parts: tuple[str, ...]
    factor: float = 1.0
    statistics: Literal["frozen", "learning"] = "frozen"


@dataclass(frozen=True)
class Phase:
    """Steps in which the same parts learn.

    Attributes:
        name: for people.
        steps: how many.
        rate: highest learning rate.
        groups: what learns; a parameter belongs to the first group that names it.
    """

    name: str
    steps: int
    rate: float
    groups: tuple[Group, ...]


@dataclass(frozen=True, eq=False)
class Selection:
    """What a phase means for one model.

    Attributes:
        stages: of the model.
        factors: learning-rate factor of each parameter that learns, by name.
        learning: paths of batch normalizations that collect statistics.
    """

    stages: tuple[Stage, ...]
    factors: dict[str, float]
    learning: frozenset[str]

    def trainable(self, stage: Stage) -> tuple[str, ...]:
        """Return the parameters of a stage that learn."""
        return tuple(name for name in stage.parameters if name in self.factors)


def select(model: PerceptionModel, phase: Phase) -> Selection:
    """Return what learns in a phase.

    Raises:
        ValueError: an unknown part, or one that holds no parameters in this model.
    """
    stages = stages_of(model)
    norms = batch_norms(model)
    affine = {f"{path}.{kind}" for path in norms for kind in ("weight", "bias")}
    factors: dict[str, float] = {}
    learning: set[str] = set()
    for group in phase.groups:
        for part in group.parts:
            names = _parameters_of(part, stages, affine)
            if not names:
                raise ValueError(f"phase '{phase.name}': the model has no parameters in part '{part}'")
            for name in names:
                factors.setdefault(name, group.factor)
            if group.statistics == "learning":
                learning |= {p for p in norms if f"{p}.weight" in names}
    order = [name for name, _ in model.named_parameters()]
    return Selection(stages, {name: factors[name] for name in order if name in factors}, frozenset(learning))


def apply(model: PerceptionModel, selection: Selection) -> None:
    """Put a model into the state of a phase; call it again after every `train()` or `eval()`.

    What learns needs gradients and is in training mode; what does not has neither. A batch normalization keeps its
    statistics unless its group says "learning": a forward pass in training mode would move them.
    """
    for name, parameter in model.named_parameters():
        learns = name in selection.factors
        parameter.requires_grad_(learns)
        if not learns:
            # A gradient left from an earlier phase would count when gradients are clipped.
            parameter.grad = None
    model.train()
    active = [s for s in selection.stages if selection.trainable(s)]
    if all(s.is_head for s in active):
        model.backbone.eval()
    if not any(s.is_head for s in active):
        model.head.eval()
    for stage in selection.stages:
        if stage not in active:
            for path in stage.modules:
                model.get_submodule(path).eval()
    for path in batch_norms(model):
        if path not in selection.learning:
            model.get_submodule(path).eval()


def release(model: nn.Module) -> None:
    """Make a model whole again after its phases: evaluation mode, and everything may learn."""
    model.eval()
    for parameter in model.parameters():
        parameter.requires_grad_(True)
        parameter.grad = None


def make_optimizer(
    model: PerceptionModel, selection: Selection, rate: float, without_decay: Collection[str] = ()
) -> torch.optim.AdamW:
    """Return AdamW over what learns, and nothing else: AdamW shrinks even weights whose gradient is 0.

    Args:
        model: of the selection.
        selection: what learns.
        rate: learning rate; each group holds its factor as `rate_factor`.
        without_decay: parameters that a penalty holds instead.
    """
    parameters = dict(model.named_parameters())
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, factor in selection.factors.items():
        decay = 0.0 if name in without_decay else WEIGHT_DECAY
        groups.setdefault((factor, decay), []).append(parameters[name])
    listed: list[dict[str, Any]] = [
        {"params": members, "rate_factor": factor, "weight_decay": decay} for (factor, decay), members in groups.items()
    ]
    return torch.optim.AdamW(listed, lr=rate)


def batch_norms(model: nn.Module) -> tuple[str, ...]:
    """Return paths of all batch normalizations."""
    return tuple(path for path, m in model.named_modules() if isinstance(m, nn.modules.batchnorm._BatchNorm))


def _parameters_of(part: str, stages: tuple[Stage, ...], affine: set[str]) -> list[str]:
    body = [s for s in stages if not s.is_head]
    sets = {
        HEAD: [s for s in stages if s.is_head],
        BACKBONE: body,
        FIRST_BLOCK: body[:2],
        LAST_BLOCK: body[-1:],
        **{s.name: [s] for s in stages},
    }
    everything = [name for s in stages for name in s.parameters]
    if part == BATCH_NORM:
        return [name for name in everything if name in affine]
    if part == LORA:
        return [name for name in everything if is_low_rank(name)]
    if part not in sets:
        raise ValueError(f"part must be one of {', '.join([*sets, BATCH_NORM, LORA])}, got '{part}'")
    return [name for s in sets[part] for name in s.parameters]


def is_low_rank(name: str) -> bool:
    """Return whether a parameter is a factor that `sim2real.adaptation.fine_tuning.lora` added."""
    return name.endswith((".lora_down", ".lora_up"))
