"""Strategies of fine-tuning by name: which parts learn in which order, and what holds them to their start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from calibration.errors import InputError
from policies.perception import PerceptionModel
from sim2real.adaptation.fine_tuning.phases import (
    BACKBONE,
    BATCH_NORM,
    FIRST_BLOCK,
    HEAD,
    LAST_BLOCK,
    LORA,
    Group,
    Phase,
    batch_norms,
)
from sim2real.adaptation.fine_tuning.sharing.model import HeadName
from sim2real.adaptation.fine_tuning.stages import stages_of

EarlyStop = Literal["off", "leave-out", "k-fold"]


@dataclass(frozen=True)
class FinetuneSettings:
    """How fine-tuning goes; the numbers of the default strategy were chosen on development splits.

    Attributes:
        probe_steps: steps in which the head learns alone on frozen features (Kumar et al. 2022).
        steps: steps after that; a strategy without this beginning takes both.
        probe_rate: learning rate of the head alone.
        rate: learning rate of the head afterwards.
        backbone_factor: learning rate of the backbone, as a share of the head's.
        replay_frames: simulated frames to mix in.
        replay_share: share of each batch that they make, from 0 to less than 1.
        strategy: name in `STRATEGIES`.
        stage_decay: of "layer-decay", a stage's learning rate as a share of the next one's.
        l2_sp: strength of "l2-sp".
        ewc: strength of "ewc", for Fisher information with mean 1.
        lora_rank: of "lora".
        early_stopping: stop where the loss on held-out frames is lowest: "off"; "leave-out" holds back a share of the
            labelled frames; "k-fold" finds the number of steps on three parts in turn, then trains on all.
        last_rate: learning rate of the last phase, others in proportion; None: the strategy's own.
        find_rate: find that rate by a range test (Smith 2017).
        heads: auxiliary heads that simulated frames teach beside the photographs (Caruana 1997).
        head_weight: of each of their losses.
        wise: share of the tuned weights in the result (Wortsman et al. 2022); None: all.
    """

    probe_steps: int = 40
    steps: int = 45
    probe_rate: float = 1e-3
    rate: float = 5e-4
    backbone_factor: float = 0.5
    replay_frames: int = 160
    replay_share: float = 0.5
    strategy: str = "lp-ft"
    stage_decay: float = 0.7
    l2_sp: float = 0.01
    ewc: float = 0.01
    lora_rank: int = 4
    early_stopping: EarlyStop = "off"
    last_rate: float | None = None
    find_rate: bool = False
    wise: float | None = None
    heads: tuple[HeadName, ...] = ()
    head_weight: float = 0.3


@dataclass(frozen=True)
class Strategy:
    """A way to fine-tune, as data.

    Attributes:
        name: as a user says it.
        phases: in order.
        penalty: what holds weights to their start.
        strength: of the penalty; it is multiplied by it and added to the loss.
        lora_rank: of the low-rank corrections that are added before the first phase and merged after the last; 0: none.
    """

    name: str
    phases: tuple[Phase, ...]
    penalty: Literal["none", "l2-sp", "ewc"] = "none"
    strength: float = 0.0
    lora_rank: int = 0

    @property
    def steps(self) -> int:
        """Steps of all phases."""
        return sum(phase.steps for phase in self.phases)


Builder = Callable[[PerceptionModel, FinetuneSettings], Strategy]


def build_strategy(name: str, model: PerceptionModel, settings: FinetuneSettings | None = None) -> Strategy:
    """Return a strategy by name for a model.

    Raises:
        InputError: an unknown name, or a strategy for which the model lacks parts.
    """
    check_name(name)
    return STRATEGIES[name](model, settings or FinetuneSettings())


def check_name(name: str) -> None:
    """Raise InputError when there is no strategy of this name."""
    if name not in STRATEGIES:
        raise InputError(f"strategy must be one of {', '.join(STRATEGIES)}, got '{name}'")


def with_rate(strategy: Strategy, rate: float) -> Strategy:
    """Return a strategy whose last phase has this learning rate, and whose other phases change in proportion."""
    factor = rate / strategy.phases[-1].rate
    return replace(strategy, phases=tuple(replace(p, rate=p.rate * factor) for p in strategy.phases))


def _head(model: PerceptionModel, s: FinetuneSettings) -> Strategy:
    """The head alone: a probe of fixed features."""
    return Strategy("head", (_probe(s, s.probe_steps + s.steps),))


def _lp_ft(model: PerceptionModel, s: FinetuneSettings) -> Strategy:
    """The head alone, then everything (Kumar et al. 2022)."""
    return Strategy("lp-ft", (_probe(s, s.probe_steps), _all(s, s.steps)))


def _full(model: PerceptionModel, s: FinetuneSettings) -> Strategy:
    """Everything from the first step."""
    return Strategy("full", (_all(s, s.probe_steps + s.steps),))


def _gradual(model: PerceptionModel, s: FinetuneSettings) -> Strategy:
    """The head, then one stage more from the last to the first (Howard and Ruder 2018)."""
    body = [stage.name for stage in stages_of(model) if not stage.is_head][::-1]
    share, rest = divmod(s.steps, len(body))
    phases = [_probe(s, s.probe_steps)]
    for k, name in enumerate(body):
        # What does not divide goes to the phase in which everything learns.
        steps = share + (rest if k + 1 == len(body) else 0)
        groups = (Group((HEAD,)), Group(tuple(body[: k + 1]), s.backbone_factor))
        phases.append(Phase(f"from {name}", steps, s.rate, groups))
    return Strategy("gradual", tuple(p for p in phases if p.steps > 0))


def _surgical(model: PerceptionModel, s: FinetuneSettings) -> Strategy:
    """The stem and the first stage alone, for a change of the pictures themselves (Lee et al. 2023)."""
    return Strategy("surgical", (Phase("first block", s.probe_steps + s.steps, s.rate, (Group((FIRST_BLOCK,)),)),))


def _last_block(model: PerceptionModel, s: FinetuneSettings) -> Strategy:
    """The head alone, then with the backbone's last stage (Yosinski et al. 2014)."""
    groups = (Group((HEAD,)), Group((LAST_BLOCK,), s.backbone_factor))
    return Strategy("last-block", (_probe(s, s.probe_steps), Phase("last block", s.steps, s.rate, groups)))


def _batch_norm(model: PerceptionModel, s: FinetuneSettings) -> Strategy:
    """Scales and shifts of batch normalization alone (Frankle et al. 2021)."""
    if not batch_norms(model):
        raise InputError(
            f"strategy batch-norm needs batch normalization, backbone '{model.spec.backbone}' has none; use another"
        )
    phase = Phase("batch norm", s.probe_steps + s.steps, s.probe_rate, (Group((BATCH_NORM,)),))
    return Strategy("batch-norm", (phase,))


def _layer_decay(model: PerceptionModel, s: FinetuneSettings) -> Strategy:
    """The head alone, then everything, each stage slower than the next (Clark et al. 2020)."""
    body = [stage.name for stage in stages_of(model) if not stage.is_head][::-1]
    groups = [Group((HEAD,)), *(Group((name,), s.stage_decay ** (k + 1)) for k, name in enumerate(body))]
    return Strategy("layer-decay", (_probe(s, s.probe_steps), Phase("all", s.steps, s.rate, tuple(groups))))


def _l2_sp(model: PerceptionModel, s: FinetuneSettings) -> Strategy:
    """As lp-ft, with weights held near their start (Li et al. 2018)."""
    return Strategy("l2-sp", _lp_ft(model, s).phases, "l2-sp", s.l2_sp)


def _ewc(model: PerceptionModel, s: FinetuneSettings) -> Strategy:
    """As lp-ft, with weights held the more, the more simulated frames need them (Kirkpatrick et al. 2017)."""
    return Strategy("ewc", _lp_ft(model, s).phases, "ewc", s.ewc)


def _lora(model: PerceptionModel, s: FinetuneSettings) -> Strategy:
    """The head alone, then with low-rank corrections of the backbone's layers (Hu et al. 2022)."""
    groups = (Group((HEAD,)), Group((LORA,)))
    phases = (_probe(s, s.probe_steps), Phase("low rank", s.steps, s.rate, groups))
    return Strategy("lora", phases, lora_rank=s.lora_rank)


def _probe(s: FinetuneSettings, steps: int) -> Phase:
    return Phase("head", steps, s.probe_rate, (Group((HEAD,)),))


def _all(s: FinetuneSettings, steps: int) -> Phase:
    return Phase("all", steps, s.rate, (Group((HEAD,)), Group((BACKBONE,), s.backbone_factor)))


STRATEGIES: dict[str, Builder] = {
    "head": _head,
    "lp-ft": _lp_ft,
    "full": _full,
    "gradual": _gradual,
    "surgical": _surgical,
    "last-block": _last_block,
    "batch-norm": _batch_norm,
    "layer-decay": _layer_decay,
    "l2-sp": _l2_sp,
    "ewc": _ewc,
    "lora": _lora,
}


def text_of(name: str) -> str:
    """Return one line about a strategy."""
    return (STRATEGIES[name].__doc__ or "").rstrip(".")
