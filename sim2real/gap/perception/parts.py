"""What a page says of labels, harm, neighbours and features, measured together since they share the models' answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from policies.perception import PerceptionModel
from sim2real.advice.active_learning.picking import pick_photographs, placing_stage
from sim2real.advice.arrays import Floats
from sim2real.advice.distances.inception import Inception
from sim2real.advice.photographs import Photographs
from sim2real.advice.record import PickedFrame
from sim2real.advice.stages import answers, stage_names
from sim2real.configs import GapConfig
from sim2real.gap.advice import Step
from sim2real.gap.looks import fixed_gap, inception_gap, stage_gaps
from sim2real.gap.perception.harm import Verdict, guard_verdict, harms
from sim2real.gap.perception.learning import Learning, forecast_step, learning
from sim2real.gap.perception.to_label import label_step
from sim2real.gap.perception.worst import worst_frames
from sim2real.realdata import RealFrame, stack_pictures
from sim2real.scoring import FrameScore

Picture = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Drawings:
    """What is drawn on the page beside twins and tables.

    Attributes:
        curve: error against labelled frames; None without a model that saw labels.
        neighbours: a photograph, the nearest simulated frame and the nearest other photograph, if there is one.
        picks: photographs to label, best first.
    """

    curve: Learning | None
    neighbours: tuple[tuple[Picture, Picture, Picture | None], ...]
    picks: tuple[Picture, ...]


@dataclass(frozen=True, eq=False)
class Parts:
    """Parts of a page.

    Attributes:
        plain: for gap.json, by key.
        steps: for the list of what to do next.
        drawings: that go with them.
    """

    plain: dict[str, Any]
    steps: tuple[Step, ...]
    drawings: Drawings


def page_parts(
    config: GapConfig,
    rows: Sequence[dict[str, Any]],
    scores: Sequence[Sequence[FrameScore]],
    models: Sequence[PerceptionModel],
    simulated: Picture,
    scored: Sequence[RealFrame],
    fitting: Sequence[RealFrame],
    offered: Photographs | None,
    inception: Inception | None,
    device: torch.device,
) -> Parts:
    """Return forecast, negative transfer, frames to label, neighbours of the worst frames, features before and after.

    Args:
        config: of the page.
        rows: one a model, the first before adaptation.
        scores: of each row's frames.
        models: of each row.
        simulated: frames (N, H, W, 3).
        scored: labelled frames that are scored.
        fitting: labelled frames that may be fitted.
        offered: photographs of which some may be labelled next; None: there are none.
        inception: to see pictures by as well; None: not.
        device: where models are.
    """
    names, real = [row["name"] for row in rows], config.real.name
    # Models that a command of the page makes must leave the same frames to be scored.
    held = f"{real} --test-groups {' '.join(config.test_groups)}" if config.test_groups else real
    errors = [np.array([s.error for s in found]) for found in scores]
    verdicts = _verdicts((config.model, *config.others), names)
    fell_back = [v.name for v in verdicts if v.use == "simulation only"]
    curve = learning(rows, errors, fell_back, held, len(fitting), config.seed)
    gaps, (stage, of_simulated, of_photographs) = _features(models, simulated, scored, fitting, device, config.seed)
    frames = [*scored, *fitting]
    near = worst_frames(stage, of_simulated, of_photographs, frames, {s.file: s.error for s in scores[0]})
    picks: list[PickedFrame] = []
    if offered is not None:
        picks = pick_photographs(offered, answers(models[0], offered.pictures, device), config.label_next)
    steps = [forecast_step(curve, names[0], held, len(fitting))]
    if config.unlabelled is not None:
        steps.append(label_step(picks, names[0], real, config.unlabelled.name))
    plain = {
        "learning": asdict(curve),
        "negative_transfer": asdict(harms(rows, errors, verdicts, held, config.seed)),
        "pictures": [*gaps[0], *_of_no_model(inception, simulated, stack_pictures(scored), config.seed)],
        "pictures_after": [{"name": n, "stages": found} for n, found in zip(names[1:], gaps[1:], strict=True)],
        "neighbours": near,
        "label_next": None
        if offered is None
        else {"by": names[0], "of": len(offered.may_label), "picks": [asdict(p) for p in picks]},
    }
    by_file = {f.file: f.picture for f in frames}
    tiles = tuple(
        (by_file[f["file"]], simulated[f["simulated"]], None if f["real"] is None else by_file[f["real"]])
        for f in near["frames"]
    )
    shown = tuple(offered.pictures[offered.files.index(p.file)] for p in picks) if offered is not None else ()
    drawings = Drawings(curve if curve.points else None, tiles, shown)
    return Parts(plain, tuple(s for s in steps if s is not None), drawings)


def _verdicts(folders: Sequence[Path], names: Sequence[str]) -> list[Verdict]:
    found = [guard_verdict(folder, name) for folder, name in zip(folders, names, strict=True)]
    return [v for v in found if v is not None]


def _of_no_model(inception: Inception | None, simulated: Picture, real: Picture, seed: int) -> list[dict[str, Any]]:
    """Return distances in features that are the same for every model."""
    found = [fixed_gap(simulated, real, seed)]
    return found if inception is None else [*found, inception_gap(inception, simulated, real, seed)]


def _features(
    models: Sequence[PerceptionModel],
    simulated: Picture,
    scored: Sequence[RealFrame],
    fitting: Sequence[RealFrame],
    device: torch.device,
    seed: int,
) -> tuple[list[list[dict[str, Any]]], tuple[str, Floats, Floats]]:
    """Return the distances in each model's stages, and for the first model a stage and its places of both kinds."""
    gaps, places = [], None
    for model in models:
        names = stage_names(model)
        ours, theirs = answers(model, simulated, device), answers(model, stack_pictures(scored), device)
        gaps.append(stage_gaps(names, ours, theirs, seed))
        if places is None:
            k = placing_stage(len(names))
            photographs = [theirs.stages[k].places]
            if fitting:
                photographs.append(answers(model, stack_pictures(fitting), device).stages[k].places)
            places = names[k], ours.stages[k].places, np.concatenate(photographs)
    assert places is not None
    return gaps, places
