"""The gap of perception: errors on simulation and on photographs in the label's unit, and where in the picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from calibration.lifting import label_values, lift
from calibration.rig import Rig
from calibration.view import CameraView
from policies.averaging import VIEWS, predict_over_views
from policies.perception import PerceptionModel
from sim2real.presets import load_preset, rig_spec
from sim2real.scoring import FrameScore
from sim2real.statistics import describe
from sim2real.stream import SimulatedFrames

# Frames of the stream that neither pretraining nor replay draws.
FIRST_FRAME = 20_000_000
_SEEN = 0.3
_PART = 16


def simulated_pictures(rig: Rig, count: int, seed: int) -> NDArray[np.uint8]:
    """Return frames (N, H, W, 3) of the rig's own randomization that no training has seen."""
    stream = SimulatedFrames(rig, rig_spec(rig, load_preset(rig.preset)), seed)
    parts = [stream.draw(range(FIRST_FRAME + k, FIRST_FRAME + min(k + _PART, count))) for k in range(0, count, _PART)]
    stream.close()
    return np.concatenate([p.rgb for p in parts])


def simulated_errors(
    model: PerceptionModel, rig: Rig, count: int, seed: int, device: torch.device
) -> NDArray[np.float64]:
    """Return errors (M,) in metres on simulated frames that no training has seen, M at most `count`.

    Each is lifted by the camera of its own world, which a simulation knows; frames in which less than 30 % of the
    first keypoint's body is seen are left out, as photographs without a visible target are.
    """
    stream = SimulatedFrames(rig, rig_spec(rig, load_preset(rig.preset)), seed)
    nominal = CameraView.of(rig).resized(*rig.input_size_px)
    found: list[float] = []
    for start in range(0, count, _PART):
        numbers = list(range(FIRST_FRAME + start, FIRST_FRAME + min(start + _PART, count)))
        batch = stream.draw(numbers)
        pixels = predict_over_views(model, batch.rgb, device, VIEWS).keypoints_px
        assert pixels is not None, "a regression head has no keypoints"
        for k, number in enumerate(numbers):
            if batch.visible[k, 0] >= _SEEN:
                point = lift(rig, nominal.moved(stream.world(number).camera), pixels[k])
                found.append(float(np.linalg.norm(label_values(rig, point) - label_values(rig, batch.points_m[k]))))
    stream.close()
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
