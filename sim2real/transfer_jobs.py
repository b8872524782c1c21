"""The pieces of a transfer measurement that can run side by side: each scores one model on held-out frames."""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from calibration.records import from_plain, read_json, write_bytes, write_json
from calibration.rig import Rig
from calibration.view import CameraView
from policies.checkpoint import ModelCard, load_checkpoint
from policies.device import pick_device
from policies.perception import PerceptionModel
from sim2real.cameras import refitted_camera
from sim2real.finetune import draw_replay, tune_on_frames
from sim2real.pretrain import prepare_torch
from sim2real.realdata import RealData, RealFrame, load_real
from sim2real.scoring import FrameScore, score_frames
from sim2real.scratch import fresh_model, train_from_scratch
from sim2real.splits import choose_frames
from sim2real.stream import Batch

Kind = Literal["sim_only", "sim_only_aligned", "camera_refit", "finetuned", "scratch"]
REPLAY_FRAMES = 160


@dataclass(frozen=True)
class Job:
    """One model to make and score.

    Attributes:
        kind: what is done.
        model: run folder of the pretraining.
        real: folder of the frames.
        train: files that may be fitted.
        test: files that are scored.
        start: camera to start from, at the size of the photographs.
        aligned: whether `start` was aligned on unlabelled frames.
        budget: labelled frames.
        seed: of the pretraining.
        subset: which drawing of the labelled frames.
        result: file for the scores.
        device: where to run.
    """

    kind: Kind
    model: Path
    real: Path
    train: tuple[str, ...]
    test: tuple[str, ...]
    start: CameraView
    aligned: bool
    budget: int
    seed: int
    subset: int
    result: Path
    device: str

    @property
    def name(self) -> str:
        """A file name for the job."""
        return f"{self.kind}-{self.budget:03d}-seed{self.seed}-subset{self.subset}"


def run_job(job: Job) -> list[dict[str, object]]:
    """Return the scores of a job, as plain data; a finished job is read, not run again."""
    if job.result.is_file():
        stored: list[dict[str, object]] = read_json(job.result)
        return stored
    device = pick_device(job.device)
    prepare_torch(job.seed * 1000 + job.subset, 1 if device.type == "cpu" else 0)
    model, card = load_checkpoint(job.model, device)
    data = _real(job.real, job.model)
    frames = {f.file: f for f in data.frames}
    test = [frames[name] for name in job.test]
    view = job.start
    if job.budget:
        pool = [frames[name] for name in job.train]
        chosen = choose_frames(pool, job.budget, job.subset, f"budget {job.budget}")
        view = _fit(job, model, card, chosen, device)
    scores = [asdict(s) for s in score_frames(model, card.rig, view, test, device)]
    write_json(job.result, scores)
    return scores


def _fit(
    job: Job, model: PerceptionModel, card: ModelCard, chosen: list[RealFrame], device: torch.device
) -> CameraView:
    rig = card.rig
    if job.kind == "camera_refit":
        return refitted_camera(model, rig, job.start, job.aligned, chosen, device).view
    seed = job.seed * 1000 + job.subset
    if job.kind == "finetuned":
        replay = read_replay(replay_path(job.result.parent.parent, job.seed))
        return tune_on_frames(model, rig, job.start, job.aligned, chosen, replay, seed, device)[0]
    view = refitted_camera(model, rig, job.start, job.aligned, chosen, device).view
    fresh = fresh_model(card.spec, seed, 1 if device.type == "cpu" else 0, device)
    train_from_scratch(fresh, rig, view, chosen, seed, device)
    model.load_state_dict(fresh.state_dict())
    return view


@lru_cache(maxsize=1)
def _real(folder: Path, model: Path) -> RealData:
    return load_real(folder, _rig_of(model))


def _rig_of(model: Path) -> Rig:
    return load_checkpoint(model, torch.device("cpu"))[1].rig


def replay_path(out: Path, seed: int) -> Path:
    """Return where a transfer keeps the simulated frames that fine-tuning mixes in."""
    return out / "replay" / f"seed{seed}.npz"


def write_replay(path: Path, rig: Rig, seed: int) -> None:
    """Draw the simulated frames that fine-tuning mixes in, once for all jobs of a seed."""
    path.parent.mkdir(exist_ok=True)
    if path.is_file():
        return
    batch = draw_replay(rig, seed, REPLAY_FRAMES)
    buffer = io.BytesIO()
    np.savez(buffer, rgb=batch.rgb, keypoints=batch.keypoints_px, visible=batch.visible, points=batch.points_m)
    write_bytes(path, buffer.getvalue())


def read_replay(path: Path) -> Batch:
    """Return the frames that `write_replay` wrote."""
    with np.load(path) as data:
        return Batch(data["rgb"], data["keypoints"], data["visible"], data["points"])


def as_scores(plain: list[dict[str, object]]) -> list[FrameScore]:
    """Return stored scores as values again."""
    return [from_plain(FrameScore, json.loads(json.dumps(p)), "stored score") for p in plain]
