from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.errors import InputError
from calibration.rig_file import load_rig
from sim2real.adaptation.image_level.background import (
    background_versions,
    over_background,
    still_bodies,
    write_background,
)
from sim2real.presets import load_preset, rig_spec
from sim2real.randomization import RandomizationSpec
from sim2real.stream import SimulatedFrames


def photographs(count: int, seed: int = 0) -> list[NDArray[np.uint8]]:
    """An empty scene in several exposures, with a white square somewhere else in each."""
    rng = np.random.default_rng(seed)
    scene = rng.integers(40, 120, (48, 64, 3)).astype(np.float64)
    pictures = []
    for k in range(count):
        picture = scene * (0.8 + 0.4 * k / count)
        row, column = rng.integers(0, 40), 6 * k % 56
        picture[row : row + 8, column : column + 8] = 250
        pictures.append(np.rint(picture).astype(np.uint8))
    return pictures


def test_the_median_shows_the_empty_scene_in_each_exposure() -> None:
    pictures = photographs(9)
    versions = background_versions(pictures)
    assert len(versions) == 9
    for picture, version in zip(pictures, versions, strict=True):
        off = np.abs(picture.astype(int) - version).max(axis=2) > 8
        assert 0 < off.mean() < 0.05  # the square, and nothing else


def test_many_photographs_give_at_most_sixteen_versions() -> None:
    assert len(background_versions(photographs(40))) == 16


def test_a_few_photographs_are_too_few() -> None:
    with pytest.raises(InputError, match="needs at least 5 unlabelled photographs, got 4"):
        background_versions(photographs(4))


@pytest.mark.parametrize(
    ("name", "still"),
    [
        ("cube_on_table", ("table", "support", "base", "lower_arm", "elbow", "upper_arm", "wrist")),
        ("psm_tool", ()),
        ("panda_tabletop", ("table",)),
    ],
)
def test_what_moves_is_not_still(name: str, still: tuple[str, ...]) -> None:
    assert still_bodies(load_rig(name)) == still


def test_nominal_cubes_stand_on_the_photograph(tmp_path: Path) -> None:
    rig = load_rig("cube_on_table")
    rng = np.random.default_rng(3)
    empty = rng.integers(60, 200, (480, 640, 3)).astype(np.uint8)
    textures = write_background(tmp_path, [empty] * 5)
    spec = over_background(RandomizationSpec("nominal", ()), rig, textures)
    plain = SimulatedFrames(rig, RandomizationSpec("nominal", ()), 0)
    stream = SimulatedFrames(rig, spec, 0, camera=rig.camera.intrinsics())
    worlds = stream.sampler.sample_many(0, range(2))
    small = plain.draw_worlds(worlds)
    batch = stream.draw_worlds(worlds)
    for picture, pixel in zip(batch.rgb, batch.keypoints_px[:, 0], strict=True):
        rows, columns = np.mgrid[:480, :640]
        near = np.hypot(rows - pixel[1], columns - pixel[0]) < 60
        gain = np.median(picture[~near].astype(float) / empty[~near])
        np.testing.assert_allclose(gain, 1.0, atol=0.04)
        # Away from the cube and its shadow the photograph is there, pixel by pixel.
        assert np.corrcoef(picture[~near].ravel(), empty[~near].ravel())[0, 1] > 0.98
        assert picture[round(pixel[1]), round(pixel[0])].min() > 150
    assert small.rgb.shape == (2, 120, 160, 3)


def test_the_photograph_takes_the_place_of_drawn_backgrounds_only(tmp_path: Path) -> None:
    rig = load_rig("cube_on_table")
    base = rig_spec(rig, load_preset("wide"))
    textures = write_background(tmp_path, photographs(6))
    plain, over = (SimulatedFrames(rig, s, 5) for s in (base, over_background(base, rig, textures)))
    one, other = plain.world(3), over.world(3)
    assert other.background.texture in textures
    assert all(b.matte == (b.name in still_bodies(rig)) for b in other.bodies)
    # All other draws are the same, so labels are too.
    assert one.body("cube") == other.body("cube")
    assert one.sensor == other.sensor
    assert one.camera == other.camera
