"""Train on real frames alone: what pretraining in simulation is worth, and whether it does harm."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from calibration.errors import InputError
from calibration.records import write_json
from calibration.rig import Rig
from calibration.view import CameraView
from policies.checkpoint import load_checkpoint, save_checkpoint
from policies.device import pick_device
from policies.perception import ModelSpec, PerceptionModel
from sim2real.adaptation.fine_tuning.frames import Augment, real_batch
from sim2real.adaptation_configs import FinetuneConfig
from sim2real.cameras import refitted_camera
from sim2real.labelled_photographs import report_data, start_camera, training_pool
from sim2real.pretrain import batch_tensors, prepare_torch, schedule, step_as_is
from sim2real.progress import progress
from sim2real.realdata import RealFrame, load_real
from sim2real.runs import RunFolder
from sim2real.splits import choose_frames
from sim2real.starting_model import starting_model
from sim2real.sweep.table import SCRATCH

# How the card of such a model ends, by which it is known.
ALONE = "alone, from scratch"
# Frames of a step, and the highest learning rate.
_PART, _RATE = 8, 2e-3


def from_scratch(config: FinetuneConfig) -> Path:
    """Train the network of a pretrained model anew on `config.frames` photographs alone; return the run's folder.

    Only the camera is from the pretrained model, which finds keypoints to refit it by. No guard takes its place.

    Raises:
        InputError: bad settings or data, or fewer usable frames than asked for; nothing is written then.
    """
    if config.heads or config.wise is not None or config.find_rate or config.early_stopping != "off":
        raise InputError(
            f"--strategy {SCRATCH} takes neither heads, wise, find-rate nor early-stopping: it has one schedule"
        )
    start_model, device = starting_model(config), pick_device(config.device)
    prepare_torch(config.seed, config.threads)
    model, card = load_checkpoint(start_model, device)
    if card.spec.head != "keypoints":
        raise InputError(f"--strategy {SCRATCH} needs a model with the keypoints head, got {card.spec.head}")
    data = load_real(config.real, card.rig)
    report_data(data)
    pool, split = training_pool(card.rig, data, config.frames, config.test_groups)
    frames = choose_frames(pool, config.frames, config.seed, "training")
    start, aligned = start_camera(card, data)
    run = RunFolder.create(config.out, config, config.resume)
    if run.finished:
        return config.out
    view = refitted_camera(model, card.rig, start, aligned, frames, device).view
    fresh = fresh_model(card.spec, config.seed, config.threads, device)
    train_from_scratch(fresh, card.rig, view, frames, config.seed, device, rate=config.rate or _RATE)
    new_card = dataclasses.replace(
        card,
        camera=view,
        camera_source=f"refitted on {len(frames)} labelled frames",
        selection=f"{len(frames)} labelled frames",
        trained_on=f"{len(frames)} photographs of {config.real.name} {ALONE}",
    )
    write_json(config.out / "split.json", {**dataclasses.asdict(split), "used": [f.file for f in frames]})
    save_checkpoint(config.out / "model", fresh, new_card, {"command": "finetune", "strategy": SCRATCH})
    run.finish({"frames": [f.file for f in frames], "camera": new_card.camera_source, "strategy": SCRATCH})
    return config.out


def fresh_model(spec: ModelSpec, seed: int, threads: int, device: torch.device) -> PerceptionModel:
    """Return a model of the kind with random weights."""
    prepare_torch(seed, threads)
    model = PerceptionModel(spec)
    model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model


def train_from_scratch(
    model: PerceptionModel,
    rig: Rig,
    view: CameraView,
    frames: Sequence[RealFrame],
    seed: int,
    device: torch.device,
    steps: int = 150,
    rate: float = _RATE,
) -> None:
    """Train a fresh model in place on real frames alone, with the same augmentation: what pretraining is worth."""
    real = real_batch(rig, view, frames)
    augment = Augment(rig, seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=1e-3)
    model.train()
    with progress("from scratch", steps, "steps") as advance:
        for step in range(steps):
            rng = np.random.default_rng([seed, step, 1])
            part = augment(real.take(rng.integers(len(real.rgb), size=_PART)), rng)
            step_as_is(model, optimizer, batch_tensors(part, device), rate * schedule(step / steps), device)
            advance(step + 1)
    model.eval()
