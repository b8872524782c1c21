"""Attribution at pretend stations with a network that is never wrong, so that only the camera can be."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from calibration.kinematics import nominal_world
from calibration.lifting import keypoints_world, label_point
from calibration.rig_file import load_rig
from calibration.view import CameraView
from calibration.world import WorldParams, with_values
from envs.standin import Station
from envs.standin.pictures import Drawn, draw_pictures
from policies.perception import Prediction
from sim2real.gap import planted
from sim2real.gap.planted import attribute_station, seeing_causes

RIG = load_rig("cube_on_table")


@pytest.fixture
def perfect(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A network that sees every keypoint where it is; the list holds how many worlds were drawn."""
    shown: list[WorldParams] = []
    drawings = [0]

    def draw(rig: Any, hidden: WorldParams, frames: int, rng: np.random.Generator) -> Iterator[Drawn]:
        drawings[0] += 1
        shown.clear()
        name = rig.keypoints[0].frame
        x, y, z = nominal_world(rig).body(name).position_m
        for _ in range(frames):
            dx, dy = rng.uniform(-0.15, 0.15, 2)
            world = with_values(hidden, {f"bodies.{name}.position_m": (x + dx, y + dy, z)})
            shown.append(world)
            yield Drawn(np.zeros((4, 4, 3), np.uint8), world, label_point(rig, world), 1.0)

    def see(_model: Any, pictures: Any, _device: Any) -> Prediction:
        small = CameraView.of(RIG).resized(*RIG.input_size_px)
        pixels = [small.moved(w.camera).project(keypoints_world(RIG, w)) for w in shown]
        assert len(pixels) == len(pictures)
        return Prediction(np.array(pixels), np.ones((len(pixels), 1)), None)

    monkeypatch.setattr(planted, "draw_pictures", draw)
    monkeypatch.setattr(planted, "predict_over_views", see)
    return drawings


@pytest.mark.parametrize("cause", ["camera tilt", "camera position", "focal length"])
def test_a_planted_cause_explains_all(cause: str, perfect: list[int]) -> None:
    model: Any = None
    found = attribute_station(model, RIG, Station.planted([cause], 1.0, 3), 8, 0, torch.device("cpu"))
    assert found.shares[0].group == cause
    assert found.shares[0].explained.value == pytest.approx(found.gap.value)
    assert found.gap.value > 0.002
    assert all(s.explained.value == pytest.approx(0.0, abs=1e-12) for s in found.shares[1:])
    # Sets that differ by causes that are nominal here are one drawing: with and without the planted one.
    assert perfect == [2]


def test_two_planted_causes_come_first(perfect: list[int]) -> None:
    model: Any = None
    two = ["camera tilt", "noise"]
    found = attribute_station(model, RIG, Station.planted(two, 1.0, 1), 8, 0, torch.device("cpu"))
    assert found.shares[0].group == "camera tilt"  # this network does not mind noise
    assert perfect == [4]
    assert {s.group for s in found.shares} == set(seeing_causes())


def test_of_a_network_that_is_right_the_difference_is_the_error(perfect: list[int]) -> None:
    model: Any = None
    station = Station.planted(["camera tilt"], 1.0, 3, "mild")
    by_loss = attribute_station(model, RIG, station, 8, 0, torch.device("cpu"), ("camera tilt", "camera position"))
    found = attribute_station(
        model, RIG, station, 8, 0, torch.device("cpu"), ("camera tilt", "camera position"), "difference"
    )
    assert found.shares[0].group == "camera tilt"
    # Its predictions of pictures from the camera of the rig file are the truth.
    assert found.gap.value == pytest.approx(by_loss.gap.value, rel=1e-6)


def test_pictures_of_one_seed_have_one_truth() -> None:
    world = nominal_world(RIG)
    one, two = (list(draw_pictures(RIG, world, 2, np.random.default_rng(5))) for _ in range(2))
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a.picture, b.picture)
        np.testing.assert_array_equal(a.point_m, b.point_m)
    assert one[0].picture.shape == (RIG.camera.image_size_px[1], RIG.camera.image_size_px[0], 3)
    assert not np.array_equal(one[0].point_m, one[1].point_m)
