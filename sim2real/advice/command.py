"""`sim2real advise`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from calibration.errors import InputError
from calibration.records import write_record
from policies.checkpoint import ModelCard, load_checkpoint
from policies.device import pick_device
from policies.perception import PerceptionModel
from sim2real.advice.active_learning.picking import pick_photographs
from sim2real.advice.active_learning.sheet import write_picks
from sim2real.advice.configs import AdviseConfig
from sim2real.advice.distances.fixed_features import fixed_features
from sim2real.advice.measure import FEWEST_LABELLED, domain_gap, measure_model, task_of
from sim2real.advice.photographs import Photographs, find_photographs
from sim2real.advice.record import Advice
from sim2real.advice.stages import Answers
from sim2real.advice.suggest import best_model, suggestion
from sim2real.advice.table import lines_of
from sim2real.evaluate import fitted_hashes
from sim2real.finetune import draw_replay
from sim2real.pretrain import prepare_torch
from sim2real.runs import RunFolder

RECORD, SHEET = "advice.json", "picks.png"
_FEWEST_SIMULATED = 4


def command(words: list[str], parse: Callable[[str, type[Any], list[str]], Any]) -> tuple[str, int]:
    """Run `sim2real advise`; return what it prints and the exit status.

    Args:
        words: after `advise`.
        parse: returns the settings of a command, given its name, their type and its words; None after --help.

    Raises:
        InputError: bad input.
    """
    config = parse("advise", AdviseConfig, words)
    if config is None:
        return "", 0
    return "\n".join([*lines_of(advise(config)), f"advice: {config.out / RECORD}"]), 0


def advise(config: AdviseConfig) -> Advice:
    """Measure the models, write advice.json and the sheet of photographs to label, and return the advice.

    Raises:
        InputError: bad settings, models, photographs or output folder; nothing is written then.
    """
    _check(config)
    device = pick_device(config.device)
    prepare_torch(config.seed, config.threads)
    loaded = [(folder, *_load(folder, device)) for folder in config.model]
    rig = _same_station([(folder, card) for folder, _, card in loaded])
    photographs = find_photographs(rig, config.real, config.unlabelled, config.frames, config.seed)
    task = task_of(rig, photographs.labelled)
    models, seen, pictures = [], {}, None
    rendered: list[tuple[ModelCard, Any]] = []
    seen_before: list[str] = []
    for folder, model, card in loaded:
        frames = next((f for other, f in rendered if other.rig == card.rig), None)
        if frames is None:
            frames = draw_replay(card.rig, config.seed, config.simulated, config.randomization, config.renderer).rgb
            rendered.append((card, frames))
        if pictures is None:
            fixed = fixed_features(frames, device=device), fixed_features(photographs.pictures, device=device)
            pictures = domain_gap(fixed[0], fixed[1], config.seed)
        new = task
        if task and fitted_hashes(folder) & {f.sha256 for f in task.frames}:
            new = None
            seen_before.append(f"LogME, H-score and errors of {folder.name}: it was fitted on this side of the split")
        found, answer = measure_model(str(folder), model, card, photographs, frames, new, config.seed, device)
        models.append(found)
        seen[found.model] = answer
    assert pictures is not None
    chooser = best_model(models).model if config.pick else None
    picks = pick_photographs(photographs, seen[chooser], config.pick) if chooser else []
    used = len(photographs.labelled) if task else 0
    advice = Advice(
        rig.name,
        str(config.real),
        f"{used} labelled frames" if used else "none",
        tuple(f.file for f in photographs.labelled) if task else (),
        photographs.split,
        task.folds if task else None,
        task.chance_m if task else None,
        len(photographs.files),
        config.simulated,
        pictures,
        tuple(models),
        chooser,
        tuple(picks),
        (*_missing(config, len(picks), bool(task)), *seen_before),
        suggestion(models, pictures),
    )
    _write(config, advice, photographs, seen[chooser] if chooser else None)
    return advice


def _check(config: AdviseConfig) -> None:
    if min(config.frames, config.pick, config.seed) < 0:
        raise InputError(
            f"frames, pick and seed must be 0 or more, got {config.frames}, {config.pick} and {config.seed}"
        )
    if config.simulated < _FEWEST_SIMULATED:
        raise InputError(f"simulated must be {_FEWEST_SIMULATED} or more frames, got {config.simulated}")
    if not config.model or len(set(config.model)) < len(config.model):
        raise InputError(f"--model must name different runs, got {' '.join(map(str, config.model)) or 'none'}")
    if config.out.exists() and (not config.out.is_dir() or any(config.out.iterdir())):
        raise InputError(f"output folder must be new, got {config.out}; choose another --out")


def _load(folder: Path, device: torch.device) -> tuple[PerceptionModel, ModelCard]:
    model, card = load_checkpoint(folder, device)
    if card.spec.head != "keypoints":
        raise InputError(
            f"advise needs models with the keypoints head, got {card.spec.head} in {folder}; "
            "pretrain with --head keypoints"
        )
    return model, card


def _same_station(cards: list[tuple[Path, ModelCard]]) -> Any:
    """Return the rig of the first model; others may know its camera or its light better, and no more."""
    first_folder, first = cards[0]
    for folder, card in cards[1:]:
        if (card.rig.name, card.rig.input_size_px) != (first.rig.name, first.rig.input_size_px):
            raise InputError(
                f"models must be of one rig and picture size, got {_station(first)} in {first_folder} and "
                f"{_station(card)} in {folder}"
            )
    return first.rig


def _station(card: ModelCard) -> str:
    return f"{card.rig.name} {card.rig.input_size_px[0]}x{card.rig.input_size_px[1]}"


def _missing(config: AdviseConfig, picked: int, labels: bool) -> list[str]:
    missing = []
    if not labels:
        what = "LogME, H-score, probe errors and the models' own errors"
        missing.append(f"{what} need {FEWEST_LABELLED} or more labelled frames (--frames), got {config.frames}")
    if picked < config.pick:
        missing.append(
            f"{config.pick - picked} of {config.pick} photographs to label: the others are labelled, held out, "
            "without target or like one that is taken"
        )
    return missing


def _write(config: AdviseConfig, advice: Advice, photographs: Photographs, seen: Answers | None) -> None:
    run = RunFolder.create(config.out, config, resume=False)
    if advice.picks and seen is not None:
        rows = [photographs.files.index(p.file) for p in advice.picks]
        pictures, points = [photographs.pictures[k] for k in rows], [seen.keypoints_px[k] for k in rows]
        write_picks(advice.picks, pictures, points, config.out / SHEET)
    write_record(config.out / RECORD, advice, {"command": "advise", "models": [str(m) for m in config.model]})
    run.finish({"suggestion": advice.suggestion, "selection": advice.selection})
