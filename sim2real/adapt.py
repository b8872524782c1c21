"""Adapt a pretrained model to unlabelled photographs."""

from __future__ import annotations

import copy
import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from calibration.errors import InputError
from calibration.records import write_json
from calibration.rig import Rig
from calibration.view import CameraView
from policies.checkpoint import ModelCard, load_checkpoint, save_checkpoint
from policies.device import pick_device
from sim2real.adaptation.guards.choosing import choose_without_labels
from sim2real.adaptation.guards.label_shift import LabelShift, check_label_shift
from sim2real.adaptation.guards.never_worse import Decision
from sim2real.adaptation.methods import Training, chain
from sim2real.adaptation.problem import Problem
from sim2real.adaptation.running import check_chain, needs_state, run_chain, source_of
from sim2real.adaptation.self_supervised.state import measured_state
from sim2real.adaptation.training import AdaptSettings
from sim2real.adaptation_configs import AdaptConfig
from sim2real.cameras import aligned_camera
from sim2real.presets import load_preset, rig_spec
from sim2real.pretrain import prepare_torch
from sim2real.preview.tiles import GAP_PX, SOFT_INK, fitted, lines_of_text, save_png, sheet
from sim2real.runs import RunFolder, recorded_randomization
from sim2real.splits import Split, split_frames
from sim2real.unlabelled import Photograph, load_photographs, model_pictures

logger = logging.getLogger(__name__)

FORMAT = "sim2real.adaptation"
_SHEET_COLUMNS, _TILE_PX = 8, 160


def adapt(config: AdaptConfig) -> Path:
    """Run a chain of label-free methods on a model and return the run's folder.

    Raises:
        InputError: bad settings, an unknown method or too few photographs; nothing is written then.
    """
    if config.steps < 1 or config.seed < 0:
        raise InputError(f"steps must be 1 or more and seed 0 or more, got {config.steps} and {config.seed}")
    steps = chain(config.methods)
    device = pick_device(config.device)
    prepare_torch(config.seed, config.threads)
    model, card = load_checkpoint(config.model, device)
    if card.selection != "none":
        raise InputError(
            f"adapt needs a model that has seen no label, got one made with {card.selection}; adapt first, then "
            "finetune"
        )
    rig = card.rig
    photographs, split = visible_photographs(config.real, rig, config.photographs == "fitting-side")
    check_chain(steps, len(photographs), rig)
    state = measured_state(config.real, rig, [p.file for p in photographs]) if needs_state(steps) else None
    run = RunFolder.create(config.out, config, config.resume)
    if run.finished:
        return config.out
    spec = rig_spec(rig, load_preset(config.randomization or recorded_randomization(config.model) or rig.preset))
    pictures = model_pictures(rig, photographs)
    view, source = _camera(card, photographs) if config.align else (card.camera, card.camera_source)
    folder = config.out / "backgrounds"
    problem = Problem(rig, view, spec, pictures, config.seed, device, folder, config.renderer, state)
    settings = AdaptSettings(
        config.steps, weight=config.weight, pretext_weight=config.pretext_weight, stage=config.stage
    )
    before, before_spec = copy.deepcopy(model), model.spec
    done = run_chain(model, steps, problem, settings)
    decision: Decision | None = None
    labels: LabelShift | None = None
    if before_spec.head == "keypoints":
        labels = check_label_shift(before, model, rig, spec, pictures, device, config.seed, config.renderer)
        if labels is not None and labels.found:
            logger.warning("%s", labels)
        decision = choose_without_labels(before, model, rig, view, pictures, device)
        logger.info("%s: %s", decision.use, decision.reason)
        if decision.use == "simulation only":
            logger.warning("the model is kept as it was: %s", decision.reason)
            model = before
    for step in steps:
        if isinstance(step, Training):
            write_contact_sheet(config.out / "frames.png", step, problem)
            break
    write_json(config.out / "split.json", {**dataclasses.asdict(split), "used": [p.file for p in photographs]})
    record = {
        "format": FORMAT,
        "version": 1,
        "methods": list(config.methods),
        "selection": "none",
        "photographs": [{"file": p.file, "sha256": p.sha256} for p in photographs],
        "split": split.rule,
        "joints": "not read" if state is None else "displacements between photographs",
        "camera": source,
        "steps": done,
        "decision": dataclasses.asdict(decision) if decision else None,
        "label_shift": dataclasses.asdict(labels) if labels else None,
    }
    write_json(config.out / "adaptation.json", record)
    how = "adapted" if decision is None or decision.use == "adapted" else "not, as a guard fell back, adapted"
    new_card = dataclasses.replace(
        card,
        spec=model.spec,
        camera=view,
        camera_source=source,
        trained_on=f"{card.trained_on}; then {how} by {', '.join(config.methods)} on {len(photographs)} unlabelled "
        f"photographs of {config.real.name}" + ("" if state is None else ", and what their joints measured"),
    )
    save_checkpoint(config.out / "model", model, new_card, {"command": "adapt", "model": str(config.model)})
    used = decision.use if decision else "adapted"
    run.finish({"methods": list(config.methods), "photographs": len(photographs), "camera": source, "use": used})
    return config.out


def visible_photographs(folder: Path, rig: Rig, fitting_side: bool) -> tuple[list[Photograph], Split]:
    """Return the photographs that adaptation may see, without colour faults, and how they were divided.

    Raises:
        InputError: no photographs, or none without a fault.
    """
    everything = load_photographs(folder, rig)
    for one in everything:
        if one.fault is not None:
            logger.warning("faulty, not used: %s (%s)", one.file, one.fault)
    sound = [p for p in everything if p.fault is None]
    if not sound:
        raise InputError(f"adapt needs photographs without colour faults, found none in {folder}")
    if fitting_side and len(sound) >= 2:
        split = split_frames(rig, sound)
        kept = [p for p in sound if p.file in split.train]
        return kept, split
    files, hashes = tuple(p.file for p in sound), tuple(p.sha256 for p in sound)
    return sound, Split("all photographs were seen without labels, none is held out", files, (), hashes, "")


def _camera(card: ModelCard, photographs: Sequence[Photograph]) -> tuple[CameraView, str]:
    if card.rig.alignment_body is None:
        return card.camera, card.camera_source
    try:
        view = aligned_camera(card.rig, [p.picture for p in photographs]).view
    except InputError as error:
        logger.warning("camera not aligned: %s", error)
        return card.camera, card.camera_source
    return view, f"aligned on {len(photographs)} unlabelled photographs"


def write_contact_sheet(path: Path, step: Training, problem: Problem) -> None:
    """Write photographs, simulated frames and what the image-level methods of a training make of them, row by row."""
    before = source_of(Training(), problem)
    after = source_of(step, problem)
    width = _TILE_PX
    height = round(width * problem.pictures.shape[1] / problem.pictures.shape[2])
    rows = (
        ("photographs", problem.pictures[:_SHEET_COLUMNS]),
        ("simulated", before.batch(0, _SHEET_COLUMNS).rgb),
        (f"after {', '.join(step.image) or 'nothing'}", after.batch(0, _SHEET_COLUMNS).rgb),
    )
    before.close()
    after.close()
    tiles = []
    for title, pictures in rows:
        shown = [fitted(np.ascontiguousarray(p), width, height) for p in pictures]
        tiles += [[lines_of_text([(title, SOFT_INK)], len(shown) * (width + GAP_PX) - GAP_PX)], shown]
    save_png(sheet(tiles), path)
