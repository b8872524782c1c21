"""Measure one model: how well its stages serve the labels, and how far they tell the domains apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from calibration.lifting import label_values
from calibration.rig import Rig
from policies.checkpoint import ModelCard
from policies.perception import PerceptionModel
from sim2real.advice.arrays import Floats
from sim2real.advice.distances.a_distance import a_distance
from sim2real.advice.distances.kernel_distance import kid, mmd_test
from sim2real.advice.photographs import Photographs
from sim2real.advice.record import DomainGap, ModelAdvice, StageAdvice
from sim2real.advice.stages import Answers, answers, stage_names
from sim2real.advice.transferability.h_score import h_score
from sim2real.advice.transferability.linear_probe import probe_errors
from sim2real.advice.transferability.log_me import log_me
from sim2real.advice.transferability.probes import PROBES, left_out_errors
from sim2real.realdata import RealFrame, stack_pictures
from sim2real.scoring import score_frames
from sim2real.statistics import mean_estimate

# With fewer labelled frames a probe is fitted to two.
FEWEST_LABELLED = 4


@dataclass(frozen=True, eq=False)
class Task:
    """Labels of the frames used, and how they are divided for cross-validation.

    Attributes:
        frames: N labelled frames.
        labels: (N, L), the scored components, metres.
        groups: (N,), None where each frame is left out alone.
        folds: for people.
        chance_m: mean error of predicting the mean of the other labels.
    """

    frames: tuple[RealFrame, ...]
    labels: Floats
    groups: tuple[str, ...] | None
    folds: str
    chance_m: float


def task_of(rig: Rig, frames: Sequence[RealFrame]) -> Task | None:
    """Return the task of labelled frames, None where they are too few for any number."""
    if len(frames) < FEWEST_LABELLED:
        return None
    labels = np.stack([label_values(rig, f.point_m) for f in frames])
    groups: tuple[str, ...] | None = tuple(f.group for f in frames)
    number = len(set(groups or ()))
    if number >= 3:
        folds = f"leave one group out, {number} groups by column {rig.data.group_column}"
    else:
        groups, folds = None, "leave one frame out"
    chance = probe_errors(np.zeros((len(frames), 1)), labels, groups).chance
    return Task(tuple(frames), labels, groups, folds, float(chance.mean()))


def domain_gap(simulated: Floats, real: Floats, seed: int) -> DomainGap:
    """Return how far features of simulated (N, D) and real pictures (M, D) are apart."""
    return DomainGap(a_distance(simulated, real, seed), kid(simulated, real, seed), mmd_test(simulated, real, seed))


def measure_model(
    folder: str,
    model: PerceptionModel,
    card: ModelCard,
    photographs: Photographs,
    simulated: NDArray[np.uint8],
    task: Task | None,
    seed: int,
    device: torch.device,
) -> tuple[ModelAdvice, Answers]:
    """Return what there is to say of a model, and what it makes of the photographs."""
    real, rendered = answers(model, photographs.pictures, device), answers(model, simulated, device)
    labelled = answers(model, stack_pictures(task.frames), device) if task else None
    stages = []
    for k, name in enumerate(stage_names(model)):
        gap = domain_gap(rendered.stages[k].pooled, real.stages[k].pooled, seed)
        places = labelled.stages[k].places if labelled else None
        stages.append(_stage(name, model.backbone.channels[k], places, task, gap))
    own: tuple[float, ...] = ()
    if task:
        own = tuple(s.error for s in score_frames(model, card.rig, card.camera, task.frames, device))
    advice = ModelAdvice(
        folder,
        card.spec.backbone,
        card.trained_on,
        card.selection,
        mean_estimate(own, "m") if own else None,
        own,
        float(real.confidence.mean()),
        tuple(stages),
    )
    return advice, real


def _stage(name: str, channels: int, places: Floats | None, task: Task | None, gap: DomainGap) -> StageAdvice:
    if places is None or task is None:
        return StageAdvice(name, channels, None, None, None, (), gap)
    errors = probe_errors(places, task.labels, task.groups).errors
    spread = task.labels.std(axis=0)
    standard = (task.labels - task.labels.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return StageAdvice(
        name,
        channels,
        log_me(places - places.mean(axis=0), standard),
        h_score(places, task.labels),
        mean_estimate(errors, "m"),
        tuple(float(e) for e in errors),
        gap,
        {name: mean_estimate(left_out_errors(name, places, task.labels, task.groups), "m") for name in PROBES},
    )
