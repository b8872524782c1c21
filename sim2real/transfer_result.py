"""What transfer.json holds: rows, predictions, data, randomization, pretraining, machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from calibration.records import read_json
from calibration.rig import Rig
from sim2real.configs import TransferConfig
from sim2real.gap.measured import frame_protocol
from sim2real.presets import load_preset, rig_spec
from sim2real.realdata import RealData
from sim2real.runs import RunFolder, system_info
from sim2real.scoring import FrameScore
from sim2real.splits import Split
from sim2real.stream import SimulatedFrames

Target = Literal["real photographs", "held-out simulation"]


def frame_entry(score: FrameScore, key: str, budget: int, seed: int, subset: int) -> dict[str, Any]:
    """Return one frame's score as plain data."""
    return {
        "file": score.file,
        "key": key,
        "budget": budget,
        "seed": seed,
        "subset": subset,
        "truth": list(score.truth),
        "prediction": list(score.prediction),
        "error": score.error,
        "truth_px": list(score.truth_px) if score.truth_px else None,
        "prediction_px": list(score.prediction_px) if score.prediction_px else None,
        "visible": score.visible,
    }


def transfer_result(
    config: TransferConfig,
    rig: Rig,
    data: RealData,
    split: Split,
    models: Sequence[Path],
    target: Target,
    rows: list[dict[str, Any]],
    predictions: list[dict[str, Any]],
) -> dict[str, Any]:
    """Return what transfer.json holds."""
    scale = {"m": 1.0, "cm": 100.0, "mm": 1000.0}[rig.label.display_unit]
    spec = SimulatedFrames(rig, rig_spec(rig, load_preset(rig.preset)), 0).sampler.channels
    budgets = " ".join(str(b) for b in config.budgets)
    source = f"--frames {config.frames}"
    if config.pretrained:
        source = f"--pretrained {' '.join(m.name for m in config.pretrained)}"
    groups = f" --test-groups {' '.join(config.test_groups)}" if config.test_groups else ""
    return {
        "format": "sim2real.transfer",
        "version": 1,
        "title": rig.name,
        "rig": rig.name,
        "target": target,
        "quantity": {
            "name": rig.label.name,
            "components": list(rig.label.components),
            "unit": "m",
            "display_unit": rig.label.display_unit,
            "display_scale": scale,
            "frame": rig.label.frame,
        },
        "data": {
            "folder": config.real.name,
            "frames": len(data.unlabelled),
            "left_out": [{"file": f, "reason": r} for f, r in data.left_out],
            "faulty": [{"file": f, "reason": r} for f, r in data.faulty],
            "split": {
                "rule": split.rule,
                "train": list(split.train),
                "test": list(split.test),
                "sha256": split.sha256,
            },
        },
        "protocol": frame_protocol(target, rig.label.name, split.rule, split.test, split.sha256).to_plain(),
        "rows": rows,
        "predictions": predictions,
        "randomization": [{"target": p, "how": c.how, "distribution": str(c.distribution)} for p, c in spec.items()],
        "pretraining": [_pretraining(seed, model) for seed, model in enumerate(models)],
        "preview": "preview.png",
        "system": system_info(),
        "commands": [
            f"sim2real transfer --rig {rig.name} --real {config.real.name} --budgets {budgets} --seeds {config.seeds} "
            f"--subsets {config.subsets} {source}{groups} --out {config.out.name}"
        ],
    }


def _pretraining(seed: int, model: Path) -> dict[str, Any]:
    summary = read_json(model / "finished.json")
    log = RunFolder(model).read_log()
    return {
        "seed": seed,
        "frames": summary["frames"],
        "seconds": summary["seconds_since_start_or_resume"],
        "frames_per_s": summary["frames_per_s"],
        "backbone": summary["backbone"],
        "weights": summary["weights"],
        "loss": [[e["step"], e["loss"]] for e in log],
    }
