"""Attribution by refits where the causes were planted in the pictures of a network that is never wrong."""

from typing import Any

import numpy as np
import pytest
import torch

from calibration.kinematics import nominal_world
from calibration.lifting import keypoints_world, label_point
from calibration.rig_file import load_rig
from calibration.view import CameraView
from calibration.world import CameraParams, with_values
from policies.perception import Prediction
from sim2real.gap import refits
from sim2real.gap.refits import LIGHT, attribute_by_refits
from sim2real.realdata import RealFrame

RIG = load_rig("cube_on_table")
STD = RIG.camera


def frames_of(count: int, seed: int, tag: int) -> list[RealFrame]:
    """Frames whose pictures hold no more than their number, which the network below reads."""
    rng = np.random.default_rng(seed)
    nominal, name = nominal_world(RIG), RIG.keypoints[0].frame
    x, y, z = nominal.body(name).position_m
    found = []
    for k in range(count):
        dx, dy = rng.uniform(-0.15, 0.15, 2)
        world = with_values(nominal, {f"bodies.{name}.position_m": (x + dx, y + dy, z)})
        picture = np.zeros((4, 4, 3), np.uint8)
        picture[0, 0] = tag, k, 0
        point, points = label_point(RIG, world), keypoints_world(RIG, world)
        found.append(RealFrame(f"{tag}-{k}", "", picture, point, None, points, "full", "", None))
    return found


@pytest.mark.parametrize(
    ("group", "change"),
    [
        ("camera direction", CameraParams(tilt_rad=(0.0, 0.9 * STD.rotation_std_rad, 0.0))),
        ("focal length", CameraParams(focal_scale=1 + 1.5 * STD.focal_std)),
        (LIGHT, CameraParams()),
    ],
)
def test_the_planted_group_comes_first(group: str, change: CameraParams, monkeypatch: pytest.MonkeyPatch) -> None:
    fitting, scored = frames_of(12, 0, 1), frames_of(16, 1, 2)
    by_tag = {1: fitting, 2: scored}
    true = CameraView.of(RIG).moved(change).resized(*RIG.input_size_px)

    def see(_model: Any, pictures: Any, _device: Any) -> Prediction:
        pixels = []
        for picture in pictures:
            mended = picture[0, 0, 2] > 0
            frame = by_tag[int(picture[0, 0, 0])][int(picture[0, 0, 1])]
            # In other light the network is off by a direction that differs from frame to frame.
            off = np.zeros(2) if mended or group != LIGHT else 4.0 * np.array([np.cos(picture[0, 0, 1]), 1.0])
            pixels.append(true.project(frame.keypoints_world) + off)
        return Prediction(np.array(pixels), np.ones((len(pixels), 1)), None)

    def mend(picture: Any, _reference: Any) -> Any:
        changed = picture.copy()
        changed[0, 0, 2] = 1
        return changed

    monkeypatch.setattr(refits, "predict_over_views", see)
    monkeypatch.setattr(refits, "match_histograms", mend)
    monkeypatch.setattr(refits, "stack_pictures", lambda frames: np.stack([f.picture for f in frames]))
    model: Any = None
    found = attribute_by_refits(
        model, RIG, CameraView.of(RIG), fitting, scored, np.zeros((2, 4, 4, 3), np.uint8), torch.device("cpu")
    )
    assert found.shares[0].group == group
    assert found.gap.low > 0
    # A camera has values that can stand in for one another; the planted one explains at least half all the same.
    assert found.shares[0].share is not None
    assert found.shares[0].share > 0.5
