"""Attribution of seeing at pretend stations, where the truth is known: hidden values of one cause at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from calibration.kinematics import nominal_world
from calibration.lifting import label_values, lift
from calibration.rig import Rig
from calibration.view import CameraView
from calibration.world import with_values
from envs.standin import Station
from envs.standin.causes import CAUSES
from envs.standin.pictures import draw_pictures
from policies.averaging import predict_over_views
from policies.perception import PerceptionModel
from sim2real.gap.attribution import LOST, Attribution, attribute, difference_from_target
from sim2real.images import resize

Float = NDArray[np.float64]
Measure = Literal["loss", "difference"]


def seeing_causes() -> tuple[str, ...]:
    """Return the causes that pictures can differ by."""
    return tuple(name for name, cause in CAUSES.items() if cause.of == "seeing")


def attribute_station(
    model: PerceptionModel,
    rig: Rig,
    station: Station,
    frames: int,
    seed: int,
    device: torch.device,
    causes: Sequence[str] | None = None,
    measure: Measure = "loss",
) -> Attribution:
    """Return what each cause explains of how a model sees pictures of the held-out simulation.

    Every set of causes is drawn with the same places of objects, so frames are paired. Predictions are lifted by the
    camera of the rig file, as a user who does not know better would.

    Args:
        model: pretrained.
        rig: the station as its file describes it.
        station: whose hidden values are the target's.
        frames: pictures for every set of causes.
        seed: of places.
        device: where the model is.
        causes: that are told apart; default: all that pictures can differ by.
        measure: "loss", the error in metres; or "difference", how far predictions are from those at the station, which
            also finds causes that do not make the error larger (see `difference_from_target`).
    """
    nominal = nominal_world(rig)
    hidden = station.hidden(rig, nominal)
    groups = tuple(causes or seeing_causes())
    small = CameraView.of(rig).resized(*rig.input_size_px)
    known: dict[frozenset[str], tuple[Float, Float]] = {}

    def seen(taken: frozenset[str]) -> tuple[Float, Float]:
        """Return predicted and true labels (frames, D)."""
        # A cause that is nominal at this station changes nothing, so sets that differ by it need one drawing.
        other = frozenset(name for name in taken if name in hidden)
        if other not in known:
            values = {path: value for name in sorted(other) for path, value in hidden[name].items()}
            world = with_values(nominal, values)
            drawn = list(draw_pictures(rig, world, frames, np.random.default_rng([seed, 4243])))
            pictures = np.stack([resize(d.picture, *rig.input_size_px) for d in drawn])
            pixels = predict_over_views(model, pictures, device).keypoints_px
            assert pixels is not None, "a regression head has no keypoints"
            predicted = np.array([label_values(rig, lift(rig, small, p)) for p in pixels])
            known[other] = predicted, np.array([label_values(rig, d.point_m) for d in drawn])
        return known[other]

    if measure == "difference":
        return attribute(groups, difference_from_target(groups, lambda taken: seen(taken)[0]), "m")

    def errors(taken: frozenset[str]) -> Float:
        predicted, truth = seen(taken)
        apart = np.linalg.norm(predicted - truth, axis=1)
        return np.asarray(np.nan_to_num(apart, nan=LOST, posinf=LOST))

    return attribute(groups, errors, "m")
