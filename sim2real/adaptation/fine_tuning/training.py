"""The steps of a strategy on a model."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Protocol

import torch
from torch import nn

from calibration.errors import InputError
from policies.device import mixed_precision
from policies.perception import PerceptionModel
from sim2real.adaptation.fine_tuning.lora import apply_lora, merge_lora
from sim2real.adaptation.fine_tuning.penalties import (
    Tensors,
    ewc,
    fisher_diagonal,
    l2_sp,
    scaled_fisher,
    weights_of,
)
from sim2real.adaptation.fine_tuning.phases import WEIGHT_DECAY, apply, make_optimizer, release, select
from sim2real.adaptation.fine_tuning.strategies import Strategy
from sim2real.pretrain import schedule

_CLIP = 5.0
Penalty = Callable[[], torch.Tensor]


class Watch(Protocol):
    """Looks at the model between steps."""

    def update(self, step: int, model: nn.Module) -> bool:
        """Say whether to stop after `step` steps; asked first before any, with 0."""
        ...

    def restore(self, model: nn.Module) -> None:
        """Give the model the weights that it shall keep."""
        ...


class Auxiliary(Protocol):
    """Tasks beside the model's own."""

    def parameters(self) -> list[nn.Parameter]:
        """Return what learns with the model and is no part of it."""
        ...

    def loss(self, step: int) -> torch.Tensor:
        """Return what is added to the loss of a step, from 0."""
        ...


def run_strategy(
    model: PerceptionModel,
    strategy: Strategy,
    batch_at: Callable[[int], Tensors],
    device: torch.device,
    *,
    source: Iterable[Tensors] = (),
    watch: Watch | None = None,
    auxiliary: Auxiliary | None = None,
    seed: int = 0,
    advance: Callable[[int], None] | None = None,
) -> int:
    """Fine-tune a model in place and return the number of steps taken; it is left in evaluation mode.

    Args:
        model: keeps the names of its weights.
        strategy: what learns when.
        batch_at: gives the pictures, keypoints, weights and points of a step, from 0.
        device: where the model is.
        source: batches of the task before, for the Fisher information of "ewc".
        watch: may end the training early and choose which weights are kept.
        auxiliary: tasks that are learned beside it.
        seed: of the low-rank factors.
        advance: told how many steps are done.

    Raises:
        InputError: the loss is no number any more; or "ewc" without `source`. The model is then as it was before.
    """
    before = {name: value.clone() for name, value in model.state_dict().items()}
    try:
        done = _run(model, strategy, batch_at, device, source, watch, auxiliary, seed, advance)
    except Exception:
        merge_lora(model.backbone)
        model.load_state_dict(before)
        release(model)
        raise
    merge_lora(model.backbone)
    release(model)
    return done


def _run(
    model: PerceptionModel,
    strategy: Strategy,
    batch_at: Callable[[int], Tensors],
    device: torch.device,
    source: Iterable[Tensors],
    watch: Watch | None,
    auxiliary: Auxiliary | None,
    seed: int,
    advance: Callable[[int], None] | None,
) -> int:
    penalty, held = _penalty(model, strategy, source)
    prepare(model, strategy, seed)
    done, stopped = 0, watch is not None and watch.update(0, model)
    for phase in strategy.phases:
        if stopped:
            break
        selection = select(model, phase)
        apply(model, selection)
        optimizer = make_optimizer(model, selection, phase.rate, held)
        if auxiliary is not None:
            optimizer.add_param_group({"params": auxiliary.parameters(), "weight_decay": WEIGHT_DECAY})
        for k in range(phase.steps):
            if watch is not None:
                # It may have looked at the model in evaluation mode.
                apply(model, selection)
            added = _added(penalty, auxiliary, done)
            loss = tune_step(model, optimizer, batch_at(done), phase.rate * schedule(k / phase.steps), device, added)
            if not math.isfinite(loss):
                raise InputError(
                    f"fine-tuning diverged in step {done + 1} of strategy {strategy.name}: the loss is {loss}; "
                    "use a lower rate"
                )
            done += 1
            if advance is not None:
                advance(done)
            if watch is not None and watch.update(done, model):
                stopped = True
                break
    if watch is not None:
        watch.restore(model)
    return done


def prepare(model: PerceptionModel, strategy: Strategy, seed: int) -> None:
    """Add to a model in place what a strategy needs: low-rank corrections of the backbone."""
    if strategy.lora_rank:
        apply_lora(model.backbone, strategy.lora_rank, torch.Generator().manual_seed(seed))


def tune_step(
    model: PerceptionModel,
    optimizer: torch.optim.Optimizer,
    tensors: Tensors,
    rate: float,
    device: torch.device,
    penalty: Penalty | None = None,
) -> float:
    """Take one step without touching which parts are in training mode; return the loss with the penalty."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("rate_factor", 1.0)
    with mixed_precision(device, on_cpu=True):
        loss = model.loss(*tensors)
    if penalty is not None:
        loss = loss + penalty()
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(model.parameters(), _CLIP)
    optimizer.step()
    return float(loss.detach())


def _added(penalty: Penalty | None, auxiliary: Auxiliary | None, step: int) -> Penalty | None:
    """Return what gives the loss beside that of the batch of a step."""
    if auxiliary is None:
        return penalty
    return lambda: auxiliary.loss(step) if penalty is None else auxiliary.loss(step) + penalty()


def _penalty(
    model: PerceptionModel, strategy: Strategy, source: Iterable[Tensors]
) -> tuple[Penalty | None, frozenset[str]]:
    """Return the penalty, and the parameters that it holds in place of weight decay."""
    if strategy.penalty == "none":
        return None, frozenset()
    start = weights_of(model)
    if strategy.penalty == "l2-sp":
        return lambda: strategy.strength * l2_sp(model, start), frozenset(start)
    batches = list(source)
    if not batches:
        raise InputError("strategy ewc needs simulated frames to know which weights they need, got none; use replay")
    fisher = scaled_fisher(fisher_diagonal(model, batches))
    return lambda: strategy.strength * ewc(model, start, fisher), frozenset(start)
