"""Fine-tune a model on labelled frames as its settings say: strategy, rate, early stopping, interpolation."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from calibration.errors import InputError
from calibration.rig import Rig
from policies.perception import PerceptionModel
from sim2real.adaptation.fine_tuning.early_stopping import EarlyStopping, StopAt, best_common_step, folds, leave_out
from sim2real.adaptation.fine_tuning.frames import Augment, mixed
from sim2real.adaptation.fine_tuning.interpolation import interpolate
from sim2real.adaptation.fine_tuning.penalties import Tensors
from sim2real.adaptation.fine_tuning.rate_finder import RateCurve, find_rate
from sim2real.adaptation.fine_tuning.sharing.auxiliary import AuxiliaryHeads
from sim2real.adaptation.fine_tuning.sharing.model import TaskBatch
from sim2real.adaptation.fine_tuning.strategies import FinetuneSettings, Strategy, build_strategy, check_name, with_rate
from sim2real.adaptation.fine_tuning.training import Watch, prepare, run_strategy
from sim2real.pretrain import batch_tensors
from sim2real.progress import progress
from sim2real.stream import Batch

logger = logging.getLogger(__name__)

_HELD_SHARE = 0.2
_FOLDS = 3
# Simulated frames by which the need for each weight is judged: more change its mean over weights little.
_FISHER_FRAMES = 32


@dataclass(frozen=True)
class Tuned:
    """What fine-tuning did.

    Attributes:
        strategy: with the rates that were used.
        steps: after which the weights were kept.
        held_out: numbers of the frames that early stopping held back, and that no step saw.
        losses: on held-out frames by step, (step, loss); the mean over folds with "k-fold".
        rate_curve: of the range test, if there was one.
        head_losses: of each auxiliary head, over the first and the last tenth of the steps.
    """

    strategy: Strategy
    steps: int
    held_out: tuple[int, ...] = ()
    losses: tuple[tuple[int, float], ...] = ()
    rate_curve: RateCurve | None = None
    head_losses: dict[str, tuple[float, float]] = field(default_factory=dict)


def check_settings(settings: FinetuneSettings, frames: int | None = None) -> None:
    """Raise InputError when a setting is out of range, or needs more than this many labelled frames."""
    s = settings
    check_name(s.strategy)
    if s.wise is not None and not 0.0 <= s.wise <= 1.0:
        raise InputError(f"wise must be from 0 (as before fine-tuning) to 1 (as after it), got {s.wise}")
    if not 0.0 <= s.replay_share < 1.0:
        raise InputError(f"replay_share must be 0 or more and less than 1, got {s.replay_share}")
    if len(set(s.heads)) < len(s.heads) or not s.head_weight > 0:
        raise InputError(f"heads must be named once and head_weight be above 0, got {s.heads} and {s.head_weight}")
    if s.heads and s.strategy == "head":
        raise InputError(f"heads {', '.join(s.heads)} teach the backbone, which strategy head freezes; use another")
    if s.last_rate is not None and not s.last_rate > 0:
        raise InputError(f"rate must be more than 0, got {s.last_rate}; leave it out for the strategy's own")
    if s.last_rate is not None and s.find_rate:
        raise InputError(f"rate {s.last_rate} is given, so find_rate has nothing to find; leave one of them out")
    if s.early_stopping != "off" and frames is not None and frames < 2:
        raise InputError(f"early stopping needs 2 or more labelled frames, got {frames}; turn it off")


def tune(
    model: PerceptionModel,
    rig: Rig,
    real: Batch,
    replay: Batch | None,
    seed: int,
    device: torch.device,
    settings: FinetuneSettings | None = None,
    tasks: TaskBatch | None = None,
) -> Tuned:
    """Fine-tune the model in place and return what was done; the model is left in evaluation mode.

    Args:
        model: keeps the names of its weights.
        rig: whose preset gives the sensor effects by which real frames are changed.
        real: labelled frames, with keypoints as the camera that will be used sees them.
        replay: simulated frames to mix in; None: none.
        seed: of the order and of all changes.
        device: where the model is.
        settings: what learns when.
        tasks: simulated frames with the labels of the auxiliary heads, where the settings name some.

    Raises:
        InputError: an unknown strategy, settings out of range, or too few frames to hold some back.
    """
    s = settings or FinetuneSettings()
    check_settings(s)
    strategy = build_strategy(s.strategy, model, s)
    augment = Augment(rig, seed)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    heads: AuxiliaryHeads | None = None

    def batches(fitted: Batch) -> Callable[[int], Tensors]:
        return lambda step: batch_tensors(mixed(fitted, replay, augment, seed, step, s.replay_share), device)

    def run(fitted: Batch, watch: Watch | None, title: str = "fine-tune") -> int:
        nonlocal heads
        if s.heads:
            if tasks is None:
                raise ValueError(f"heads {', '.join(s.heads)} need simulated frames with all labels, got none")
            heads = AuxiliaryHeads(model, len(rig.bodies), s.heads, tasks, s.head_weight, seed)
        with progress(title, strategy.steps, "steps") as advance:
            source = _source(replay, device)
            options: dict[str, Any] = {"source": source, "watch": watch, "auxiliary": heads}
            return run_strategy(model, strategy, batches(fitted), device, **options, seed=seed, advance=advance)

    count = len(real.rgb)
    held_out: tuple[int, ...] = ()
    losses: tuple[tuple[int, float], ...] = ()
    curve = None
    if s.last_rate is not None:
        strategy = with_rate(strategy, s.last_rate)
    fit = np.arange(count)
    if s.early_stopping == "leave-out":
        fit, held = leave_out(count, _HELD_SHARE, seed)
        held_out = tuple(held.tolist())
    if s.find_rate:
        curve = _rate_curve(model, strategy, batches(real.take(fit)), device, seed)
        if curve.suggested is None:
            logger.warning("no rate found: the loss never fell; the strategy's own rates are used")
        else:
            strategy = with_rate(strategy, curve.suggested)
    if s.early_stopping == "leave-out":
        watch = _watch(model, real.take(held), device)
        run(real.take(fit), watch)
        steps, losses = watch.best_step, tuple(zip(watch.steps, watch.losses, strict=True))
    elif s.early_stopping == "k-fold":
        watches = []
        for number, (part, held) in enumerate(folds(count, _FOLDS, seed), 1):
            watches.append(_watch(model, real.take(held), device, patience=strategy.steps))
            run(real.take(part), watches[-1], f"fold {number}")
            model.load_state_dict(before)
        steps, losses = best_common_step([(w.steps, w.losses) for w in watches])
        run(real, StopAt(steps))
    else:
        steps = run(real, None)
    if s.wise is not None:
        model.load_state_dict(interpolate(before, model.state_dict(), s.wise))
    return Tuned(strategy, steps, held_out, losses, curve, heads.first_and_last() if heads is not None else {})


def _watch(model: PerceptionModel, held: Batch, device: torch.device, patience: int = 6) -> EarlyStopping:
    tensors = batch_tensors(held, device)

    def loss() -> float:
        model.eval()
        with torch.no_grad():
            return float(model.loss(*tensors))

    return EarlyStopping(loss, patience=patience)


def _source(replay: Batch | None, device: torch.device) -> Iterator[Tensors]:
    if replay is not None:
        yield batch_tensors(replay.take(np.arange(min(_FISHER_FRAMES, len(replay.rgb)))), device)


def _rate_curve(
    model: PerceptionModel, strategy: Strategy, batch_at: Callable[[int], Tensors], device: torch.device, seed: int
) -> RateCurve:
    """Return the range test of the last phase, on a copy that has what the strategy adds."""
    tried = copy.deepcopy(model)
    prepare(tried, strategy, seed)
    return find_rate(tried, strategy.phases[-1], batch_at, device)
