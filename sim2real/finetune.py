"""Fine-tune a pretrained model on a few real frames, mixed with simulated ones so that nothing is forgotten."""

from __future__ import annotations

import copy
import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from calibration.errors import InputError
from calibration.records import write_json
from calibration.rig import Rig
from calibration.view import CameraView
from envs.rendering.choice import RendererName
from policies.checkpoint import ModelCard, load_checkpoint, save_checkpoint
from policies.device import pick_device
from policies.perception import PerceptionModel
from sim2real.adaptation.fine_tuning.frames import REPLAY_START, Augment, real_batch
from sim2real.adaptation.fine_tuning.sharing.frames import draw_task_frames
from sim2real.adaptation.fine_tuning.sharing.model import TaskBatch
from sim2real.adaptation.fine_tuning.strategies import FinetuneSettings, build_strategy
from sim2real.adaptation.fine_tuning.tuning import Tuned, check_settings, tune
from sim2real.adaptation.guards.checks.doubt import Doubt
from sim2real.adaptation.guards.choosing import (
    Tune,
    choose_by_errors,
    choose_without_labels,
    errors_by_cross_fitting,
)
from sim2real.adaptation.guards.labelled_frames import check_labelled
from sim2real.adaptation.guards.never_worse import FEWEST_LABELLED, Decision
from sim2real.adaptation.guards.reliability import Reliability, fit_reliability, stage_features
from sim2real.adaptation_configs import FinetuneConfig
from sim2real.cameras import refitted_camera
from sim2real.labelled_photographs import report_data, start_camera, training_pool
from sim2real.presets import load_preset, rig_spec
from sim2real.pretrain import prepare_torch
from sim2real.progress import progress
from sim2real.realdata import RealFrame, load_real, stack_pictures
from sim2real.runs import RunFolder, recorded_randomization
from sim2real.scratch import from_scratch
from sim2real.splits import choose_frames
from sim2real.starting_model import starting_model
from sim2real.stream import Batch, SimulatedFrames
from sim2real.sweep.table import SCRATCH

__all__ = ["Augment", "FinetuneSettings", "draw_replay", "finetune", "real_batch", "tune_on_frames"]

logger = logging.getLogger(__name__)

# Simulated frames beyond those of replay, by which it is known how unlike training an ordinary frame may be.
_USUAL = 64
# Frames drawn at a time.
_PART = 8


def finetune(config: FinetuneConfig) -> Path:
    """Fine-tune a model on `config.frames` labelled photographs of a folder and return the run's folder.

    Raises:
        InputError: bad settings or data, or fewer usable frames than asked for; nothing is written then.
    """
    if config.frames < 1 or config.seed < 0:
        raise InputError(f"frames must be 1 or more and seed 0 or more, got {config.frames} and {config.seed}")
    if config.strategy == SCRATCH:
        return from_scratch(config)
    settings = settings_of(config)
    check_settings(settings, config.frames)
    start_model, device = starting_model(config), pick_device(config.device)
    prepare_torch(config.seed, config.threads)
    model, card = load_checkpoint(start_model, device)
    if card.spec.head != "keypoints":
        raise InputError(
            "finetune needs a model with the keypoints head, got regression; pretrain with --head keypoints"
        )
    build_strategy(settings.strategy, model, settings)
    data = load_real(config.real, card.rig)
    report_data(data)
    pool, split = training_pool(card.rig, data, config.frames, config.test_groups)
    frames = choose_frames(pool, config.frames, config.seed, "fine-tuning")
    start, aligned = start_camera(card, data)
    doubts = check_labelled(card.rig, start, frames, model, device, data.unlabelled, aligned)
    report_doubts(doubts, config.accept_doubts)
    run = RunFolder.create(config.out, config, config.resume)
    if run.finished:
        return config.out
    count = settings.replay_frames
    randomization = config.randomization or recorded_randomization(start_model)
    drawn = draw_replay(card.rig, config.seed, count + _USUAL, randomization, config.renderer)
    simulated = drawn.take(np.arange(count))
    replay = simulated if settings.replay_share > 0 or settings.strategy == "ewc" else None
    tasks = None
    if settings.heads:
        tasks = draw_task_frames(card.rig, config.seed, count, randomization, config.renderer)
    before = copy.deepcopy(model)
    given = replay, config.seed, device, settings, tasks
    view, tuned = tune_on_frames(model, card.rig, start, aligned, frames, *given)
    decision, errors = None, None
    if config.never_worse:

        def tune_again(other: PerceptionModel, some: Sequence[RealFrame]) -> CameraView:
            return tune_on_frames(other, card.rig, start, aligned, some, *given)[0]

        decision, errors = _decision(before, model, card.rig, start, frames, tune_again, device, config.seed)
        if decision.use == "simulation only":
            logger.warning("the model is kept as it was: %s", decision.reason)
            model, view = before, start
    fell_back = decision is not None and decision.use == "simulation only"
    how = "a guard fell back from " if fell_back else ""
    how += f"strategy {settings.strategy}" + (f", heads {', '.join(settings.heads)}" if settings.heads else "")
    how += "" if settings.wise is None else f", {settings.wise:g} of the way"
    new_card = dataclasses.replace(
        card,
        camera=view,
        camera_source=_camera_source(card, aligned) if fell_back else f"refitted on {len(frames)} labelled frames",
        selection=f"{len(frames)} labelled frames",
        trained_on=f"{card.trained_on}; then {len(frames)} photographs of {config.real.name}, {how}"
        + (", not used, as a guard fell back" if fell_back else ""),
    )
    write_json(config.out / "split.json", {**dataclasses.asdict(split), "used": [f.file for f in frames]})
    write_json(config.out / "tuning.json", dataclasses.asdict(tuned))
    provenance: dict[str, object] = {"command": "finetune", "model": str(start_model)}
    usual = drawn.take(np.arange(count, count + _USUAL))
    _reliability(model, simulated, usual, frames, errors, device).save(config.out / "model", provenance)
    save_checkpoint(config.out / "model", model, new_card, provenance)
    run.finish(
        {
            "frames": [f.file for f in frames],
            "camera": new_card.camera_source,
            "strategy": settings.strategy,
            "steps": tuned.steps,
            "doubts": [dataclasses.asdict(d) for d in doubts],
            "decision": dataclasses.asdict(decision) if decision else None,
        }
    )
    return config.out


def report_doubts(doubts: Sequence[Doubt], accepted: bool) -> None:
    """Log what looks wrong with labelled photographs.

    Raises:
        InputError: something that makes what is learned worth nothing, unless doubts are accepted.
    """
    refused = [d for d in doubts if d.severity == "refuse"]
    if refused and not accepted:
        more = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
        raise InputError(f"{refused[0]}{more}; --accept-doubts goes on all the same")
    for doubt in doubts:
        logger.warning("doubtful: %s", doubt)


def _decision(
    before: PerceptionModel,
    after: PerceptionModel,
    rig: Rig,
    view: CameraView,
    frames: Sequence[RealFrame],
    tune_again: Tune,
    device: torch.device,
    seed: int,
) -> tuple[Decision, NDArray[np.float64] | None]:
    """Return which model is used, and its errors on labelled frames that it did not see; None: they are too few."""
    if len(frames) < FEWEST_LABELLED:
        pictures = stack_pictures(frames)
        return choose_without_labels(before, after, rig, view, pictures, device, len(frames)), None
    tuned = errors_by_cross_fitting(before, rig, frames, tune_again, device, seed)
    return choose_by_errors(before, rig, view, frames, tuned, device, seed)


def _reliability(
    model: PerceptionModel,
    simulated: Batch,
    usual: Batch,
    frames: Sequence[RealFrame],
    errors: NDArray[np.float64] | None,
    device: torch.device,
) -> Reliability:
    pictures = (simulated.rgb, usual.rgb, stack_pictures(frames))
    features = [stage_features(model, p, device) for p in pictures]
    return fit_reliability(features[0], features[1], features[2], errors)


def _camera_source(card: ModelCard, aligned: bool) -> str:
    return "aligned on unlabelled photographs" if aligned else card.camera_source


def settings_of(config: FinetuneConfig) -> FinetuneSettings:
    """Return how fine-tuning goes by a command's flags."""
    return FinetuneSettings(
        strategy=config.strategy,
        last_rate=config.rate,
        find_rate=config.find_rate,
        early_stopping=config.early_stopping,
        wise=config.wise,
        replay_share=config.replay_share,
        heads=config.heads,
        head_weight=config.head_weight,
    )


def draw_replay(
    rig: Rig, seed: int, count: int, randomization: str | None = None, renderer: RendererName = "auto"
) -> Batch:
    """Return simulated frames to mix with real ones."""
    stream = SimulatedFrames(rig, rig_spec(rig, load_preset(randomization or rig.preset)), seed, renderer=renderer)
    parts = []
    with progress("simulated frames", count, "frames") as advance:
        for start in range(0, count, _PART):
            parts.append(stream.draw(range(REPLAY_START + start, REPLAY_START + min(start + _PART, count))))
            advance(min(start + _PART, count))
    stream.close()
    return Batch.joined(parts)


def tune_on_frames(
    model: PerceptionModel,
    rig: Rig,
    start: CameraView,
    start_is_aligned: bool,
    frames: Sequence[RealFrame],
    replay: Batch | None,
    seed: int,
    device: torch.device,
    settings: FinetuneSettings | None = None,
    tasks: TaskBatch | None = None,
) -> tuple[CameraView, Tuned]:
    """Fine-tune the model in place; return the camera refitted on the same frames, and what was done.

    The camera is refitted first, with the weights as they are, so that the network is not taught the camera's error,
    and again afterwards, when keypoints are better.

    Raises:
        InputError: an unknown strategy, settings out of range, or too few frames to hold some back.
    """
    view = refitted_camera(model, rig, start, start_is_aligned, frames, device).view
    tuned = tune(model, rig, real_batch(rig, view, frames), replay, seed, device, settings, tasks)
    return refitted_camera(model, rig, start, start_is_aligned, frames, device).view, tuned
