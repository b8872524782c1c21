"""A model part by part: how many numbers, what a strategy of fine-tuning changes, and where it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from policies.checkpoint import ModelCard, load_checkpoint
from policies.perception import PerceptionModel
from sim2real.adaptation.fine_tuning.phases import Phase, Selection, batch_norms, select
from sim2real.adaptation.fine_tuning.strategies import Strategy, build_strategy, check_name, text_of
from sim2real.adaptation.fine_tuning.training import prepare
from sim2real.adaptation_configs import DescribeConfig

_COLUMNS = ("part", "parameters", "trainable", "rate factor", "batch norm")


@dataclass(frozen=True)
class Row:
    """One part of a model in one phase.

    Attributes:
        part: name of the stage.
        parameters: how many numbers.
        trainable: how many of them learn.
        factors: learning-rate factors of those, each once.
        normalization: "learning" or "frozen" statistics, "none" without batch normalization.
    """

    part: str
    parameters: int
    trainable: int
    factors: tuple[float, ...]
    normalization: str


def describe(config: DescribeConfig) -> str:
    """Return the description of a run's model, in lines for a terminal.

    Raises:
        InputError: no finished model there, or an unknown strategy.
    """
    check_name(config.strategy)
    model, card = load_checkpoint(config.model, torch.device("cpu"))
    strategy = build_strategy(config.strategy, model)
    lines = [*card_lines(model, card), ""]
    prepare(model, strategy, 0)
    lines += [f"strategy {strategy.name}: {text_of(strategy.name)}", *_extras(strategy)]
    for number, phase in enumerate(strategy.phases, 1):
        count = f"phase {number} of {len(strategy.phases)}"
        lines += ["", f"{count}, {phase.name}: {phase.steps} steps, rate {phase.rate:g}"]
        lines += table_lines(phase_rows(model, phase))
    return "\n".join(lines)


def card_lines(model: PerceptionModel, card: ModelCard) -> list[str]:
    """Return what the model is and where it comes from."""
    width, height = card.spec.input_size_px
    strides = ", ".join(str(s) for s in model.backbone.strides)
    total = sum(p.numel() for p in model.parameters())
    return [
        f"backbone     {card.spec.backbone}, maps of stride {strides}",
        f"head         {_head_text(card)}",
        f"input        {width} x {height} pixels",
        f"parameters   {total:,}",
        f"rig          {card.rig.name}",
        f"labels       {_label_text(card)}",
        f"selection    {card.selection}",
        f"camera       {card.camera_source}",
        f"trained on   {card.trained_on}",
    ]


def phase_rows(model: PerceptionModel, phase: Phase) -> list[Row]:
    """Return a row for each part of a model, in order; the last, "total", sums them up."""
    selection = select(model, phase)
    sizes = {name: p.numel() for name, p in model.named_parameters()}
    norms = batch_norms(model)
    rows = []
    for stage in selection.stages:
        learns = selection.trainable(stage)
        own = [path for path in norms if f"{path}.weight" in stage.parameters]
        rows.append(
            Row(
                stage.name,
                sum(sizes[name] for name in stage.parameters),
                sum(sizes[name] for name in learns),
                tuple(sorted({selection.factors[name] for name in learns})),
                _normalization(own, selection),
            )
        )
    total = Row("total", sum(r.parameters for r in rows), sum(r.trainable for r in rows), (), "")
    return [*rows, total]


def table_lines(rows: Sequence[Row]) -> list[str]:
    """Return rows as a table of text."""
    cells = [_COLUMNS, *(_cells(row) for row in rows)]
    widths = [max(len(line[k]) for line in cells) for k in range(len(_COLUMNS))]
    return ["  ".join(_aligned(line, widths)).rstrip() for line in cells]


def _aligned(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    words = (0, len(_COLUMNS) - 1)
    return [
        text.ljust(width) if k in words else text.rjust(width)
        for k, (text, width) in enumerate(zip(line, widths, strict=True))
    ]


def _cells(row: Row) -> tuple[str, str, str, str, str]:
    factors = ", ".join(f"{f:.3g}" for f in row.factors)
    learns = f"{row.trainable:,}" if row.trainable else "frozen"
    return row.part, f"{row.parameters:,}", learns, factors, row.normalization


def _normalization(paths: Sequence[str], selection: Selection) -> str:
    if not paths:
        return "none"
    return "learning" if any(path in selection.learning for path in paths) else "frozen"


def _head_text(card: ModelCard) -> str:
    if card.spec.head == "regression":
        return "regression of the label point"
    return f"heatmaps of {card.spec.keypoints} keypoint" + ("s" if card.spec.keypoints > 1 else "")


def _label_text(card: ModelCard) -> str:
    label = card.rig.label
    text = f"{label.name} ({', '.join(label.components)})"
    if card.spec.head == "regression":
        return text
    return f"{text}, lifted from keypoints {', '.join(k.name for k in card.rig.keypoints)}"


def _extras(strategy: Strategy) -> list[str]:
    found = []
    if strategy.penalty != "none":
        found.append(f"penalty {strategy.penalty}, strength {strategy.strength:g}; no weight decay on what it holds")
    if strategy.lora_rank:
        found.append(f"low-rank corrections of rank {strategy.lora_rank}, merged into the weights at the end")
    return found
