"""How much of the gap that a planted shift makes label-free methods recover, and where they make it worse."""

from __future__ import annotations

import copy
import math
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from calibration.errors import InputError
from calibration.records import to_plain, write_json
from calibration.view import CameraView
from policies.averaging import predict_over_views
from policies.checkpoint import ModelCard, load_checkpoint
from policies.device import pick_device
from policies.perception import PerceptionModel
from sim2real.adaptation.guards.choosing import choose_without_labels
from sim2real.adaptation.guards.label_shift import check_label_shift
from sim2real.adaptation.guards.never_worse import decide
from sim2real.adaptation.guards.paired import paired_difference, verdict
from sim2real.adaptation.methods import chain
from sim2real.adaptation.problem import Problem
from sim2real.adaptation.running import run_chain
from sim2real.adaptation.training import AdaptSettings
from sim2real.benchmarks.config import BenchmarkConfig
from sim2real.distributions import Uniform
from sim2real.presets import load_preset, rig_spec
from sim2real.pretrain import prepare_torch
from sim2real.randomization import Channel, RandomizationSpec
from sim2real.runs import recorded_randomization, system_info
from sim2real.stream import Batch, SimulatedFrames

# Frames that are scored, and unlabelled ones that methods see; no training draws their numbers.
_SCORED, _UNLABELLED, _FIRST = 160, 48, 80_000_000
# Of the unlabelled ones, those whose labels are then shown to the guard that needs some.
_LABELLED = 10
_SEEN = 0.3
_PART = 16

Values = dict[str, Any]


@dataclass(frozen=True)
class Shift:
    """What is other in the target.

    Attributes:
        left: sensor values of frames whose target is on the left half.
        right: the same of the right half.
        share: of the frames, those whose target is farthest to one side; the target domain has no others.
        side: which side that is, "left" or "near", at the picture's lower edge.
    """

    left: Values
    right: Values
    share: float = 1.0
    side: Literal["left", "near"] = "left"


def shifts(strength: float) -> dict[str, Shift]:
    """Return planted shifts by name.

    In the last four what is other depends on the label: colour by the side that the target is on, or no frames at all
    with the target elsewhere. No alignment of all pictures with all pictures can see that (Zhao et al. 2019).

    Args:
        strength: 1 for the shifts that wide randomization does not cover, 0 for none.
    """
    warm = tuple(float(g**strength) for g in (0.45, 1.0, 1.7))
    colour = {
        "white_balance": warm,
        "saturation": 1.0 - 0.65 * strength,
        "gamma": float(1.8**strength),
    }
    blur, noise = {"blur_px": 2.2 * strength}, {"noise": 22.0 * strength}
    milder = {"blur_px": 1.1 * strength, "noise": 8.0 * strength}
    cold = colour | {"white_balance": warm[::-1]}
    share = 1.0 - 0.75 * min(strength, 1.0)
    return {
        "none": Shift({}, {}),
        "colour": Shift(colour, colour),
        "blur": Shift(blur, blur),
        "noise": Shift(noise, noise),
        "colour, blur and noise": Shift(colour | milder, colour | milder),
        "colour by label": Shift(colour, cold),
        "labels at one side": Shift({}, {}, share),
        "labels at the near edge": Shift({}, {}, share, "near"),
        "colour, labels at one side": Shift(colour, colour, share),
    }


def benchmark(config: BenchmarkConfig) -> str:
    """Run the benchmark, write its figures if asked to, and return them as text.

    Raises:
        InputError: numbers that cannot be, no model, an unknown method, or a file that exists.
    """
    if config.out is not None and config.out.exists():
        raise InputError(f"--out must be a new file, got {config.out}")
    if not 0.0 < config.strength <= 2.0:
        raise InputError(f"strength must be above 0 and at most 2, got {config.strength:g}")
    if config.model is None:
        raise InputError("shifts needs --model, a run folder of pretrain, that is to be adapted")
    steps = {name: chain(name.split("+")) for name in config.methods}
    planted = _chosen(config)
    device = pick_device(config.device)
    prepare_torch(0, 0)
    model, card = load_checkpoint(config.model, device)
    if card.spec.head != "keypoints":
        raise InputError(f"{config.model} must be a keypoint model, got {card.spec.head}")
    preset = recorded_randomization(config.model) or card.rig.preset
    spec = rig_spec(card.rig, load_preset(preset))
    plain = _errors(model, _draw(card, spec, Shift({}, {}))[0], device)
    settings = AdaptSettings(config.steps, weight=config.weight)
    rows = []
    for name, shift in planted.items():
        scored, unlabelled = _draw(card, spec, shift)
        before = _errors(model, scored, device)
        for method, step in steps.items():
            adapted = copy.deepcopy(model)
            with tempfile.TemporaryDirectory() as folder:
                view = CameraView.of(card.rig)
                problem = Problem(card.rig, view, spec, unlabelled.rgb, 0, device, Path(folder))
                run_chain(adapted, step, problem, settings)
            guards = _guards(model, adapted, problem, unlabelled)
            rows.append(_row(name, method, plain, before, _errors(adapted, scored, device), guards))
    if config.out is not None:
        held = {"rows": rows, "strength": config.strength, "randomization": preset, "steps": config.steps}
        write_json(config.out, to_plain(held | {"weight": config.weight, "system": system_info()}))
    return _text(config, preset, rows)


def _chosen(config: BenchmarkConfig) -> dict[str, Shift]:
    """Return the shifts to plant; InputError for a name that there is not."""
    known = shifts(config.strength)
    for name in config.shifts:
        if name not in known:
            raise InputError(f"shifts must be among {'; '.join(known)}, got '{name}'")
    return {name: known[name] for name in config.shifts or known}


def _draw(card: ModelCard, spec: RandomizationSpec, shift: Shift) -> tuple[Batch, Batch]:
    """Return scored and unlabelled frames of a target; so many more are drawn as a share of the labels leaves out."""
    count = _SCORED + _UNLABELLED
    parts = []
    for values in (shift.left, shift.right):
        fixed = tuple(Channel(f"sensor.{path}", Uniform(value, value)) for path, value in values.items())
        stream = SimulatedFrames(card.rig, spec.with_channels(fixed), 0)
        numbers = range(_FIRST, _FIRST + math.ceil(count / shift.share))
        parts.append(Batch.joined([stream.draw(numbers[k : k + _PART]) for k in range(0, len(numbers), _PART)]))
        stream.close()
        if shift.left == shift.right:
            break
    one, two = parts[0], parts[-1]
    across, down = one.keypoints_px[:, 0].T
    pictures = np.where((across < np.median(across))[:, None, None, None], one.rgb, two.rgb)
    kept = np.sort(np.argsort(across if shift.side == "left" else -down, kind="stable")[:count])
    joined = Batch(pictures, one.keypoints_px, one.visible, one.points_m).take(kept)
    return joined.take(np.arange(_SCORED)), joined.take(np.arange(_SCORED, count))


def _errors(model: PerceptionModel, frames: Batch, device: torch.device) -> NDArray[np.float64]:
    """Return the first keypoint's errors, pixels, of frames in which it is seen."""
    found = predict_over_views(model, frames.rgb, device, 1).keypoints_px
    assert found is not None, "a regression head has no keypoints"
    apart = np.linalg.norm(found[:, 0] - frames.keypoints_px[:, 0], axis=1)
    return np.asarray(apart[frames.visible[:, 0] > _SEEN])


def _guards(model: PerceptionModel, adapted: PerceptionModel, problem: Problem, unlabelled: Batch) -> dict[str, Any]:
    """Return what guards say: of the pictures alone, with a few of their labels, and of the labels' distribution."""
    pictures, device = problem.pictures, problem.device
    blind = choose_without_labels(model, adapted, problem.rig, problem.view, pictures, device)
    few = unlabelled.take(np.flatnonzero(unlabelled.visible[:, 0] > _SEEN)[:_LABELLED])
    errors = [_errors(m, few, device) for m in (model, adapted)]
    shift = check_label_shift(model, adapted, problem.rig, problem.spec, pictures, device)
    return {
        "without_labels": blind.use,
        "with_labels": decide(errors[0], errors[1], "px").use,
        "label_shift_p": None if shift is None else shift.p_value,
        "label_shift": shift is not None and shift.found,
    }


def _row(
    shift: str,
    method: str,
    source: NDArray[np.float64],
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    guards: dict[str, Any],
) -> dict[str, Any]:
    difference = paired_difference(after, before, "px")
    gap = float(before.mean() - source.mean())
    said = {"worse": "negative transfer", "better": "helps", "no difference": "no difference"}[verdict(difference)]
    return {
        "shift": shift,
        "method": method,
        "source_px": float(source.mean()),
        "before_px": float(before.mean()),
        "after_px": float(after.mean()),
        "medians_px": [float(np.median(e)) for e in (source, before, after)],
        "difference": asdict(difference.mean),
        "difference_median": asdict(difference.median),
        "recovered": float(before.mean() - after.mean()) / gap if gap > 0 else None,
        "verdict": said,
        **guards,
    }


def _text(config: BenchmarkConfig, preset: str, rows: Sequence[dict[str, Any]]) -> str:
    lines = [
        f"planted shifts of strength {config.strength:g} on simulation by preset {preset}, {_SCORED} frames scored, "
        f"{_UNLABELLED} others unlabelled; mean error of the first keypoint, px",
        "",
        "| shift | method | source | before | after | after less before | recovered | verdict | "
        f"guard without labels | with {_LABELLED} | labels look shifted |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        d, share = row["difference"], row["recovered"]
        lines.append(
            f"| {row['shift']} | {row['method']} | {row['source_px']:.2f} | {row['before_px']:.2f} | "
            f"{row['after_px']:.2f} | {d['value']:+.2f} [{d['low']:+.2f}, {d['high']:+.2f}] | "
            f"{'' if share is None else format(share, '.2f')} | {row['verdict']} | {row['without_labels']} | "
            f"{row['with_labels']} | {'yes' if row['label_shift'] else 'no'} |"
        )
    return "\n".join(lines)
