import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.rig_file import load_rig
from sim2real.adaptation.fine_tuning.frames import BATCH, Augment, mixed
from sim2real.stream import Batch


def frames(count: int, shade: int) -> Batch:
    rgb = np.full((count, 40, 60, 3), shade, np.uint8)
    number = np.arange(count, dtype=np.float64)
    return Batch(rgb, np.full((count, 2, 2), 20.0), np.ones((count, 2)), np.stack([number + shade, number, number], 1))


def shades(batch: Batch) -> NDArray[np.float64]:
    """The first coordinate of the label says where a frame is from."""
    return batch.points_m[:, 0] // 100


@pytest.mark.parametrize(("share", "simulated"), [(0.5, 8), (0.25, 4), (0.0, 0), (0.9, 14)])
def test_a_batch_has_its_share_of_simulated_frames(share: float, simulated: int) -> None:
    rig = load_rig("cube_on_table")
    augment = Augment(rig, 0)
    real, replay = frames(5, 100), frames(7, 200)
    batch = mixed(real, replay, augment, 0, 3, share)
    assert shades(batch).tolist() == [1] * (BATCH - simulated) + [2] * simulated
    # Simulated frames are as they were drawn, real ones are changed.
    assert (batch.rgb[BATCH - simulated :] == 200).all()
    assert not (batch.rgb[: BATCH - simulated] == 100).all()
    again = mixed(real, replay, augment, 0, 3, share)
    np.testing.assert_array_equal(again.rgb, batch.rgb)
    assert not np.array_equal(mixed(real, replay, augment, 0, 4, share).points_m, batch.points_m)


def test_without_simulated_frames_a_batch_is_real() -> None:
    batch = mixed(frames(5, 100), None, Augment(load_rig("cube_on_table"), 0), 0, 0)
    assert (shades(batch) == 1).all()
    assert len(batch.rgb) == BATCH


def test_keypoints_move_with_the_picture() -> None:
    augment = Augment(load_rig("cube_on_table"), 0)
    batch = frames(6, 0)
    batch.rgb[:, 18:23, 18:23] = 255
    changed = augment(batch, np.random.default_rng(2))
    for picture, pixels in zip(changed.rgb, changed.keypoints_px, strict=True):
        weight = np.clip(picture.astype(float).sum(axis=2) - picture.astype(float).sum(axis=2).max() / 2, 0, None)
        y, x = np.indices(weight.shape)
        centre = [(x * weight).sum() / weight.sum(), (y * weight).sum() / weight.sum()]
        np.testing.assert_allclose(pixels[0], centre, atol=1.0)
    assert np.abs(changed.keypoints_px[:, 0] - 20.0).max() > 0.5


def test_frames_are_taken_by_place() -> None:
    assert frames(5, 100).take(np.array([4, 0])).points_m[:, 1].tolist() == [4.0, 0.0]
