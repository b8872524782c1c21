"""Pretrain a perception model on an endless stream of simulated frames."""

from __future__ import annotations

import functools
import logging
import math
import multiprocessing
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from calibration.errors import InputError
from calibration.kinematics import nominal_world
from calibration.lifting import label_point
from calibration.rig import Rig
from calibration.rig_file import load_rig
from calibration.view import CameraView
from policies.checkpoint import ModelCard, save_checkpoint
from policies.device import mixed_precision, pick_device
from policies.perception import ModelSpec, PerceptionModel
from sim2real.configs import PretrainConfig
from sim2real.presets import load_preset, rig_spec
from sim2real.progress import progress
from sim2real.randomization import RandomizationSpec, WorldSampler
from sim2real.runs import RunFolder
from sim2real.stream import Batch, SimulatedFrames, batch_indices
from sim2real.training_state import load_state, save_state

logger = logging.getLogger(__name__)

# A keypoint is learned where at least this share of its body is seen, and counts more where much of it is hidden or cut
# by the border: such frames are rare in the stream and hard.
VISIBLE_SHARE = 0.1
_CLIPPED_SHARE, _CLIPPED_WEIGHT = 0.65, 3.0
_WARM_UP = 0.05
_LOG_EVERY = 20


def pretrain(config: PretrainConfig, spec: RandomizationSpec | None = None) -> Path:
    """Run or resume a pretraining and return its folder.

    Args:
        config: settings.
        spec: what varies, as `rig_spec` gives it; default: that of the settings.

    Raises:
        InputError: bad settings; nothing is written then.
    """
    if config.frames < config.batch_size or config.batch_size < 2:
        raise InputError(f"frames must be at least batch_size, 2 or more, got {config.frames} and {config.batch_size}")
    if config.seed < 0 or config.workers < 0:
        raise InputError(f"seed and workers must be 0 or more, got {config.seed} and {config.workers}")
    device = pick_device(config.device)
    rig = load_rig(config.rig)
    spec = spec or rig_spec(rig, load_preset(config.randomization or rig.preset))
    # Beside training, one core draws faster than the others learn.
    threads = 1 if config.workers else 0
    stream = SimulatedFrames(rig, spec, config.seed, renderer=config.renderer, threads=threads)
    prepare_torch(config.seed, config.threads)
    model = PerceptionModel(model_spec(config, rig, stream.sampler), config.weights)
    run = RunFolder.create(config.out, config, config.resume)
    if run.finished:
        logger.info("%s is finished already", config.out)
        return config.out
    began = time.monotonic()
    _train(model, stream, config, run, device)
    seconds = time.monotonic() - began
    card = ModelCard(
        model.spec,
        rig,
        CameraView.of(rig),
        "as in the rig file",
        "none",
        f"{config.frames} simulated frames of rig {rig.name}, randomization {spec.name}, seed {config.seed}",
    )
    save_checkpoint(config.out / "model", model, card, {"command": "pretrain", "weights": model.backbone.weights})
    log = run.read_log()
    run.finish(
        {
            "frames": config.frames,
            "seconds_since_start_or_resume": round(seconds, 1),
            "frames_per_s": round(log[-1]["frames_per_s"], 2) if log else None,
            "loss": log[-1]["loss"] if log else None,
            "backbone": config.backbone,
            "weights": model.backbone.weights,
            "randomization": [
                {"target": path, "how": c.how, "distribution": str(c.distribution)}
                for path, c in stream.sampler.channels.items()
            ],
        }
    )
    (config.out / "checkpoints" / "state.safetensors").unlink(missing_ok=True)
    return config.out


def prepare_torch(seed: int, threads: int) -> None:
    """Fix what training depends on: weights' seed and number of threads."""
    torch.manual_seed(seed)
    torch.set_num_threads(threads or max(1, core_count() // 2))


def core_count() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def model_spec(config: PretrainConfig, rig: Rig, sampler: WorldSampler) -> ModelSpec:
    """Return what a pretraining's model is like; the label's mean and spread are those of 256 drawn worlds."""
    points = np.array([label_point(rig, sampler.sample(config.seed, k)) for k in range(256)])
    nominal = label_point(rig, nominal_world(rig))
    mean = tuple(float(v) for v in (points.mean(axis=0) if config.head == "regression" else nominal))
    std = tuple(max(float(v), 1e-3) for v in points.std(axis=0))
    return ModelSpec(
        config.backbone,
        config.head,
        len(rig.keypoints),
        rig.input_size_px,
        (mean[0], mean[1], mean[2]),
        (std[0], std[1], std[2]),
    )


def _train(
    model: PerceptionModel,
    stream: SimulatedFrames,
    config: PretrainConfig,
    run: RunFolder,
    device: torch.device,
) -> None:
    steps = config.frames // config.batch_size
    model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.learning_rate, weight_decay=1e-3)
    state = config.out / "checkpoints" / "state.safetensors"
    start = load_state(state, model, optimizer) if state.is_file() else 0
    run.rewind_log(start)
    began, seen = time.monotonic(), 0
    with progress("pretrain", steps * config.batch_size, "frames", start * config.batch_size) as advance:
        for step, batch in enumerate(load_batches(stream, start, steps, config.batch_size, config.workers), start):
            rate = config.learning_rate * schedule(step / steps)
            loss = train_step(model, optimizer, batch_tensors(batch, device), rate, config.seed + step, device)
            seen += config.batch_size
            advance((step + 1) * config.batch_size, f"loss {loss:.3f}")
            if not math.isfinite(loss):
                raise InputError(f"training diverged at step {step}: the loss is {loss}; use a lower --learning-rate")
            if (step + 1) % _LOG_EVERY == 0 or step + 1 == steps:
                speed = seen / (time.monotonic() - began)
                run.log({"step": step + 1, "loss": round(loss, 5), "frames_per_s": round(speed, 2)})
            if (step + 1) % config.checkpoint_every == 0 or step + 1 == steps:
                save_state(state, model, optimizer, step + 1)


def schedule(progress_share: float) -> float:
    """Return the learning rate's factor: a short linear warm-up, then half a cosine down to 0."""
    if progress_share < _WARM_UP:
        return (progress_share + 0.002) / (_WARM_UP + 0.002)
    return 0.5 * (1.0 + math.cos(math.pi * (progress_share - _WARM_UP) / (1.0 - _WARM_UP)))


def train_step(
    model: PerceptionModel,
    optimizer: torch.optim.Optimizer,
    tensors: tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor],
    rate: float,
    seed: int,
    device: torch.device,
) -> float:
    """Take one step in training mode and return the loss; `seed` fixes what is random inside the model."""
    torch.manual_seed(seed)
    model.train()
    return step_as_is(model, optimizer, tensors, rate, device)


def step_as_is(
    model: PerceptionModel,
    optimizer: torch.optim.Optimizer,
    tensors: tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor],
    rate: float,
    device: torch.device,
) -> float:
    """Take one step without touching which parts are in training mode; return the loss."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("rate_factor", 1.0)
    with mixed_precision(device, on_cpu=True):
        loss = model.loss(*tensors)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
    optimizer.step()
    return float(loss.detach())


def batch_tensors(batch: Batch, device: torch.device) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return pictures (N, 3, H, W), keypoints (N, K, 2), weights (N, K) and label points (N, 3) on a device."""
    pictures = torch.from_numpy(batch.rgb).permute(0, 3, 1, 2).to(device, non_blocking=True)
    pixels = torch.from_numpy(batch.keypoints_px).float().to(device)
    counted = np.where(batch.visible < _CLIPPED_SHARE, _CLIPPED_WEIGHT, 1.0) * (batch.visible >= VISIBLE_SHARE)
    weight = torch.from_numpy(counted.astype(np.float32)).to(device)
    return pictures, pixels, weight, torch.from_numpy(batch.points_m).float().to(device)


def load_batches(stream: SimulatedFrames, start: int, stop: int, size: int, workers: int) -> Iterator[Batch]:
    """Yield batches in order, drawn by worker processes or, with none, here."""
    if workers == 0:
        yield from (stream.draw(indices) for indices in batch_indices(start, stop, size))
        stream.close()
        return
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["sim2real.stream", "torch.utils.data"])
    options: dict[str, Any] = {"multiprocessing_context": context, "prefetch_factor": 4}
    loader: DataLoader[Any] = DataLoader(
        stream,  # type: ignore[arg-type]
        batch_sampler=list(batch_indices(start, stop, size)),
        num_workers=workers,
        collate_fn=_as_is,  # type: ignore[arg-type]
        worker_init_fn=functools.partial(_end_with, os.getpid()),
        **options,
    )
    yield from loader


def _end_with(owner: int, worker: int) -> None:
    """Make a worker process end soon after its owner, even one that was killed."""

    def watch() -> None:
        while True:
            time.sleep(1.0)
            try:
                os.kill(owner, 0)
            except OSError:
                os._exit(1)

    threading.Thread(target=watch, name=f"watch-{worker}", daemon=True).start()


def _as_is(batch: Batch) -> Batch:
    return batch
