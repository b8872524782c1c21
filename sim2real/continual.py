"""Fine-tune one model on several stations, cameras or recordings in a row, and measure what it forgets."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path

import torch

from calibration.errors import InputError
from calibration.records import read_json, read_record, write_bytes, write_json, write_record, write_text
from calibration.rig import Rig
from calibration.view import CameraView
from policies.checkpoint import ModelCard, load_checkpoint, save_checkpoint
from policies.device import pick_device
from policies.perception import PerceptionModel
from sim2real.adaptation.continual.report import heatmap, markdown, stage_name
from sim2real.adaptation.continual.sequence import Stage, Station, next_stage, stage_zero, transfer_matrix
from sim2real.adaptation.fine_tuning.strategies import FinetuneSettings, build_strategy
from sim2real.adaptation.fine_tuning.tuning import check_settings
from sim2real.adaptation.guards.labelled_frames import check_labelled
from sim2real.adaptation_configs import ContinualConfig
from sim2real.evaluate import fitted_hashes
from sim2real.finetune import draw_replay, report_doubts
from sim2real.labelled_photographs import report_data, start_camera
from sim2real.pretrain import prepare_torch
from sim2real.realdata import RealData, load_real
from sim2real.registry import SOURCE
from sim2real.runs import RunFolder, recorded_randomization, system_info
from sim2real.splits import Split, choose_frames, split_frames

logger = logging.getLogger(__name__)

FORMAT, VERSION = "sim2real.continual", 1
_FEWEST_HELD_OUT = 2


def continual(config: ContinualConfig) -> str:
    """Fine-tune on one folder after the other, score every stage on all of them, and return the table.

    The run folder gets continual.json, table.md, matrix.png, and the final model with each station's own camera.

    Raises:
        InputError: bad settings or data, the same folder or photograph twice, or too few frames; nothing is written
            then.
    """
    if config.frames < 1 or config.seed < 0 or not 0 <= config.memory <= config.frames:
        raise InputError(
            f"frames must be 1 or more, seed 0 or more and memory 0 to frames, got {config.frames}, {config.seed} and "
            f"{config.memory}"
        )
    if len(config.real) < 2:
        raise InputError(f"continual needs two or more folders of photographs, got {len(config.real)}; use finetune")
    settings = settings_of(config)
    check_settings(settings, config.frames)
    device = pick_device(config.device)
    prepare_torch(config.seed, config.threads)
    model, card = load_checkpoint(config.model, device)
    if card.spec.head != "keypoints":
        raise InputError(
            f"continual needs a model with the keypoints head, got {card.spec.head}; pretrain with --head keypoints"
        )
    build_strategy(settings.strategy, model, settings)
    names = station_names(config.real)
    found = [_station(config, card, name, folder) for name, folder in zip(names, config.real, strict=True)]
    stations = [s for s, _ in found]
    _check_apart([data for _, data in found])
    for station, data in found:
        doubts = check_labelled(
            card.rig, station.start, station.fitted, model, device, data.unlabelled, station.start_is_aligned
        )
        report_doubts(doubts, config.accept_doubts)
    run = RunFolder.create(config.out, config, config.resume)
    table = config.out / "table.md"
    if run.finished:
        return table.read_text(encoding="utf-8").rstrip()
    stages = _run(config, card, model, stations, settings, device)
    matrix = transfer_matrix(stages)
    count = len(stations)
    text = markdown(matrix, names, card.rig.label.display_unit)
    write_json(
        config.out / "continual.json",
        {
            "format": FORMAT,
            "version": VERSION,
            "rig": card.rig.name,
            "model": str(config.model),
            "selection": f"{config.frames} labelled frames of each station",
            "strategy": settings.strategy,
            "memory": config.memory,
            "stations": [
                {
                    "name": s.name,
                    "folder": str(folder),
                    "fitted": [f.file for f in s.fitted],
                    "held_out": [f.file for f in s.held_out],
                }
                for s, folder in zip(stations, config.real, strict=True)
            ],
            "unit": matrix.unit,
            "rows": [stage_name(k, names) for k in range(count + 1)],
            "matrix": matrix.means(),
            "errors": [s.errors for s in stages],
            "final_error": matrix.final_error(),
            "backward_transfer": matrix.backward_transfer(),
            "backward_by_station": matrix.by_station(matrix.backward, range(1, count)),
            "forward_transfer": matrix.forward_transfer(),
            "forward_by_station": matrix.by_station(matrix.forward, range(2, count + 1)),
            "system": system_info(),
        },
    )
    write_bytes(config.out / "matrix.png", heatmap(matrix, names, card.rig.label.display_unit))
    write_text(table, text + "\n")
    _save_models(
        config, card, model, stations, stages[-1], [h for _, data in found for h in _split(card, data).train_sha256]
    )
    run.finish({"stations": names, "memory": config.memory, "strategy": settings.strategy})
    return text


def settings_of(config: ContinualConfig) -> FinetuneSettings:
    """Return how fine-tuning goes by the command's flags."""
    return FinetuneSettings(strategy=config.strategy, last_rate=config.rate, replay_share=config.replay_share)


def station_names(folders: Sequence[Path]) -> list[str]:
    """Return a name for each folder: its own, with its number where two are called alike.

    Raises:
        InputError: the same folder twice.
    """
    places = [folder.resolve() for folder in folders]
    for k, place in enumerate(places):
        if place in places[:k]:
            raise InputError(f"each folder of photographs must be named once, got {folders[k]} twice")
    names = [place.name for place in places]
    return [f"{name} ({k})" if names.count(name) > 1 else name for k, name in enumerate(names, 1)]


def _station(config: ContinualConfig, card: ModelCard, name: str, folder: Path) -> tuple[Station, RealData]:
    rig = card.rig
    data = load_real(folder, rig)
    if (folder / SOURCE).is_file() and (made_for := read_json(folder / SOURCE).get("rig")) != rig.name:
        raise InputError(f"{folder} must hold photographs for rig {rig.name} of the model, got a pack of {made_for}")
    report_data(data)
    split = _split(card, data)
    pool = [f for f in data.frames if f.file in split.train]
    held_out = tuple(f for f in data.frames if f.file in split.test)
    if len(held_out) < _FEWEST_HELD_OUT:
        raise InputError(
            f"{folder} must leave {_FEWEST_HELD_OUT} or more frames to score, got {len(held_out)} ({split.rule})"
        )
    known = fitted_hashes(config.model)
    if any(f.sha256 in known for f in held_out):
        raise InputError(f"{config.model} was fitted on photographs that {folder} holds out; use a model without them")
    fitted = choose_frames(pool, config.frames, config.seed, f"fine-tuning on {folder}")
    # The held-out pictures are not looked at, not even without their labels.
    seen = [(p, f) for p, f in zip(data.unlabelled, data.files, strict=True) if f not in split.test]
    data = dataclasses.replace(data, unlabelled=tuple(p for p, _ in seen), files=tuple(f for _, f in seen))
    # The model's own camera may have been refitted on another station.
    start, aligned = start_camera(dataclasses.replace(card, camera=CameraView.of(rig)), data)
    return Station(name, start, aligned, tuple(fitted), held_out), data


def _check_apart(data: Sequence[RealData]) -> None:
    """Check that no photograph is in two folders: it could be fitted in one and scored in the other."""
    owner: dict[str, Path] = {}
    for one in data:
        for frame in one.frames:
            other = owner.setdefault(frame.sha256, one.folder)
            if other != one.folder:
                raise InputError(f"stations must have photographs of their own, {frame.file} is in {other} too")


def _split(card: ModelCard, data: RealData) -> Split:
    try:
        return split_frames(card.rig, data.frames)
    except InputError as error:
        raise InputError(f"{data.folder}: {error}") from None


def _run(
    config: ContinualConfig,
    card: ModelCard,
    model: PerceptionModel,
    stations: Sequence[Station],
    settings: FinetuneSettings,
    device: torch.device,
) -> list[Stage]:
    """Return all stages; those that are on disk are read, and the model is left as the last one leaves it."""
    rig: Rig = card.rig
    replay = None
    stages: list[Stage] = []
    for number in range(len(stations) + 1):
        folder = config.out / "stages" / str(number)
        record = folder / "stage.json"
        if record.is_file():
            stages.append(read_record(record, Stage))
            if number and not (config.out / "stages" / str(number + 1) / "stage.json").is_file():
                model.load_state_dict(load_checkpoint(folder, device)[0].state_dict())
            continue
        folder.mkdir(parents=True, exist_ok=True)
        if number == 0:
            stage = stage_zero(model, rig, stations, device)
        else:
            logger.info("stage %d of %d: %s", number, len(stations), stations[number - 1].name)
            if replay is None and (settings.replay_share > 0 or settings.strategy == "ewc"):
                drawn_with = config.randomization or recorded_randomization(config.model)
                replay = draw_replay(rig, config.seed, settings.replay_frames, drawn_with, config.renderer)
            # Each stage is seeded by itself, so that one that is resumed ends as if it had not been interrupted.
            prepare_torch(config.seed + number, config.threads)
            stage = next_stage(model, rig, stations, stages[-1], config.memory, replay, settings, config.seed, device)
            save_checkpoint(folder / "model", model, card, {"command": "continual", "stage": number})
        write_record(record, stage, {"command": "continual", "model": str(config.model)})
        stages.append(stage)
    return stages


def _save_models(
    config: ContinualConfig,
    card: ModelCard,
    model: PerceptionModel,
    stations: Sequence[Station],
    last: Stage,
    fitting_side: Sequence[str],
) -> None:
    """Write the final model once a station, with its camera, and that of the last station as the run's own."""
    count = sum(len(s.fitted) for s in stations)
    trained_on = f"{card.trained_on}; then {count} photographs of {', '.join(s.name for s in stations)}, in this order"
    places = [(config.out / "stations" / s.name, k) for k, s in enumerate(stations)]
    for place, k in [*places, (config.out, len(stations) - 1)]:
        new_card = dataclasses.replace(
            card,
            camera=last.cameras[k],
            camera_source=f"refitted on {len(stations[k].fitted)} labelled frames of {stations[k].name}",
            selection=f"{count} labelled frames",
            trained_on=trained_on,
        )
        place.mkdir(parents=True, exist_ok=True)
        write_json(place / "split.json", {"train_sha256": list(fitting_side)})
        save_checkpoint(place / "model", model, new_card, {"command": "continual", "model": str(config.model)})
