"""Measure the whole way: error on held-out frames against the number of labelled ones."""

from __future__ import annotations

import logging
import multiprocessing
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from calibration.errors import InputError
from calibration.records import write_json
from calibration.rig import Rig
from calibration.rig_file import load_rig
from calibration.view import CameraView
from policies.checkpoint import load_checkpoint
from policies.device import pick_device
from sim2real.cameras import aligned_camera
from sim2real.classical import background_subtraction
from sim2real.configs import PretrainConfig, TransferConfig
from sim2real.labelled_photographs import report_data
from sim2real.pretrain import core_count, pretrain
from sim2real.preview import write_preview
from sim2real.progress import progress
from sim2real.realdata import RealData, load_real
from sim2real.report import write_report
from sim2real.runs import RunFolder
from sim2real.scoring import FrameScore
from sim2real.splits import Split, split_frames
from sim2real.statistics import describe
from sim2real.transfer_jobs import Job, Kind, as_scores, replay_path, run_job, write_replay
from sim2real.transfer_result import Target, frame_entry, transfer_result

logger = logging.getLogger(__name__)

RESULT = "transfer.json"


def transfer(
    config: TransferConfig, target: Target = "real photographs", backbone: str = PretrainConfig.backbone
) -> Path:
    """Pretrain, adapt with every budget, score, and write transfer.json and the report; return the report's path.

    Raises:
        InputError: bad settings or data, or a budget that the fitting side cannot pay; nothing is run then.
    """
    if config.seeds < 1 or config.subsets < 1 or min(config.budgets, default=-1) < 0:
        raise InputError("seeds and subsets must be 1 or more and budgets 0 or more")
    if config.pretrained and len(config.pretrained) != config.seeds:
        raise InputError(f"--pretrained needs one run for each of {config.seeds} seeds, got {len(config.pretrained)}")
    rig = load_rig(config.rig)
    pick_device(config.device)
    data = load_real(config.real, rig)
    split = split_frames(rig, data.frames, config.test_groups)
    largest = max(config.budgets)
    if largest > len(split.train):
        raise InputError(
            f"budget {largest} needs {largest} labelled frames to fit, the split ({split.rule}) has "
            f"{len(split.train)}; use smaller --budgets or other --test-groups"
        )
    run = RunFolder.create(config.out, config, config.resume)
    report_data(data)
    models = _models(config, rig, backbone)
    for model in models:
        _check_rig(model, rig)
    result = _measure(config, rig, data, split, models, target)
    write_json(config.out / RESULT, result)
    report = write_report(result, config.out / "report", config.real, base=config.out)
    if not run.finished:
        run.finish({"report": str(report), "rows": len(result["rows"])})
    return report


def _models(config: TransferConfig, rig: Rig, backbone: str) -> list[Path]:
    """Return the pretraining runs, made here unless they were given."""
    if config.pretrained:
        return list(config.pretrained)
    folders = []
    for seed in range(config.seeds):
        out = config.out / "pretrain" / f"seed{seed}"
        settings = PretrainConfig(
            config.rig,
            out,
            config.frames,
            seed,
            config.device,
            resume=(out / "config.json").is_file(),
            backbone=backbone,
        )
        folders.append(pretrain(settings))
    return folders


def _check_rig(model: Path, rig: Rig) -> None:
    import torch

    card = load_checkpoint(model, torch.device("cpu"))[1]
    if card.rig.name != rig.name or card.spec.head != "keypoints":
        raise InputError(f"{model} must be a keypoint model of rig {rig.name}, got {card.spec.head} of {card.rig.name}")


def _measure(
    config: TransferConfig, rig: Rig, data: RealData, split: Split, models: Sequence[Path], target: Target
) -> dict[str, Any]:
    published = CameraView.of(rig)
    aligned = None
    if rig.alignment_body is not None:
        try:
            aligned = aligned_camera(rig, data.unlabelled).view
        except InputError as error:
            logger.warning("camera not aligned: %s", error)
    jobs = list(_jobs(config, split, models, published, aligned))
    for seed in range(len(models)):
        write_replay(replay_path(config.out, seed), rig, seed)
    scores = dict(zip((j.name for j in jobs), _run(jobs, config), strict=True))
    rows = [_row(config, kind, budget, jobs, scores, target) for kind, budget in _kinds(jobs)]
    predictions = [_prediction(job, s) for job in jobs for s in scores[job.name]]
    if len(rig.keypoints) == 1 and len(data.unlabelled) >= 3:
        test = [f for f in data.frames if f.file in split.test]
        classical = background_subtraction(rig, aligned or published, test, data.unlabelled)
        rows.append(
            {
                "method": "background subtraction, no learning",
                "key": "classical",
                "budget": 0,
                "selection": "none",
                **describe([s.error for s in classical], "m"),
                "seeds": [],
                "note": "largest blob that differs from the median picture, lifted by the "
                + ("aligned" if aligned else "published")
                + " camera",
            }
        )
        predictions += [frame_entry(s, "classical", 0, 0, 0) for s in classical]
    preview = config.out / "preview.png"
    if not preview.is_file():
        write_preview(rig, None, preview, 12, 0)
    return transfer_result(config, rig, data, split, models, target, rows, predictions)


def _jobs(
    config: TransferConfig,
    split: Split,
    models: Sequence[Path],
    published: CameraView,
    aligned: CameraView | None,
) -> Iterable[Job]:
    folder = config.out / "scores"
    folder.mkdir(exist_ok=True)

    def job(kind: Kind, model: Path, view: CameraView, budget: int, seed: int, subset: int) -> Job:
        name = f"{kind}-{budget:03d}-seed{seed}-subset{subset}.json"
        used = view is aligned
        places = (model.resolve(), config.real.resolve(), split.train, split.test)
        return Job(kind, *places, view, used, budget, seed, subset, folder / name, config.device)

    start = aligned or published
    for seed, model in enumerate(models):
        yield job("sim_only", model, published, 0, seed, 0)
        if aligned is not None:
            yield job("sim_only_aligned", model, aligned, 0, seed, 0)
        for budget in sorted(set(config.budgets) - {0}):
            # With the whole fitting side in use there is only one way to draw it.
            subsets = 1 if budget == len(split.train) else config.subsets
            for subset in range(subsets):
                yield job("camera_refit", model, start, budget, seed, subset)
                yield job("finetuned", model, start, budget, seed, subset)
            if config.scratch:
                yield job("scratch", model, start, budget, seed, 0)


def _run(jobs: Sequence[Job], config: TransferConfig) -> list[list[FrameScore]]:
    """Run jobs, several at once on a CPU; each gives the same result whatever runs beside it."""
    workers = config.workers or (core_count() if pick_device(config.device).type == "cpu" else 1)
    done: list[list[FrameScore]] = []
    with progress("transfer", len(jobs), "models") as advance:
        if workers == 1:
            for job in jobs:
                done.append(as_scores(run_job(job)))
                advance(len(done), job.name)
            return done
        context = multiprocessing.get_context("spawn")
        with context.Pool(min(workers, len(jobs))) as pool:
            for job, scores in zip(jobs, pool.imap(run_job, jobs), strict=True):
                done.append(as_scores(scores))
                advance(len(done), job.name)
    return done


def _kinds(jobs: Sequence[Job]) -> list[tuple[Kind, int]]:
    return list(dict.fromkeys((j.kind, j.budget) for j in sorted(jobs, key=lambda j: j.budget)))


def _method(kind: Kind, budget: int, target: Target) -> str:
    frames = "photographs" if target == "real photographs" else "frames"
    names: dict[Kind, str] = {
        "sim_only": "simulation only, camera as published",
        "sim_only_aligned": f"simulation only, camera aligned on unlabelled {frames}",
        "camera_refit": f"camera refitted on {budget} labelled {frames}, weights frozen",
        "finetuned": f"fine-tuned on {budget} labelled {frames}",
        "scratch": f"same network from scratch on {budget} labelled {frames}",
    }
    return names[kind]


def _row(
    config: TransferConfig,
    kind: Kind,
    budget: int,
    jobs: Sequence[Job],
    scores: dict[str, list[FrameScore]],
    target: Target,
) -> dict[str, Any]:
    mine = [j for j in jobs if j.kind == kind and j.budget == budget]
    table = np.array([[s.error for s in scores[j.name]] for j in mine])
    return {
        "method": _method(kind, budget, target),
        "key": kind,
        "budget": budget,
        "selection": f"{budget} labelled frames" if budget else "none",
        **describe(table, "m"),
        "seeds": sorted({j.seed for j in mine}),
        "run_means": [float(np.nanmean(row)) for row in table],
    }


def _prediction(job: Job, score: FrameScore) -> dict[str, Any]:
    return frame_entry(score, job.kind, job.budget, job.seed, job.subset)
