"""Views: keypoints move with what is drawn there, and a seed fixes all of it."""

import numpy as np
import pytest

from policies.views import STRONG, WEAK, PictureView, ViewRange

SIZE = (90, 60)


def blob(centre: np.ndarray) -> np.ndarray:
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    value = 220 * np.exp(-0.5 * ((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / 9.0)
    return np.repeat(np.rint(value)[..., None], 3, axis=2).astype(np.uint8)


def centre_of(picture: np.ndarray) -> np.ndarray:
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    weight = picture.mean(axis=2)
    return np.array([(weight * x).sum(), (weight * y).sum()]) / weight.sum()


@pytest.mark.parametrize("seed", range(6))
def test_a_keypoint_is_where_the_view_draws_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    moves = ViewRange(STRONG.turn_rad, STRONG.zoom, STRONG.shift, 0.0, 0.0, STRONG.blur_px, 0.0)
    view = PictureView.draw(rng, SIZE, moves)
    centre = rng.uniform((30, 22), (60, 38))
    np.testing.assert_allclose(centre_of(view(blob(centre))), view.forward(centre), atol=0.15)


def test_forward_and_backward_undo_each_other() -> None:
    view = PictureView.draw(np.random.default_rng(0), SIZE, STRONG)
    pixels = np.random.default_rng(1).uniform(0, 60, (4, 2, 2))
    np.testing.assert_allclose(view.backward(view.forward(pixels)), pixels, atol=1e-9)
    assert np.abs(view.forward(pixels) - pixels).max() > 0.5


def test_a_view_without_limits_is_the_picture() -> None:
    picture = np.random.default_rng(2).integers(0, 255, (SIZE[1], SIZE[0], 3), np.uint8)
    view = PictureView.draw(np.random.default_rng(0), SIZE, ViewRange(0, 0, 0, 0, 0, 0, 0))
    np.testing.assert_array_equal(view(picture), picture)


def test_a_seed_fixes_the_view_and_light_moves_no_keypoint() -> None:
    picture = np.random.default_rng(3).integers(0, 255, (SIZE[1], SIZE[0], 3), np.uint8)
    one, other = (PictureView.draw(np.random.default_rng(7), SIZE, WEAK) for _ in range(2))
    np.testing.assert_array_equal(one(picture), other(picture))
    np.testing.assert_array_equal(one(picture), one(picture))
    light = PictureView.draw(np.random.default_rng(7), SIZE, ViewRange(0, 0, 0, 0.3, 20, 0, 5))
    assert (light(picture) != picture).mean() > 0.5
    np.testing.assert_allclose(light.forward(np.array([3.0, 8.0])), [3.0, 8.0])
