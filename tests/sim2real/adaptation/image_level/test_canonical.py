import numpy as np
import pytest
import torch

from calibration.rig_file import load_rig
from sim2real.adaptation.image_level.canonical import canonical_world, pairs, train_translator
from sim2real.presets import load_preset, rig_spec
from sim2real.stream import SimulatedFrames


@pytest.fixture(scope="module")
def stream() -> SimulatedFrames:
    rig = load_rig("cube_on_table")
    return SimulatedFrames(rig, rig_spec(rig, load_preset("wide")), 0)


def test_looks_are_nominal_and_places_stay(stream: SimulatedFrames) -> None:
    world, nominal = stream.world(5), stream.sampler.nominal
    same = canonical_world(world, nominal)
    assert same.camera == world.camera
    assert same.body("cube").position_m == world.body("cube").position_m
    assert same.body("cube").size_scale == world.body("cube").size_scale
    assert same.body("table").rgb == nominal.body("table").rgb
    assert same.sensor == nominal.sensor
    assert same.light == nominal.light
    assert not any(b.present for b in same.bodies if b.role == "distractor")


def test_both_of_a_pair_show_the_target_in_the_same_place(stream: SimulatedFrames) -> None:
    random, canonical, keypoints = pairs(stream, range(4))
    again = stream.draw_worlds(
        [canonical_world(stream.world(40_000_000 + k), stream.sampler.nominal) for k in range(4)]
    )
    np.testing.assert_array_equal(canonical, again.rgb)
    np.testing.assert_allclose(again.keypoints_px, keypoints, atol=1e-9)
    assert (random != canonical).mean() > 0.5


@pytest.mark.slow
def test_pictures_come_closer_to_their_canonical_looks(stream: SimulatedFrames) -> None:
    translator, losses = train_translator(stream, 0, torch.device("cpu"), steps=25, batch=4)
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:3])
    random, canonical, _ = pairs(stream, range(1000, 1008))
    with torch.no_grad():
        out = translator(torch.from_numpy(random).permute(0, 3, 1, 2).float() / 255).permute(0, 2, 3, 1).numpy()
    far = np.abs(random / 255 - canonical / 255).mean()
    assert np.abs(out - canonical / 255).mean() < 0.8 * far
