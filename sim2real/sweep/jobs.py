"""One row's piece of a comparison: adapt one model, fine-tune it, score it on held-out frames."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from calibration.errors import InputError
from calibration.records import read_json, write_json
from calibration.rig import Rig
from calibration.view import CameraView
from policies.checkpoint import ModelCard, load_checkpoint, save_checkpoint
from policies.device import pick_device
from policies.perception import PerceptionModel
from sim2real.adaptation.fine_tuning.strategies import FinetuneSettings
from sim2real.adaptation.methods import chain
from sim2real.adaptation.problem import Problem
from sim2real.adaptation.running import needs_state, run_chain
from sim2real.adaptation.self_supervised.state import measured_state
from sim2real.adaptation.training import AdaptSettings
from sim2real.cameras import refitted_camera
from sim2real.finetune import draw_replay, tune_on_frames
from sim2real.presets import load_preset, rig_spec
from sim2real.pretrain import prepare_torch
from sim2real.realdata import RealData, RealFrame, load_real, stack_pictures
from sim2real.runs import recorded_randomization
from sim2real.scoring import score_frames
from sim2real.scratch import fresh_model, train_from_scratch
from sim2real.splits import choose_frames
from sim2real.sweep.table import SCRATCH

NONE, CAMERA = "none", "camera"


@dataclass(frozen=True)
class Job:
    """One model to make and score.

    Attributes:
        chain: label-free methods joined by +, or "none".
        budget: labelled frames, 0 for none.
        strategy: of fine-tuning; "" without labels.
        seed: number of the pretrained model; also which frames are drawn.
        model: its run folder.
        real: folder of the photographs.
        train: files that may be fitted.
        test: files that are scored.
        view: camera to start from, at the size of the photographs.
        aligned: whether it was aligned on unlabelled photographs.
        steps: of each training of the chain.
        out: folder of the comparison.
        device: where to run.
    """

    chain: str
    budget: int
    strategy: str
    seed: int
    model: Path
    real: Path
    train: tuple[str, ...]
    test: tuple[str, ...]
    view: CameraView
    aligned: bool
    steps: int
    out: Path
    device: str

    @property
    def name(self) -> str:
        """A file name for the job."""
        camera = "" if self.aligned else "-published"
        tuned = f"-{self.strategy}-{self.budget:03d}" if self.budget else ""
        return f"{self.chain}{camera}{tuned}-seed{self.seed}"

    @property
    def result(self) -> Path:
        """The file of its scores."""
        return self.out / "scores" / f"{self.name}.json"


def run_job(job: Job) -> dict[str, Any]:
    """Return scores, time and what the methods said, as plain data; a finished job is read, not run again."""
    if job.result.is_file():
        stored: dict[str, Any] = read_json(job.result)
        return stored
    device = pick_device(job.device)
    prepare_torch(job.seed, 1 if device.type == "cpu" else 0)
    began = time.monotonic()
    model, card = load_checkpoint(job.model, device)
    data = real_data(job.real, card.rig)
    frames = {f.file: f for f in (*data.frames, *data.faulty_frames)}
    record: dict[str, Any] = {"chain": job.chain, "budget": job.budget, "strategy": job.strategy, "seed": job.seed}
    try:
        model, record["adaptation"] = _adapted(job, model, card, [frames[n] for n in job.train], device)
        view = job.view
        if job.budget:
            chosen = choose_frames([frames[n] for n in job.train], job.budget, job.seed, f"budget {job.budget}")
            record["fitted"] = [f.file for f in chosen]
            model, view = _tuned(job, model, card, chosen, device)
    except InputError as error:
        record["failed"] = str(error)
        write_json(job.result, record)
        return record
    record["seconds"] = round(time.monotonic() - began, 1)
    for key, names in (("scores", job.test), ("faulty", [f.file for f in data.faulty_frames])):
        scored = score_frames(model, card.rig, view, [frames[n] for n in names], device)
        record[key] = [dataclasses.asdict(s) for s in scored]
    write_json(job.result, record)
    return record


def _adapted(
    job: Job, model: PerceptionModel, card: ModelCard, frames: list[RealFrame], device: torch.device
) -> tuple[PerceptionModel, list[dict[str, Any]]]:
    """Return the model after its chain; adapted models are kept, since several budgets start from each."""
    if job.chain == NONE:
        return model, []
    place = job.out / "models" / f"{job.chain}-{job.steps}-seed{job.seed}"
    if (place / "adaptation.json").is_file():
        return load_checkpoint(place, device)[0], read_json(place / "adaptation.json")
    steps = chain(job.chain.split("+"))
    problem = Problem(
        card.rig,
        job.view,
        rig_spec(card.rig, load_preset(recorded_randomization(job.model) or card.rig.preset)),
        stack_pictures(frames),
        job.seed,
        device,
        place / "backgrounds",
        state=measured_state(job.real, card.rig, job.train) if needs_state(steps) else None,
    )
    said = run_chain(model, steps, problem, AdaptSettings(steps=job.steps))
    save_checkpoint(place, model, dataclasses.replace(card, spec=model.spec), {"command": "sweep"})
    write_json(place / "adaptation.json", said)
    return model, said


def _tuned(
    job: Job, model: PerceptionModel, card: ModelCard, chosen: list[RealFrame], device: torch.device
) -> tuple[PerceptionModel, CameraView]:
    rig = card.rig
    if job.strategy == CAMERA:
        return model, refitted_camera(model, rig, job.view, job.aligned, chosen, device).view
    if job.strategy == SCRATCH:
        # The camera is refitted with the pretrained model, so that only the weights start from nothing.
        view = refitted_camera(model, rig, job.view, job.aligned, chosen, device).view
        fresh = fresh_model(card.spec, job.seed, 1 if device.type == "cpu" else 0, device)
        train_from_scratch(fresh, rig, view, chosen, job.seed, device)
        return fresh, view
    settings = FinetuneSettings(strategy=job.strategy)
    replay = draw_replay(rig, job.seed, settings.replay_frames, recorded_randomization(job.model))
    return model, tune_on_frames(model, rig, job.view, job.aligned, chosen, replay, job.seed, device, settings)[0]


@lru_cache(maxsize=1)
def real_data(folder: Path, rig: Rig) -> RealData:
    """Return the photographs of a folder, read once a process."""
    return load_real(folder, rig)
