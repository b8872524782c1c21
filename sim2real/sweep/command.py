"""`sim2real sweep`."""

from __future__ import annotations

import dataclasses
import logging
import multiprocessing
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from calibration.errors import InputError
from calibration.records import write_json, write_text
from calibration.rig import Rig
from calibration.view import CameraView
from policies.checkpoint import load_checkpoint
from policies.device import pick_device
from sim2real.adaptation.fine_tuning.strategies import check_name
from sim2real.adaptation.methods import chain
from sim2real.adaptation.running import check_chain
from sim2real.adaptation_configs import SweepConfig
from sim2real.cameras import aligned_camera
from sim2real.gap.measured import frame_protocol
from sim2real.labelled_photographs import report_data
from sim2real.pretrain import core_count
from sim2real.progress import progress
from sim2real.realdata import RealData, load_real
from sim2real.runs import RunFolder, system_info
from sim2real.splits import Split, split_frames
from sim2real.sweep.agreement import FORMAT, agreement, read_sweep, sentence
from sim2real.sweep.figure import budget_figure
from sim2real.sweep.jobs import CAMERA, NONE, Job, run_job
from sim2real.sweep.table import SCRATCH, Key, efficiencies, markdown, rows_of

logger = logging.getLogger(__name__)

_ALL = -1


@dataclass(frozen=True)
class _Protocol:
    """What may not differ between rows of one comparison; chains, budgets and strategies may be added later."""

    models: tuple[Path, ...]
    real: Path
    test_groups: tuple[str, ...]
    first: int | None
    steps: int

    @classmethod
    def of(cls, config: SweepConfig) -> _Protocol:
        return cls(config.models, config.real, config.test_groups, config.first, config.steps)


def sweep(config: SweepConfig) -> str:
    """Run or resume a comparison; return its table.

    Raises:
        InputError: bad settings, models or data; nothing is written then.
    """
    if not config.models or not config.budgets or not config.chains:
        raise InputError("sweep needs at least one of each: --models, --chains and --budgets")
    other = read_sweep(config.against) if config.against is not None else None
    rig = _rig(config)
    data = load_real(config.real, rig)
    report_data(data)
    if config.first is not None:
        data = dataclasses.replace(data, frames=data.frames[: config.first])
    split = split_frames(rig, data.frames, config.test_groups)
    for name in config.chains:
        if name != NONE:
            check_chain(chain(name.split("+")), len(split.train), rig)
    budgets = [len(split.train) if b == _ALL else b for b in config.budgets]
    if min(budgets) < 0 or max(budgets) > len(split.train):
        raise InputError(
            f"budgets must be 0 to {len(split.train)} labelled photographs, or -1 for all, got "
            f"{', '.join(str(b) for b in config.budgets)}"
        )
    for name in config.strategies:
        if name not in (CAMERA, SCRATCH):
            check_name(name)
    run = RunFolder.create(config.out, _Protocol.of(config), config.resume)
    (config.out / "scores").mkdir(exist_ok=True)
    jobs = list(_jobs(config, rig, data, split, budgets))
    records = _run(jobs, config)
    grouped: dict[Key, list[dict[str, Any]]] = {}
    for job, record in zip(jobs, records, strict=True):
        grouped.setdefault((job.chain, job.aligned, job.budget, job.strategy), []).append(record)
    everything = [k for k in grouped if k[2] == len(split.train) and k[0] == NONE and k[3] not in (CAMERA, SCRATCH)]
    rows = rows_of(grouped, everything[0] if everything else None)
    unit = rig.label.display_unit
    scale = {"m": 1.0, "cm": 100.0, "mm": 1000.0}[unit]
    table = markdown(rows, unit, scale)
    result = {
        "format": FORMAT,
        "version": 1,
        "rig": rig.name,
        "real": config.real.name,
        "split": dataclasses.asdict(split),
        "protocol": frame_protocol("real photographs", rig.label.name, split.rule, split.test, split.sha256).to_plain(),
        "display_unit": unit,
        "models": [m.name for m in config.models],
        "oracle": list(everything[0]) if everything else None,
        "rows": rows,
        "against_scratch": efficiencies(grouped),
        "system": system_info(),
    }
    if other is not None:
        told = result["against"] = agreement(result, other)
        table += "\n\n" + sentence(told)
    write_json(config.out / "sweep.json", result)
    write_text(config.out / "table.md", table + "\n")
    if max(budgets) > 0:
        write_text(config.out / "curve.svg", budget_figure(rows, rig.label.name, unit, scale))
    run.finish({"rows": len(rows), "jobs": len(jobs)})
    return table


def _rig(config: SweepConfig) -> Rig:
    rigs = []
    for model in config.models:
        card = load_checkpoint(model, torch.device("cpu"))[1]
        if card.spec.head != "keypoints" or card.selection != "none":
            raise InputError(
                f"{model} must be a keypoint model that has seen no label, got {card.spec.head}, {card.selection}"
            )
        rigs.append(card.rig)
    if any(r != rigs[0] for r in rigs):
        raise InputError(f"models must be of one rig, got {', '.join(r.name for r in rigs)} that differ")
    return rigs[0]


def _jobs(config: SweepConfig, rig: Rig, data: RealData, split: Split, budgets: Sequence[int]) -> Iterator[Job]:
    published = CameraView.of(rig)
    seen = [p for f, p in zip(data.files, data.unlabelled, strict=True) if f in split.train]
    aligned: CameraView | None = None
    if rig.alignment_body is not None:
        try:
            aligned = aligned_camera(rig, seen).view
        except InputError as error:
            logger.warning("camera not aligned: %s", error)
    for seed, model in enumerate(config.models):

        def job(name: str, budget: int, strategy: str, view: CameraView, seed: int = seed, model: Any = model) -> Job:
            places = (model.resolve(), config.real.resolve(), split.train, split.test)
            return Job(
                name, budget, strategy, seed, *places, view, view is aligned, config.steps, config.out, config.device
            )

        start = aligned or published
        if 0 in budgets:
            yield job(NONE, 0, "", published)
        for name in config.chains:
            for budget in budgets:
                if budget == 0:
                    if name != NONE or aligned is not None:
                        yield job(name, 0, "", start)
                    continue
                for strategy in config.strategies:
                    if strategy != SCRATCH or name == config.chains[0]:
                        yield job(NONE if strategy == SCRATCH else name, budget, strategy, start)


def _run(jobs: Sequence[Job], config: SweepConfig) -> list[dict[str, Any]]:
    """Run jobs: first those that adapt, since others start from what they keep."""
    order = sorted(range(len(jobs)), key=lambda k: (jobs[k].budget > 0, k))
    workers = config.workers or (core_count() if pick_device(config.device).type == "cpu" else 1)
    done: dict[int, dict[str, Any]] = {}
    with progress("sweep", len(jobs), "models") as advance:
        for part in (False, True):
            mine = [k for k in order if (jobs[k].budget > 0) == part]
            for k, record in zip(mine, _results([jobs[k] for k in mine], workers), strict=True):
                done[k] = record
                advance(len(done), jobs[k].name)
    return [done[k] for k in range(len(jobs))]


def _results(jobs: Sequence[Job], workers: int) -> Iterable[dict[str, Any]]:
    if workers == 1 or len(jobs) < 2:
        yield from map(run_job, jobs)
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(min(workers, len(jobs))) as pool:
        yield from pool.imap(run_job, jobs)
