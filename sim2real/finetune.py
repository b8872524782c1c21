"""Fine-tune a pretrained model on a few real frames, mixed with simulated ones so that nothing is forgotten."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from calibration.errors import InputError
from calibration.records import write_json
from calibration.rig import Rig
from calibration.view import CameraView
from envs.rendering.choice import RendererName
from envs.sensing import measure
from policies.checkpoint import ModelCard, load_checkpoint, save_checkpoint
from policies.device import pick_device
from policies.perception import PerceptionModel, freeze_normalization
from sim2real.cameras import aligned_camera, refitted_camera
from sim2real.configs import FinetuneConfig
from sim2real.presets import load_preset, rig_spec
from sim2real.pretrain import batch_tensors, prepare_torch, schedule, step_as_is
from sim2real.progress import progress
from sim2real.realdata import RealData, RealFrame, load_real, stack_pictures
from sim2real.runs import RunFolder
from sim2real.splits import Split, choose_frames, split_frames
from sim2real.stream import Batch, SimulatedFrames

logger = logging.getLogger(__name__)

# Frames of the stream that pretraining never reached.
_REPLAY_START = 10_000_000
_HALF_BATCH = 8


@dataclasses.dataclass(frozen=True)
class FinetuneSettings:
    """How fine-tuning goes; chosen on development splits.

    Attributes:
        probe_steps: steps in which the head learns alone on frozen features (Kumar et al. 2022).
        steps: steps in which everything learns, normalization statistics stay.
        probe_rate: learning rate of the head alone.
        rate: learning rate of the head afterwards.
        backbone_factor: learning rate of the backbone, as a share of the head's.
        replay_frames: simulated frames to mix in.
    """

    probe_steps: int = 40
    steps: int = 45
    probe_rate: float = 1e-3
    rate: float = 5e-4
    backbone_factor: float = 0.5
    replay_frames: int = 160


def finetune(config: FinetuneConfig) -> Path:
    """Fine-tune a model on `config.frames` labelled photographs of a folder and return the run's folder.

    Raises:
        InputError: bad settings or data, or fewer usable frames than asked for; nothing is written then.
    """
    if config.frames < 1 or config.seed < 0:
        raise InputError(f"frames must be 1 or more and seed 0 or more, got {config.frames} and {config.seed}")
    device = pick_device(config.device)
    prepare_torch(config.seed, config.threads)
    model, card = load_checkpoint(config.model, device)
    if card.spec.head != "keypoints":
        raise InputError(
            "finetune needs a model with the keypoints head, got regression; pretrain with --head keypoints"
        )
    data = load_real(config.real, card.rig)
    report_data(data)
    pool, split = training_pool(card.rig, data, config.frames)
    frames = choose_frames(pool, config.frames, config.seed, "fine-tuning")
    run = RunFolder.create(config.out, config, config.resume)
    if run.finished:
        return config.out
    start, aligned = start_camera(card, data)
    replay = draw_replay(card.rig, config.seed, FinetuneSettings.replay_frames, config.randomization, config.renderer)
    view = finetune_model(model, card.rig, start, aligned, frames, replay, config.seed, device)
    new_card = dataclasses.replace(
        card,
        camera=view,
        camera_source=f"refitted on {len(frames)} labelled frames",
        selection=f"{len(frames)} labelled frames",
        trained_on=f"{card.trained_on}; then {len(frames)} photographs of {config.real.name}",
    )
    write_json(config.out / "split.json", {**dataclasses.asdict(split), "used": [f.file for f in frames]})
    save_checkpoint(config.out / "model", model, new_card, {"command": "finetune", "model": str(config.model)})
    run.finish({"frames": [f.file for f in frames], "camera": new_card.camera_source})
    return config.out


def report_data(data: RealData) -> None:
    """Log what was converted, left out or found faulty."""
    for note in data.notes[:5]:
        logger.warning("converted %s", note)
    if len(data.notes) > 5:
        logger.warning("converted %d more images", len(data.notes) - 5)
    for file, reason in data.left_out:
        logger.info("left out %s: %s", file, reason)
    for file, reason in data.faulty:
        logger.warning("faulty, neither trained on nor scored: %s (%s)", file, reason)


def training_pool(rig: Rig, data: RealData, count: int) -> tuple[list[RealFrame], Split]:
    """Return the frames that may be fitted, and the split.

    It is the fitting side of the rig's own split where that has enough frames, else all usable frames.
    """
    frames = list(data.frames)
    if len(frames) >= 2:
        split = split_frames(rig, frames)
        pool = [f for f in frames if f.file in split.train]
        if len(pool) >= count:
            return pool, split
    names, hashes = tuple(f.file for f in frames), tuple(f.sha256 for f in frames)
    return frames, Split("all usable frames may be fitted, none is held out", names, (), hashes, "")


def start_camera(card: ModelCard, data: RealData) -> tuple[CameraView, bool]:
    """Return the camera to start from, and whether it was aligned on the unlabelled photographs."""
    if card.rig.alignment_body is None:
        return card.camera, False
    try:
        return aligned_camera(card.rig, data.unlabelled).view, True
    except InputError as error:
        logger.warning("camera not aligned: %s", error)
        return card.camera, False


def draw_replay(
    rig: Rig, seed: int, count: int, randomization: str | None = None, renderer: RendererName = "auto"
) -> Batch:
    """Return simulated frames to mix with real ones."""
    stream = SimulatedFrames(rig, rig_spec(rig, load_preset(randomization or rig.preset)), seed, renderer=renderer)
    parts = []
    with progress("simulated frames", count, "frames") as advance:
        for start in range(0, count, _HALF_BATCH):
            parts.append(stream.draw(range(_REPLAY_START + start, _REPLAY_START + min(start + _HALF_BATCH, count))))
            advance(min(start + _HALF_BATCH, count))
    stream.close()
    return _concatenate(parts)


def finetune_model(
    model: PerceptionModel,
    rig: Rig,
    start: CameraView,
    start_is_aligned: bool,
    frames: Sequence[RealFrame],
    replay: Batch,
    seed: int,
    device: torch.device,
    settings: FinetuneSettings | None = None,
) -> CameraView:
    """Fine-tune the model in place and return the camera refitted on the same frames.

    The camera is refitted first, with the weights as they are, so that the network is not taught the camera's error.
    """
    s = settings or FinetuneSettings()
    view = refitted_camera(model, rig, start, start_is_aligned, frames, device).view
    real = real_batch(rig, view, frames)
    augment = Augment(rig, seed)
    head = list(model.head.parameters())
    model.eval()
    with progress("fine-tune", s.probe_steps + s.steps, "steps") as advance:
        for p in model.backbone.parameters():
            p.requires_grad_(False)
        optimizer = torch.optim.AdamW(head, lr=s.probe_rate, weight_decay=1e-3)
        for step in range(s.probe_steps):
            tensors = batch_tensors(_mixed(real, replay, augment, seed, step), device)
            step_as_is(model, optimizer, tensors, s.probe_rate * schedule(step / s.probe_steps), device)
            advance(step + 1)
        for p in model.backbone.parameters():
            p.requires_grad_(True)
        model.train()
        freeze_normalization(model)
        groups = [
            {"params": head, "rate_factor": 1.0},
            {"params": list(model.backbone.parameters()), "rate_factor": s.backbone_factor},
        ]
        optimizer = torch.optim.AdamW(groups, lr=s.rate, weight_decay=1e-3)
        for step in range(s.steps):
            tensors = batch_tensors(_mixed(real, replay, augment, seed, s.probe_steps + step), device)
            step_as_is(model, optimizer, tensors, s.rate * schedule(step / s.steps), device)
            advance(s.probe_steps + step + 1)
    model.eval()
    return view


def train_from_scratch(
    model: PerceptionModel,
    rig: Rig,
    view: CameraView,
    frames: Sequence[RealFrame],
    seed: int,
    device: torch.device,
    steps: int = 150,
    rate: float = 2e-3,
) -> None:
    """Train a fresh model in place on real frames alone, with the same augmentation: what pretraining is worth."""
    real = real_batch(rig, view, frames)
    augment = Augment(rig, seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=1e-3)
    model.train()
    with progress("from scratch", steps, "steps") as advance:
        for step in range(steps):
            rng = np.random.default_rng([seed, step, 1])
            part = augment(_take(real, rng.integers(len(real.rgb), size=_HALF_BATCH)), rng)
            step_as_is(model, optimizer, batch_tensors(part, device), rate * schedule(step / steps), device)
            advance(step + 1)
    model.eval()


def real_batch(rig: Rig, view: CameraView, frames: Sequence[RealFrame]) -> Batch:
    """Return real frames with the pixels that a camera gives to their labels."""
    small = view.resized(*rig.input_size_px)
    pixels = np.stack([small.project(f.keypoints_world) for f in frames])
    points = np.stack([f.point_m for f in frames])
    return Batch(stack_pictures(frames), pixels, np.ones(pixels.shape[:2]), points)


class Augment:
    """Changes real frames a little: small shifts, turns and zooms, and mild sensor effects of the rig's preset."""

    def __init__(self, rig: Rig, seed: int) -> None:
        """Keep the preset's sensor channels as the source of image effects."""
        self._worlds = SimulatedFrames(rig, rig_spec(rig, load_preset(rig.preset)), seed + 1)

    def __call__(self, batch: Batch, rng: np.random.Generator) -> Batch:
        """Return a changed copy."""
        height, width = batch.rgb.shape[1:3]
        pictures, pixels = [], []
        for picture, points in zip(batch.rgb, batch.keypoints_px, strict=True):
            angle, zoom = rng.uniform(-4, 4), rng.uniform(0.92, 1.08)
            matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, zoom)
            matrix[:, 2] += rng.uniform(-0.06, 0.06, 2) * width
            moved = cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101)
            sensor = self._worlds.world(int(rng.integers(2**31))).sensor
            mild = dataclasses.replace(
                sensor,
                exposure_ev=sensor.exposure_ev / 2,
                blur_px=max(sensor.blur_px / 3, 0.0),
                shading=sensor.shading / 2,
                haze=sensor.haze / 2,
                channels="rgb",
            )
            pictures.append(measure(np.asarray(moved, np.uint8), mild, int(rng.integers(2**31))))
            pixels.append(points @ matrix[:, :2].T + matrix[:, 2])
        return Batch(np.stack(pictures), np.stack(pixels), batch.visible, batch.points_m)


def _mixed(real: Batch, replay: Batch, augment: Augment, seed: int, step: int) -> Batch:
    """Return half a batch of changed real frames and half a batch of simulated ones."""
    rng = np.random.default_rng([seed, step])
    part = augment(_take(real, rng.integers(len(real.rgb), size=_HALF_BATCH)), rng)
    return _concatenate([part, _take(replay, rng.integers(len(replay.rgb), size=_HALF_BATCH))])


def _take(batch: Batch, index: NDArray[np.int64]) -> Batch:
    return Batch(batch.rgb[index], batch.keypoints_px[index], batch.visible[index], batch.points_m[index])


def _concatenate(parts: Sequence[Batch]) -> Batch:
    return Batch(
        np.concatenate([p.rgb for p in parts]),
        np.concatenate([p.keypoints_px for p in parts]),
        np.concatenate([p.visible for p in parts]),
        np.concatenate([p.points_m for p in parts]),
    )
