"""Run a chain of label-free methods on a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from calibration.errors import InputError
from calibration.rig import Rig
from policies.perception import PerceptionModel, freeze, put_front
from sim2real.adaptation.feature_level.alignment import Alignment
from sim2real.adaptation.feature_level.methods import ALIGNMENTS
from sim2real.adaptation.image_level.background import FEWEST_PHOTOGRAPHS, over_background, write_background
from sim2real.adaptation.image_level.canonical import train_translator
from sim2real.adaptation.image_level.colour import match_colour_statistics, match_white_balance
from sim2real.adaptation.image_level.fourier import swap_low_frequencies
from sim2real.adaptation.image_level.histogram import match_histograms
from sim2real.adaptation.image_level.photometric import FittedRange, fit_ranges, with_ranges
from sim2real.adaptation.image_level.picture_map import PictureMap, Style, ToReferences
from sim2real.adaptation.methods import Step, Training
from sim2real.adaptation.problem import Problem
from sim2real.adaptation.reweighting.weights import effective_sample_size, flattened
from sim2real.adaptation.self_supervised.methods import PRETEXTS
from sim2real.adaptation.self_supervised.pretext import Pretext
from sim2real.adaptation.self_supervised.state import check_measured
from sim2real.adaptation.self_training.batch_norm import recalibrate
from sim2real.adaptation.self_training.coral_head import fold_coral, head_moments
from sim2real.adaptation.self_training.coral_layers import fold_coral_layers
from sim2real.adaptation.self_training.mean_teacher import MeanTeacherSettings, train_mean_teacher
from sim2real.adaptation.self_training.subspace import SubspaceAdapter, measure_source
from sim2real.adaptation.source import Source, SourceFrames, WeightedFrames
from sim2real.adaptation.training import AdaptSettings, Pulls, train_adapted
from sim2real.adaptation.weighting import frame_weights
from sim2real.randomization import RandomizationSpec
from sim2real.stream import Batch, SimulatedFrames

_STYLES: dict[str, Style] = {
    "colour": match_colour_statistics,
    "white-balance": match_white_balance,
    "histogram": match_histograms,
    "fourier": swap_low_frequencies,
}
# As many photographs the simulation counts where statistics are blended: a few dozen photographs say less than it.
_PRIOR_PHOTOGRAPHS = 10.0
_POOL_NUMBER = 100_000


def source_of(step: Training, problem: Problem, settings: AdaptSettings | None = None) -> SourceFrames:
    """Return the simulated frames that a training learns from, after its image-level methods."""
    specs, maps = looks_of(step, problem, settings)
    return SourceFrames(problem.rig, specs, maps, problem.seed, problem.renderer)


def looks_of(
    step: Training, problem: Problem, settings: AdaptSettings | None = None
) -> tuple[list[RandomizationSpec], list[PictureMap]]:
    """Return what varies in a training's simulated frames, one a stream, and what their pictures go through."""
    spec = problem.spec
    if "photometric" in step.image:
        spec = with_ranges(spec, ranges_of(problem, (settings or AdaptSettings()).looks_frames))
    specs = [spec]
    if "background" in step.image:
        textures = write_background(problem.folder, list(problem.pictures))
        specs.append(over_background(spec, problem.rig, textures))
    maps: list[PictureMap] = [ToReferences(_STYLES[name], problem.pictures) for name in step.image if name in _STYLES]
    return specs, maps


def ranges_of(problem: Problem, frames: int) -> list[FittedRange]:
    """Return the sensor ranges that fit the photographs."""
    stream = SimulatedFrames(problem.rig, problem.spec, problem.seed, renderer=problem.renderer)
    ranges = fit_ranges(stream, problem.pictures, frames)
    stream.close()
    return ranges


def needs_state(steps: Sequence[Step]) -> bool:
    """Return whether a chain needs what the station's joints measured at the photographs."""
    return any(isinstance(s, Training) and s.pretext is not None and PRETEXTS[s.pretext].moves for s in steps)


def check_chain(steps: Sequence[Step], photographs: int, rig: Rig) -> None:
    """Check that there are enough photographs for every step, and measured joints where one needs them.

    Raises:
        InputError: there are not.
    """
    if needs_state(steps):
        check_measured(rig)
    for step in steps:
        if isinstance(step, Training) and "background" in step.image and photographs < FEWEST_PHOTOGRAPHS:
            raise InputError(
                f"method background needs at least {FEWEST_PHOTOGRAPHS} unlabelled photographs, got {photographs}"
            )
        if isinstance(step, Training) and step.weights is not None and photographs < FEWEST_PHOTOGRAPHS:
            raise InputError(
                f"method {step.weights} needs at least {FEWEST_PHOTOGRAPHS} unlabelled photographs, got {photographs}"
            )
    if photographs < 2:
        raise InputError(f"adaptation needs at least 2 unlabelled photographs, got {photographs}")


def run_chain(
    model: PerceptionModel, steps: Sequence[Step], problem: Problem, settings: AdaptSettings | None = None
) -> list[dict[str, Any]]:
    """Adapt the model in place and return what each step did, as plain data.

    Raises:
        InputError: a method that this model or these photographs do not allow, or training that diverged.
    """
    settings = settings or AdaptSettings()
    done = []
    for step in steps:
        if isinstance(step, Training):
            done.append(_train(model, step, problem, settings))
        else:
            done.append({"step": step, **_STEPS[step](model, problem, settings)})
        model.eval()
    return done


def _train(model: PerceptionModel, step: Training, problem: Problem, settings: AdaptSettings) -> dict[str, Any]:
    if "canonical" in step.image:
        _put_canonical_front(model, problem, settings.translator_steps)
    source: Source = source_of(step, problem, settings)
    said: dict[str, Any] = {}
    if step.weights is not None:
        pool = _pool(source, settings)
        weights = frame_weights(step.weights, model, pool.rgb, problem.pictures, settings.stage, problem.seed)
        source.close()
        said["effective_frames_found"] = effective_sample_size(weights)
        weights = flattened(weights, settings.least_effective * len(weights))
        source = WeightedFrames(pool, weights, problem.seed)
        said["effective_frames"] = effective_sample_size(weights)
        said["pool_frames"] = len(weights)
    alignment: Alignment | None = None
    weight = 0.0
    if step.feature is not None:
        method = ALIGNMENTS[step.feature]
        alignment = method.build(model, model.backbone.channels[settings.stage], problem.seed)
        weight = method.weight if settings.weight is None else settings.weight
        said["weight"] = weight
    pretext: Pretext | None = None
    pretext_weight = 0.0
    if step.pretext is not None:
        task = PRETEXTS[step.pretext]
        pretext = task.build(model, problem, *looks_of(step, problem, settings))
        pretext_weight = task.weight if settings.pretext_weight is None else settings.pretext_weight
        said["pretext"] = {"method": step.pretext, "weight": pretext_weight}
    pulls = Pulls(alignment, weight, pretext, pretext_weight)
    trained = train_adapted(model, source, pulls, problem.pictures, problem.seed, problem.device, settings)
    source.close()
    if pretext is not None:
        pretext.close()
        said["pretext"] |= {"loss_first": _start(trained.pretext_losses), "loss_last": _end(trained.pretext_losses)}
    losses = trained.losses
    return {
        "step": "training",
        "image": list(step.image),
        "weights": step.weights,
        "feature": step.feature,
        "steps": len(losses),
        "loss_first": _start(losses),
        "loss_last": _end(losses),
        "stopped": trained.stopped,
        **said,
    }


def _start(losses: Sequence[float]) -> float:
    return float(np.mean(losses[: max(1, len(losses) // 10)]))


def _end(losses: Sequence[float]) -> float:
    return float(np.mean(losses[-max(1, len(losses) // 10) :]))


def _put_canonical_front(model: PerceptionModel, problem: Problem, steps: int) -> None:
    """Give the model a front that turns pictures into the nominal world's looks; training then goes through it."""
    stream = SimulatedFrames(problem.rig, problem.spec, problem.seed, renderer=problem.renderer)
    translator, _ = train_translator(stream, problem.seed, problem.device, steps)
    stream.close()
    freeze(translator)
    put_front(model, translator)


def _recalibrate(model: PerceptionModel, problem: Problem, settings: AdaptSettings) -> dict[str, Any]:
    recalibrate(model, problem.pictures, prior_count=_PRIOR_PHOTOGRAPHS)
    return {"prior_photographs": _PRIOR_PHOTOGRAPHS}


def _fold_coral(model: PerceptionModel, problem: Problem, settings: AdaptSettings) -> dict[str, Any]:
    simulated = _plain_pool(problem, settings).rgb
    source, target = head_moments(model, simulated), head_moments(model, problem.pictures)
    fold_coral(model, source, target, prior_count=_PRIOR_PHOTOGRAPHS)
    return {"prior_photographs": _PRIOR_PHOTOGRAPHS, "simulated_frames": len(simulated)}


def _fold_coral_layers(model: PerceptionModel, problem: Problem, settings: AdaptSettings) -> dict[str, Any]:
    simulated = _plain_pool(problem, settings).rgb
    layers = fold_coral_layers(model, simulated, problem.pictures, prior_count=_PRIOR_PHOTOGRAPHS)
    return {"layers": layers, "prior_photographs": _PRIOR_PHOTOGRAPHS, "simulated_frames": len(simulated)}


def _align_subspace(model: PerceptionModel, problem: Problem, settings: AdaptSettings) -> dict[str, Any]:
    source = measure_source(model, _plain_pool(problem, settings).rgb)
    done = SubspaceAdapter(model, source).adapt(problem.pictures)
    return {"moved": done.moved, "rolled_back": done.rolled_back}


def _mean_teacher(model: PerceptionModel, problem: Problem, settings: AdaptSettings) -> dict[str, Any]:
    small = problem.view.resized(*problem.rig.input_size_px)
    pool = _plain_pool(problem, settings)
    teacher = MeanTeacherSettings(steps=settings.teacher_steps)
    result = train_mean_teacher(
        model, problem.rig, small, pool, problem.pictures, problem.seed, problem.device, teacher
    )
    return {"steps": result.steps, "believed_share": result.kept, "stopped": result.stopped}


_STEPS: dict[str, Callable[[PerceptionModel, Problem, AdaptSettings], dict[str, Any]]] = {
    "batchnorm": _recalibrate,
    "coral-head": _fold_coral,
    "coral-layers": _fold_coral_layers,
    "subspace": _align_subspace,
    "mean-teacher": _mean_teacher,
}


def _plain_pool(problem: Problem, settings: AdaptSettings) -> Batch:
    frames = source_of(Training(), problem)
    pool = _pool(frames, settings)
    frames.close()
    return pool


def _pool(source: Source, settings: AdaptSettings) -> Batch:
    """Return frames that no training step draws."""
    size = 16
    return Batch.joined([source.batch(_POOL_NUMBER + k, size) for k in range(max(1, settings.pool_frames // size))])
