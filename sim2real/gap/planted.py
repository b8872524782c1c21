"""Attribution at pretend stations, where the truth is known: the hidden values of one cause at a time."""

from __future__ import annotations

from collections.abc import Sequence

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
from sim2real.gap.attribution import Attribution, attribute
from sim2real.images import resize

# What a prediction that no camera ray leads to the label's plane counts, metres.
_LOST_M = 1.0


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
) -> Attribution:
    """Return what each cause explains of a model's error on pictures of the held-out simulation.

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
    """
    nominal = nominal_world(rig)
    hidden = station.hidden(rig, nominal)
    known: dict[frozenset[str], NDArray[np.float64]] = {}

    def errors(groups: frozenset[str]) -> NDArray[np.float64]:
        # A cause that is nominal at this station changes nothing, so sets that differ by it need one drawing.
        other = frozenset(name for name in groups if name in hidden)
        if other not in known:
            values = {path: value for name in sorted(other) for path, value in hidden[name].items()}
            world = with_values(nominal, values)
            drawn = list(draw_pictures(rig, world, frames, np.random.default_rng([seed, 4243])))
            pictures = np.stack([resize(d.picture, *rig.input_size_px) for d in drawn])
            pixels = predict_over_views(model, pictures, device).keypoints_px
            assert pixels is not None, "a regression head has no keypoints"
            small = CameraView.of(rig).resized(*rig.input_size_px)
            apart = [
                np.linalg.norm(label_values(rig, lift(rig, small, p)) - label_values(rig, d.point_m))
                for p, d in zip(pixels, drawn, strict=True)
            ]
            known[other] = np.nan_to_num(np.array(apart), nan=_LOST_M, posinf=_LOST_M)
        return known[other]

    return attribute(tuple(causes or seeing_causes()), errors, "m")
