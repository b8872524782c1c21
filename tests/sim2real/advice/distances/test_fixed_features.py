import numpy as np
import pytest
import torch

from sim2real.advice.distances.fixed_features import fixed_features
from sim2real.advice.distances.kernel_distance import mmd_test


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (20, 48, 64, 3), np.uint8)


def test_they_are_a_function_of_picture_and_seed(pictures: np.ndarray) -> None:
    torch.manual_seed(5)
    state = torch.get_rng_state()
    found = fixed_features(pictures)
    assert torch.equal(torch.get_rng_state(), state)
    assert found.shape == (20, 326)
    assert np.isfinite(found).all()
    # Batches of convolutions may round otherwise.
    assert fixed_features(pictures[18:]) == pytest.approx(found[18:], abs=1e-5)
    assert np.array_equal(fixed_features(pictures), found)
    assert np.abs(fixed_features(pictures, seed=1) - found).max() > 0.1
    order = np.random.default_rng(1).permutation(20)
    assert fixed_features(pictures[order]) == pytest.approx(found[order], abs=1e-5)


def test_the_first_are_the_colours(pictures: np.ndarray) -> None:
    found = fixed_features(pictures)
    values = pictures.astype(float).reshape(20, -1, 3) / 127.5 - 1
    assert found[:, :3] == pytest.approx(values.mean(axis=1), abs=1e-5)
    assert found[:, 3:6] == pytest.approx(values.std(axis=1), abs=1e-5)


def test_they_see_blur_and_colour(pictures: np.ndarray) -> None:
    sharp = fixed_features(pictures)
    other = np.random.default_rng(2).integers(0, 255, pictures.shape, np.uint8)
    coarse = np.repeat(np.repeat(other[:, ::4, ::4], 4, 1), 4, 2)
    warm = np.clip(other * [1.0, 0.9, 0.8], 0, 255).astype(np.uint8)
    assert mmd_test(sharp, fixed_features(other)).p_value > 0.05
    assert mmd_test(sharp, fixed_features(coarse)).p_value == 1 / 500
    assert mmd_test(sharp, fixed_features(warm)).p_value == 1 / 500


def test_no_pictures_and_bad_ones() -> None:
    assert fixed_features(np.zeros((0, 8, 8, 3), np.uint8)).shape == (0, 326)
    with pytest.raises(ValueError, match="uint8"):
        fixed_features(np.zeros((1, 8, 8, 3), np.float32))
