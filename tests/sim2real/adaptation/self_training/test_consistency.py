"""Disagreement between views: none for a model that moves with them, large for one that does not."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from calibration.errors import InputError
from policies.perception import PerceptionModel, Prediction
from policies.views import STRONG, ViewRange
from sim2real.adaptation.self_training.consistency import agree, disagreement
from sim2real.stream import Batch

CPU = torch.device("cpu")


class Bright(PerceptionModel):
    """Sees the brightness-weighted middle of a picture, which moves with the picture."""

    def predict(self, pictures: Any, device: torch.device, batch: int = 16) -> Prediction:
        y, x = np.mgrid[: pictures.shape[1], : pictures.shape[2]]
        weight = pictures.astype(np.float64).mean(axis=3)
        total = weight.sum(axis=(1, 2))
        at = np.stack([(weight * x).sum(axis=(1, 2)) / total, (weight * y).sum(axis=(1, 2)) / total], axis=1)
        return Prediction(at[:, None], np.ones((len(pictures), 1)), None)


class Stubborn(PerceptionModel):
    """Says the same of every picture."""

    def predict(self, pictures: Any, device: torch.device, batch: int = 16) -> Prediction:
        return Prediction(np.full((len(pictures), 1, 2), 20.0), np.ones((len(pictures), 1)), None)


def spots(count: int) -> Any:
    y, x = np.mgrid[:48, :64]
    centres = np.random.default_rng(0).uniform((24, 18), (40, 30), (count, 2))
    value = [220 * np.exp(-0.5 * ((x - cx) ** 2 + (y - cy) ** 2) / 6.0) for cx, cy in centres]
    return np.repeat(np.rint(value)[..., None], 3, axis=3).astype(np.uint8)


def test_a_model_that_moves_with_the_picture_agrees_with_itself(make_model: Callable[..., PerceptionModel]) -> None:
    model = make_model()
    moves = ViewRange(STRONG.turn_rad, STRONG.zoom, STRONG.shift, 0.0, 0.0, 0.0, 0.0)
    model.__class__ = Bright
    assert disagreement(model, spots(3), CPU, 0, limits=moves).max() < 0.15
    model.__class__ = Stubborn
    assert disagreement(model, spots(3), CPU, 0, limits=moves).min() > 1.0


def test_the_score_is_the_mean_distance_from_the_median(make_model: Callable[..., PerceptionModel]) -> None:
    model = make_model(keypoints=2)
    pictures = np.random.default_rng(1).integers(0, 255, (3, 48, 64, 3), np.uint8)
    agreement = agree(model, pictures, CPU, np.random.default_rng(5), 6)
    score = disagreement(model, pictures, CPU, seed=5)
    assert score.shape == (3,)
    np.testing.assert_allclose(score, agreement.spread_px.mean(axis=1))
    assert (score > 0).all()


def test_a_score_does_not_depend_on_the_other_pictures(trained: PerceptionModel, discs: Callable[..., Batch]) -> None:
    pictures = discs(6, 3).rgb
    all_six = disagreement(trained, pictures, CPU, seed=2)
    np.testing.assert_allclose(disagreement(trained, pictures[[4, 1]], CPU, seed=2), all_six[[4, 1]], atol=1e-3)
    np.testing.assert_array_equal(disagreement(trained, pictures, CPU, seed=2), all_six)


def test_the_score_tells_which_light_a_model_was_not_made_for(
    trained: PerceptionModel, discs: Callable[..., Batch], darker: Callable[[Batch], Batch]
) -> None:
    usual = discs(24, 4)
    in_its_light = disagreement(trained, usual.rgb, CPU, seed=0).mean()
    assert disagreement(trained, darker(usual).rgb, CPU, seed=0).mean() > 2 * in_its_light


def test_messages_say_what_to_do(make_model: Callable[..., PerceptionModel]) -> None:
    with pytest.raises(InputError, match="keypoints head only, got regression"):
        disagreement(make_model("regression"), spots(2), CPU, 0)
    with pytest.raises(InputError, match="views must be 2 or more, got 1"):
        disagreement(make_model(), spots(2), CPU, 0, views=1)
    assert disagreement(make_model(), spots(2)[:0], CPU, 0).shape == (0,)
