"""`sim2real gap`: how well a model transfers, where the gap comes from, what to do next; one page and JSON."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from calibration.errors import InputError
from calibration.records import to_plain, write_json
from calibration.rig import Rig
from calibration.view import CameraView
from policies.checkpoint import ModelCard, load_checkpoint
from policies.device import pick_device
from policies.perception import PerceptionModel
from sim2real.adaptation.guards.paired import paired_difference
from sim2real.advice.distances.inception import Inception
from sim2real.configs import GapConfig
from sim2real.evaluate import fitted_hashes
from sim2real.gap.advice import next_steps
from sim2real.gap.attribution import Attribution
from sim2real.gap.looks import looks_coverage
from sim2real.gap.measured import frame_protocol
from sim2real.gap.page import write_page
from sim2real.gap.perception.parts import page_parts
from sim2real.gap.perception.to_label import photographs_to_label
from sim2real.gap.refits import attribute_by_refits
from sim2real.gap.seeing import by_region, draw_simulated, simulated_errors
from sim2real.gap.twins import Twin, twins
from sim2real.labelled_photographs import report_data, start_camera
from sim2real.pretrain import prepare_torch
from sim2real.realdata import RealData, RealFrame, load_real, stack_pictures
from sim2real.runs import RunFolder, recorded_randomization
from sim2real.scoring import FrameScore, score_frames
from sim2real.splits import split_frames
from sim2real.statistics import describe

logger = logging.getLogger(__name__)

FORMAT = "sim2real.gap"
_FEWEST_FITTING = 4


def gap(config: GapConfig) -> Path:
    """Measure and return the page; `gap.json` lies beside it.

    Raises:
        InputError: bad settings, models or data; nothing is written then.
    """
    if config.simulated < 8 or config.seed < 0 or config.label_next < 1:
        raise InputError(
            f"simulated must be 8 or more frames, seed 0 or more and label-next 1 or more, got {config.simulated}, "
            f"{config.seed} and {config.label_next}"
        )
    device = pick_device(config.device)
    prepare_torch(config.seed, 0)
    folders = (config.model, *config.others)
    if len(set(folders)) < len(folders):
        raise InputError(f"--model and --others must name different runs, got {' '.join(map(str, folders))}")
    loaded = [load_checkpoint(folder, device) for folder in folders]
    model, card = loaded[0]
    rig = card.rig
    for folder, (_, other) in zip(folders, loaded, strict=True):
        if other.rig.name != rig.name or other.spec.head != "keypoints":
            raise InputError(
                f"{folder} must be a keypoint model of rig {rig.name}, got {other.spec.head} of {other.rig.name}"
            )
    data = load_real(config.real, rig)
    report_data(data)
    split = split_frames(rig, data.frames, config.test_groups)
    scored = [f for f in data.frames if f.file in split.test]
    fitting = [f for f in data.frames if f.file in split.train]
    for folder in folders:
        seen = [f.file for f in scored if f.sha256 in fitted_hashes(folder)]
        if seen:
            raise InputError(
                f"{folder} was fitted on {seen[0]}, which is to be scored ({split.rule}); use its --test-groups, or "
                "another model"
            )
    inception = None if config.inception is None else Inception(config.inception, device)
    offered = None
    if config.unlabelled is not None:
        offered = photographs_to_label(rig, fitting, data.frames, config.unlabelled, split.rule)
    run = RunFolder.create(config.out, config, config.resume)
    if run.finished:
        return config.out / "gap.html"
    drawn = draw_simulated(rig, config.simulated, config.seed, recorded_randomization(config.model))
    own, simulated = simulated_errors(model, rig, drawn, device), drawn.batch.rgb
    rows, scores = _rows(folders, loaded, data, scored, device)
    parts = page_parts(
        config, rows, scores, [m for m, _ in loaded], simulated, scored, fitting, offered, inception, device
    )
    aligned = start_camera(dataclasses.replace(card, camera=CameraView.of(rig)), data)[0]
    attribution = None
    if len(fitting) >= _FEWEST_FITTING:
        attribution = attribute_by_refits(model, rig, CameraView.of(rig), fitting, scored, simulated, device)
    coverage = looks_coverage(simulated, stack_pictures(scored))
    pairs = _twins(rig, aligned, scored)
    errors = {s.file: s.error for s in scores[0]}
    target = "held-out simulation" if config.held_out else "real photographs"
    protocol = frame_protocol(target, rig.label.name, split.rule, tuple(f.file for f in scored), split.sha256)
    result: dict[str, Any] = {
        "format": FORMAT,
        "version": 1,
        "rig": rig.name,
        "frames": config.real.name,
        "target": target,
        "display_unit": rig.label.display_unit,
        "protocol": protocol.to_plain(),
        "simulation": {"errors": own.tolist(), **describe(own, "m")},
        "rows": rows,
        "predictions": {row["name"]: [asdict(s) for s in s_] for row, s_ in zip(rows, scores, strict=True)},
        "regions": by_region(rig, scores[0], [f.group for f in scored]),
        **parts.plain,
        "coverage": coverage,
        "attribution": _plain(attribution, len(fitting)),
        "twins": [
            {"file": t.file, "disagreement": t.disagreement, "edges": t.edges, "error": errors[t.file]} for t in pairs
        ],
        "next": [asdict(s) for s in next_steps(attribution, rows, coverage, parts.steps)],
        "settings": {"simulated": config.simulated, "seed": config.seed},
    }
    write_json(config.out / "gap.json", to_plain(result))
    page = write_page(result, pairs, config.out / "gap.html", parts.drawings)
    run.finish({"page": str(page), "rows": len(rows)})
    return page


def _rows(
    folders: Sequence[Path],
    loaded: Sequence[tuple[PerceptionModel, ModelCard]],
    data: RealData,
    scored: Sequence[RealFrame],
    device: torch.device,
) -> tuple[list[dict[str, Any]], list[list[FrameScore]]]:
    """Return one row a model, each through the camera that its run ended with, and the scores behind it."""
    rows, scores = [], []
    first: np.ndarray | None = None
    for name, (model, card) in zip(row_names(folders), loaded, strict=True):
        found = score_frames(model, card.rig, card.camera, scored, device)
        table = np.array([[s.error for s in found]])
        row: dict[str, Any] = {
            "name": name,
            "selection": card.selection,
            "camera": card.camera_source,
            "trained_on": card.trained_on,
            **describe(table, "m"),
        }
        if first is None:
            first = table
        else:
            row |= _gain(first, table)
        rows.append(row)
        scores.append(found)
    return rows, scores


def _gain(first: np.ndarray, table: np.ndarray) -> dict[str, Any]:
    """Return how much lower the mean error is than the first model's, frames paired; nothing below two frames."""
    if np.isfinite(first - table).sum() < 2:
        return {}
    found = paired_difference(first, table, "m").mean
    return {"gain": found.value, "gain_interval": [found.low, found.high]}


def row_names(folders: Sequence[Path]) -> list[str]:
    """Return names of run folders: the last part, or as much of each path as tells it from the others."""
    names = []
    for folder in folders:
        alike = [
            sum(other.parts[-d:] == folder.parts[-d:] for other in folders) for d in range(1, len(folder.parts) + 1)
        ]
        depth = alike.index(1) + 1 if 1 in alike else len(folder.parts)
        names.append(str(Path(*folder.parts[-depth:])))
    return names


def _twins(rig: Rig, view: CameraView, scored: Sequence[RealFrame]) -> list[Twin]:
    try:
        return twins(rig, view, scored)
    except InputError as error:
        logger.warning("no twins: %s", error)
        return []


def _plain(attribution: Attribution | None, fitting: int) -> dict[str, Any] | None:
    if attribution is None:
        return None
    return {"selection": f"{fitting} labelled frames", **asdict(attribution)}
