"""Frames a second of pretraining as it runs, of drawing alone, and of the same steps on frames that lie in memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch

from calibration.errors import InputError
from calibration.records import write_json
from calibration.rig_file import load_rig
from policies.device import pick_device
from policies.perception import PerceptionModel
from sim2real.benchmarks.config import BenchmarkConfig
from sim2real.configs import PretrainConfig
from sim2real.presets import load_preset, rig_spec
from sim2real.pretrain import batch_tensors, core_count, load_batches, model_spec, prepare_torch, train_step
from sim2real.runs import system_info
from sim2real.stream import SimulatedFrames

_KEPT_BATCHES = 4
_MANY = 50_000
# Workers draw four batches ahead, which would make a short turn look fast.
_AHEAD = 4


@dataclass(frozen=True)
class Round:
    """Frames a second.

    Attributes:
        drawn: by the workers, with nobody training.
        in_memory: of training steps on batches that lie on the device already.
        pipeline: of pretraining as the command runs it: drawn, moved to the device, trained on.
    """

    drawn: float
    in_memory: float
    pipeline: float

    @property
    def ratio(self) -> float:
        """Pretraining's speed as a share of what the same network reaches on data in memory."""
        return self.pipeline / self.in_memory


def benchmark(config: BenchmarkConfig) -> str:
    """Run the benchmark, write its figures if asked to, and return them as text.

    Raises:
        InputError: a rig, device or setting that cannot be, or a file that exists.
    """
    if config.out is not None and config.out.exists():
        raise InputError(f"--out must be a new file, got {config.out}")
    if config.rounds < 1 or not config.seconds > 0:
        raise InputError(f"rounds must be 1 or more and seconds above 0, got {config.rounds} and {config.seconds:g}")
    device = pick_device(config.device)
    # The command's defaults are what is measured; of the cores of a GPU machine all but one draw.
    settings = PretrainConfig(config.rig, Path("unused"))
    workers = settings.workers if device.type == "cpu" else max(1, core_count() - 1)
    rounds = [_round(settings, workers, config.seconds, device) for _ in range(config.rounds)]
    result: dict[str, Any] = {
        "rig": config.rig,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "workers": workers,
        "batch": settings.batch_size,
        "backbone": settings.backbone,
        "rounds": [asdict(r) | {"ratio": r.ratio} for r in rounds],
        "system": system_info(),
    }
    if config.out is not None:
        write_json(config.out, result)
    ratio = median(r.ratio for r in rounds)
    return "\n".join(
        [
            f"rig {config.rig}, {result['backbone']}, batches of {settings.batch_size}, {workers} workers draw, "
            f"{result['device']} trains; medians of {len(rounds)} rounds, frames/s",
            f"  drawn, nobody training        {median(r.drawn for r in rounds):9.1f}",
            f"  trained on data in memory     {median(r.in_memory for r in rounds):9.1f}",
            f"  pretraining as it runs        {median(r.pipeline for r in rounds):9.1f}",
            f"  of what the network reaches   {ratio:9.2f}   so {100 * max(0.0, 1 - ratio):.0f} % of the time "
            "is bound by the pipeline",
        ]
    )


def _round(settings: PretrainConfig, workers: int, seconds: float, device: torch.device) -> Round:
    rig = load_rig(settings.rig)
    spec = rig_spec(rig, load_preset(rig.preset))
    size = settings.batch_size
    prepare_torch(0, settings.threads)

    def stream() -> SimulatedFrames:
        return SimulatedFrames(rig, spec, 0, threads=1 if workers else 0)

    first = stream()
    model = PerceptionModel(model_spec(settings, rig, first.sampler))
    first.close()
    model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate, weight_decay=1e-3)

    def train(tensors: Any, step: int) -> None:
        train_step(model, optimizer, tensors, settings.learning_rate, step, device)

    batches = load_batches(stream(), 0, _MANY, size, workers)
    kept = [batch_tensors(next(batches), device) for _ in range(_KEPT_BATCHES)]
    warm_up = _AHEAD * workers + 3
    drawn = _rate(lambda _: next(batches), warm_up, size, seconds, device)
    del batches
    in_memory = _rate(lambda k: train(kept[k % len(kept)], k), 3, size, seconds, device)
    batches = load_batches(stream(), 0, _MANY, size, workers)
    pipeline = _rate(lambda k: train(batch_tensors(next(batches), device), k), warm_up, size, seconds, device)
    return Round(drawn, in_memory, pipeline)


def _rate(step: Callable[[int], object], warm_up: int, frames: int, seconds: float, device: torch.device) -> float:
    """Return frames a second over at least `seconds`, after `warm_up` steps that count for nothing."""
    for k in range(warm_up):
        step(k)
    _wait(device)
    began, count = time.monotonic(), 0
    while count < 1 or time.monotonic() - began < seconds:
        step(count)
        count += 1
    _wait(device)
    return count * frames / (time.monotonic() - began)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
