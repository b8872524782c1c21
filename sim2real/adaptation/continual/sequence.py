"""The stages of continual fine-tuning."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from calibration.rig import Rig
from calibration.view import CameraView
from policies.perception import PerceptionModel
from sim2real.adaptation.continual.matrix import TransferMatrix
from sim2real.adaptation.continual.memory import Kept, frames_to_keep, with_memory
from sim2real.adaptation.fine_tuning.strategies import FinetuneSettings
from sim2real.adaptation.fine_tuning.tuning import tune
from sim2real.cameras import refitted_camera
from sim2real.realdata import RealFrame
from sim2real.scoring import score_frames
from sim2real.stream import Batch


@dataclass(frozen=True, eq=False)
class Station:
    """Labelled photographs of one camera.

    Attributes:
        name: of the station, unlike the others'.
        start: the camera known before its labels are used, at the size of the photographs.
        start_is_aligned: whether `start` was aligned on photographs, or is the rig's own.
        fitted: frames to fine-tune on.
        held_out: frames to score.
    """

    name: str
    start: CameraView
    start_is_aligned: bool
    fitted: tuple[RealFrame, ...]
    held_out: tuple[RealFrame, ...]


@dataclass(frozen=True)
class Stage:
    """What a stage did, as it is recorded.

    Attributes:
        number: 0 before any fine-tuning, then 1 to T.
        station: whose frames were learned; empty in stage 0.
        cameras: of each station, as known after this stage: refitted on its labels once its own stage is over.
        kept: files of earlier stations that were mixed in, by station.
        steps: of fine-tuning.
        errors: on the held-out frames of each station, metres; None where nothing was predicted.
    """

    number: int
    station: str
    cameras: tuple[CameraView, ...]
    kept: tuple[tuple[str, ...], ...]
    steps: int
    errors: tuple[tuple[float | None, ...], ...]


def stage_zero(model: PerceptionModel, rig: Rig, stations: Sequence[Station], device: torch.device) -> Stage:
    """Return the errors of the model before any fine-tuning."""
    cameras = tuple(s.start for s in stations)
    return Stage(0, "", cameras, (), 0, _errors(model, rig, stations, cameras, device))


def next_stage(
    model: PerceptionModel,
    rig: Rig,
    stations: Sequence[Station],
    before: Stage,
    memory: int,
    replay: Batch | None,
    settings: FinetuneSettings,
    seed: int,
    device: torch.device,
) -> Stage:
    """Fine-tune the model in place on the next station and return the errors on all of them.

    A station's camera is fitted with its labels in its own stage, before and after fine-tuning, and stays as it is
    afterwards: what later stages change of a station's errors is the network's doing. Penalties hold the weights to
    those before this stage.

    Args:
        model: with a keypoint head, as the stage before left it.
        rig: of all stations.
        stations: in order.
        before: the stage before.
        memory: labelled frames to keep of each earlier station.
        replay: simulated frames to mix in; None: none.
        settings: of fine-tuning.
        seed: of the order of training.
        device: where the model is.
    """
    number = before.number + 1
    here = stations[number - 1]
    kept = [
        Kept(view, frames_to_keep(s.fitted, memory))
        for s, view in zip(stations[: number - 1], before.cameras, strict=False)
    ]
    view = refitted_camera(model, rig, here.start, here.start_is_aligned, here.fitted, device).view
    tuned = tune(model, rig, with_memory(rig, view, here.fitted, kept), replay, seed + number, device, settings)
    cameras = list(before.cameras)
    cameras[number - 1] = refitted_camera(model, rig, here.start, here.start_is_aligned, here.fitted, device).view
    files = tuple(tuple(f.file for f in k.frames) for k in kept)
    errors = _errors(model, rig, stations, cameras, device)
    return Stage(number, here.name, tuple(cameras), files, tuned.steps, errors)


def transfer_matrix(stages: Sequence[Stage]) -> TransferMatrix:
    """Return the errors of all stages, in metres."""
    rows = [tuple(np.array([math.nan if e is None else e for e in part]) for part in s.errors) for s in stages]
    return TransferMatrix(tuple(rows), "m")


def _errors(
    model: PerceptionModel,
    rig: Rig,
    stations: Sequence[Station],
    cameras: Sequence[CameraView],
    device: torch.device,
) -> tuple[tuple[float | None, ...], ...]:
    found = []
    for station, view in zip(stations, cameras, strict=True):
        scores = score_frames(model, rig, view, station.held_out, device)
        found.append(tuple(s.error if math.isfinite(s.error) else None for s in scores))
    return tuple(found)
