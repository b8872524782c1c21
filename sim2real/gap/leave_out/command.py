"""`sim2real leave-out`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibration.errors import InputError
from calibration.records import read_json, to_plain, write_json, write_text
from calibration.rig import Rig
from calibration.rig_file import load_rig
from policies.checkpoint import load_checkpoint
from policies.device import pick_device
from sim2real.configs import PretrainConfig
from sim2real.gap.leave_out.axes import chosen_axes, groups_of, held_at_nominal
from sim2real.gap.leave_out.configs import LeaveOutConfig
from sim2real.gap.leave_out.ranking import markdown, rank_axes
from sim2real.gap.measured import frame_protocol
from sim2real.labelled_photographs import report_data
from sim2real.presets import load_preset, rig_spec
from sim2real.pretrain import pretrain
from sim2real.randomization import RandomizationSpec
from sim2real.realdata import RealFrame, load_real
from sim2real.runs import RunFolder, system_info
from sim2real.scoring import score_frames
from sim2real.splits import split_frames
from sim2real.statistics import mean_estimate

FORMAT, RESULT, TABLE = "sim2real.leave-out", "leave_out.json", "table.md"
EVERYTHING = "nothing"


@dataclass(frozen=True)
class _Protocol:
    """What may not differ between pretrainings that are compared; axes and seeds may be added later."""

    rig: str
    real: Path
    frames: int
    photographs: str
    held_out: bool
    backbone: str
    batch_size: int
    randomization: str | None

    @classmethod
    def of(cls, config: LeaveOutConfig) -> _Protocol:
        return cls(*(getattr(config, name) for name in cls.__dataclass_fields__))


def leave_out(config: LeaveOutConfig) -> str:
    """Pretrain with all axes and with each left out, score all on the same photographs, and return the ranking.

    Models of one seed see the same worlds but for what is held. Each pretraining that is finished has a file below
    scores/ and is not run again.

    Raises:
        InputError: bad settings or data; nothing is written then.
    """
    if config.seeds < 1 or config.frames < config.batch_size:
        raise InputError(
            f"seeds must be 1 or more and frames at least batch_size, got {config.seeds}, {config.frames} and "
            f"{config.batch_size}"
        )
    rig = load_rig(config.rig)
    spec = rig_spec(rig, load_preset(config.randomization or rig.preset))
    axes = chosen_axes(groups_of(rig, spec), config.axes)
    if not axes:
        raise InputError(f"randomization {spec.name} of rig {rig.name} varies nothing that could be left out")
    data = load_real(config.real, rig)
    report_data(data)
    scored, rule = _scored(rig, data.frames, config.photographs)
    run = RunFolder.create(config.out, _Protocol.of(config), config.resume)
    (config.out / "scores").mkdir(exist_ok=True)
    specs = {EVERYTHING: spec} | {name: held_at_nominal(rig, spec, name, held) for name, held in axes.items()}
    # Seed by seed, so that a run that was stopped can be ranked by fewer seeds.
    tables: dict[str, list[list[float]]] = {name: [] for name in specs}
    for seed in range(config.seeds):
        for name, one in specs.items():
            tables[name].append(_errors(config, one, name, seed, scored))
    errors: dict[str, NDArray[np.float64]] = {name: np.array(table) for name, table in tables.items()}
    everything = errors.pop(EVERYTHING)
    rows = rank_axes(everything, errors, axes)
    unit = rig.label.display_unit
    mean = mean_estimate(everything, "m")
    contents = hashlib.sha256("".join(f.sha256 for f in scored).encode()).hexdigest()
    target = "held-out simulation" if config.held_out else "real photographs"
    protocol = frame_protocol(target, rig.label.name, rule, tuple(f.file for f in scored), contents)
    table = f"{target} of {config.real.name}: {rule}\n\n"
    table += markdown(mean, rows, config.seeds, unit, {"m": 1.0, "cm": 100.0, "mm": 1000.0}[unit])
    result = {
        "format": FORMAT,
        "version": 1,
        "rig": rig.name,
        "real": config.real.name,
        "randomization": spec.name,
        "protocol": protocol.to_plain(),
        "display_unit": unit,
        "selection": "none",
        "seeds": config.seeds,
        "everything": mean,
        "axes": [asdict(r) for r in rows],
        "system": system_info(),
    }
    write_json(config.out / RESULT, to_plain(result))
    write_text(config.out / TABLE, table + "\n")
    run.finish({"axes": list(axes), "seeds": config.seeds})
    return table


def _scored(rig: Rig, frames: Sequence[RealFrame], which: str) -> tuple[list[RealFrame], str]:
    """Return the frames to score, two or more, and how they were chosen."""
    kept, rule = list(frames), "all usable frames; no model saw a label"
    if which == "fitting-side":
        split = split_frames(rig, frames)
        kept, rule = [f for f in frames if f.file in split.train], f"the fitting side of: {split.rule}"
    if len(kept) < 2:
        raise InputError(f"leave-out needs two or more photographs to score, found {len(kept)} ({rule})")
    return kept, rule


def _errors(
    config: LeaveOutConfig, spec: RandomizationSpec, name: str, seed: int, scored: Sequence[RealFrame]
) -> list[float]:
    """Return the errors of one pretraining, metres; they are read where they are known."""
    job = f"{name.replace(' ', '-')}-seed{seed}"
    result = config.out / "scores" / f"{job}.json"
    if not result.is_file():
        folder = config.out / "models" / job
        settings = PretrainConfig(
            config.rig,
            folder,
            config.frames,
            seed,
            config.device,
            True,
            config.workers,
            config.backbone,
            randomization=config.randomization,
            renderer=config.renderer,
            batch_size=config.batch_size,
            threads=config.threads,
        )
        pretrain(settings, spec)
        device = pick_device(config.device)
        model, card = load_checkpoint(folder, device)
        scores = [asdict(s) for s in score_frames(model, card.rig, card.camera, scored, device)]
        write_json(result, {"axis": name, "seed": seed, "randomization": spec.name, "scores": to_plain(scores)})
    found = {s["file"]: float(s["error"]) for s in read_json(result)["scores"]}
    missing = [f.file for f in scored if f.file not in found]
    if missing:
        raise InputError(f"{result} must have a score of every photograph, lacks {missing[0]}; choose another --out")
    return [found[f.file] for f in scored]
