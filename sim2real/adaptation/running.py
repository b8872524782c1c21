"""Run a chain of label-free methods on a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from calibration.errors import InputError
from calibration.rig import Rig
from envs.rendering.choice import RendererName
from policies.perception import PerceptionModel, freeze, put_front
from sim2real.adaptation.image_level.background import FEWEST_PHOTOGRAPHS, over_background, write_background
from sim2real.adaptation.image_level.canonical import train_translator
from sim2real.adaptation.image_level.colour import match_colour_statistics, match_white_balance
from sim2real.adaptation.image_level.fourier import swap_low_frequencies
from sim2real.adaptation.image_level.histogram import match_histograms
from sim2real.adaptation.image_level.photometric import FittedRange, fit_ranges, with_ranges
from sim2real.adaptation.image_level.picture_map import PictureMap, Style, ToReferences
from sim2real.adaptation.methods import Step, Training
from sim2real.adaptation.source import SourceFrames
from sim2real.adaptation.training import AdaptSettings, train_adapted
from sim2real.randomization import RandomizationSpec
from sim2real.stream import SimulatedFrames

_STYLES: dict[str, Style] = {
    "colour": match_colour_statistics,
    "white-balance": match_white_balance,
    "histogram": match_histograms,
    "fourier": swap_low_frequencies,
}


@dataclass(frozen=True, eq=False)
class Problem:
    """What label-free adaptation is given.

    Attributes:
        rig: the station.
        spec: what varies in simulation.
        pictures: unlabelled photographs (N, H, W, 3) at the size that the model sees.
        seed: of everything that is random.
        device: where the model is.
        folder: for files that frames are drawn with.
        renderer: what draws them.
    """

    rig: Rig
    spec: RandomizationSpec
    pictures: NDArray[np.uint8]
    seed: int
    device: torch.device
    folder: Path
    renderer: RendererName = "auto"


def source_of(step: Training, problem: Problem) -> SourceFrames:
    """Return the simulated frames that a training learns from."""
    spec = problem.spec
    if "photometric" in step.image:
        spec = with_ranges(spec, ranges_of(problem))
    specs = [spec]
    if "background" in step.image:
        textures = write_background(problem.folder, list(problem.pictures))
        specs.append(over_background(spec, problem.rig, textures))
    maps: list[PictureMap] = [ToReferences(_STYLES[name], problem.pictures) for name in step.image if name in _STYLES]
    return SourceFrames(problem.rig, specs, maps, problem.seed, problem.renderer)


def ranges_of(problem: Problem) -> list[FittedRange]:
    """Return the sensor ranges that fit the photographs."""
    stream = SimulatedFrames(problem.rig, problem.spec, problem.seed, renderer=problem.renderer)
    ranges = fit_ranges(stream, problem.pictures)
    stream.close()
    return ranges


def check_chain(steps: Sequence[Step], photographs: int) -> None:
    """Check that there are enough photographs for every step.

    Raises:
        InputError: there are not.
    """
    for step in steps:
        if isinstance(step, Training) and "background" in step.image and photographs < FEWEST_PHOTOGRAPHS:
            raise InputError(
                f"method background needs at least {FEWEST_PHOTOGRAPHS} unlabelled photographs, got {photographs}"
            )


def run_chain(
    model: PerceptionModel, steps: Sequence[Step], problem: Problem, settings: AdaptSettings | None = None
) -> list[dict[str, Any]]:
    """Adapt the model in place and return what each step did, as plain data.

    Raises:
        InputError: too few photographs for a method, or training that diverged.
    """
    settings = settings or AdaptSettings()
    done = []
    for step in steps:
        if isinstance(step, Training):
            done.append(_train(model, step, problem, settings))
    return done


def _put_canonical_front(model: PerceptionModel, problem: Problem) -> None:
    """Give the model a front that turns pictures into the nominal world's looks; training then goes through it."""
    stream = SimulatedFrames(problem.rig, problem.spec, problem.seed, renderer=problem.renderer)
    translator, _ = train_translator(stream, problem.seed, problem.device)
    stream.close()
    freeze(translator)
    put_front(model, translator)


def _train(model: PerceptionModel, step: Training, problem: Problem, settings: AdaptSettings) -> dict[str, Any]:
    if "canonical" in step.image:
        _put_canonical_front(model, problem)
    source = source_of(step, problem)
    losses = train_adapted(model, source, None, 0.0, problem.pictures, problem.seed, problem.device, settings)
    source.close()
    tenth = max(1, len(losses) // 10)
    return {
        "step": "training",
        "image": list(step.image),
        "weights": step.weights,
        "feature": step.feature,
        "steps": len(losses),
        "loss_first": float(np.mean(losses[:tenth])),
        "loss_last": float(np.mean(losses[-tenth:])),
    }
