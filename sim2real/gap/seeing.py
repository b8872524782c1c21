"""The gap of perception: errors on simulation and on photographs in the label's unit, and where in the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from calibration.lifting import label_values, lift
from calibration.rig import Rig
from calibration.view import CameraView
from calibration.world import WorldParams
from policies.averaging import VIEWS, predict_over_views
from policies.perception import PerceptionModel
from sim2real.presets import load_preset, rig_spec
from sim2real.scoring import FrameScore
from sim2real.statistics import describe
from sim2real.stream import Batch, SimulatedFrames

# Frames of the stream that neither pretraining nor replay draws.
FIRST_FRAME = 20_000_000
_SEEN = 0.3
_PART = 16


@dataclass(frozen=True, eq=False)
class Simulated:
    """Labelled simulated frames that no training has seen, and the worlds that they show."""

    batch: Batch
    worlds: tuple[WorldParams, ...]


def draw_simulated(rig: Rig, count: int, seed: int, randomization: str | None = None) -> Simulated:
    """Return frames that neither pretraining nor replay draws, of a preset or file; None: the rig's own."""
    stream = SimulatedFrames(rig, rig_spec(rig, load_preset(randomization or rig.preset)), seed)
    numbers = range(FIRST_FRAME, FIRST_FRAME + count)
    batch = Batch.joined([stream.draw(numbers[k : k + _PART]) for k in range(0, count, _PART)])
    stream.close()
    return Simulated(batch, tuple(stream.world(n) for n in numbers))


def simulated_errors(
    model: PerceptionModel, rig: Rig, simulated: Simulated, device: torch.device
) -> NDArray[np.float64]:
    """Return errors (M,) in metres on simulated frames, M at most their number.

    Each is lifted by the camera of its own world, which a simulation knows; frames in which less than 30 % of the
    first keypoint's body is seen are left out, as photographs without a visible target are.
    """
    batch = simulated.batch
    nominal = CameraView.of(rig).resized(*rig.input_size_px)
    pixels = predict_over_views(model, batch.rgb, device, VIEWS).keypoints_px
    assert pixels is not None, "a regression head has no keypoints"
    found = [
        float(
            np.linalg.norm(
                label_values(rig, lift(rig, nominal.moved(world.camera), pixels[k]))
                - label_values(rig, batch.points_m[k])
            )
        )
        for k, world in enumerate(simulated.worlds)
        if batch.visible[k, 0] >= _SEEN
    ]
    return np.array(found)


def by_region(rig: Rig, scores: Sequence[FrameScore], groups: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Return errors by third of the picture and by group of the split, each with interval and number of frames.

    Args:
        rig: the station.
        scores: of frames.
        groups: of the same frames, empty text where there is none.
    """
    width, height = rig.camera.image_size_px
    places: dict[str, list[float]] = {}
    for score in scores:
        if score.truth_px is not None and np.isfinite(score.error):
            column = ("left", "middle", "right")[int(np.clip(3 * score.truth_px[0] / width, 0, 2))]
            row = ("top", "centre", "bottom")[int(np.clip(3 * score.truth_px[1] / height, 0, 2))]
            places.setdefault(f"{row} {column}", []).append(score.error)
    by_group: dict[str, list[float]] = {}
    for score, group in zip(scores, groups, strict=True):
        if group and np.isfinite(score.error):
            by_group.setdefault(group, []).append(score.error)
    return {
        "picture": [{"region": n, **describe(e, "m")} for n, e in sorted(places.items())],
        "workspace": [{"region": n, **describe(e, "m")} for n, e in sorted(by_group.items())],
    }
