import numpy as np
import pytest
import torch

from policies.perception import ModelSpec, PerceptionModel
from sim2real.advice.stages import answers, soft_argmax, stage_names


@pytest.fixture(scope="module")
def model() -> PerceptionModel:
    torch.manual_seed(0)
    return PerceptionModel(ModelSpec("test_resnet", "keypoints", 2, (64, 48)))


def test_the_place_of_a_peak_is_where_it_is_and_a_flat_channel_has_none() -> None:
    maps = torch.zeros(1, 3, 6, 8)
    maps[0, 0, 1, 6] = 5.0
    maps[0, 2] = 7.0
    found = soft_argmax(maps)
    assert found.shape == (1, 6)
    # One cell of 48 that stands 6.9 spreads above the rest takes all of the softmax.
    assert found[0, [0, 3]].numpy() == pytest.approx([6.5 / 8 * 2 - 1, 1.5 / 6 * 2 - 1], abs=1e-3)
    assert found[0, [1, 2, 4, 5]].abs().max() < 1e-6


def test_the_scale_of_a_channel_does_not_matter() -> None:
    maps = torch.rand(2, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(soft_argmax(100 * maps + 3), soft_argmax(maps), atol=1e-4)


def test_answers_are_the_models(model: PerceptionModel, noise: np.ndarray) -> None:
    found = answers(model, noise, torch.device("cpu"))
    prediction = model.predict(noise, torch.device("cpu"))
    assert not model.training
    assert prediction.keypoints_px is not None
    assert prediction.confidence is not None
    assert found.keypoints_px == pytest.approx(prediction.keypoints_px, abs=1e-4)
    assert found.confidence == pytest.approx(prediction.confidence.min(axis=1), abs=1e-6)
    assert stage_names(model) == ["layer1", "layer2", "layer3", "layer4"]
    channels = model.backbone.channels
    assert [s.pooled.shape for s in found.stages] == [(5, c) for c in channels]
    assert [s.places.shape for s in found.stages] == [(5, 2 * c) for c in channels]
    with torch.no_grad():
        maps = model.encode(torch.from_numpy(noise).permute(0, 3, 1, 2))
    assert found.stages[2].pooled == pytest.approx(maps[2].mean(dim=(2, 3)).numpy(), abs=1e-5)


def test_the_order_of_pictures_does_not_matter(model: PerceptionModel, noise: np.ndarray) -> None:
    order = [3, 0, 4, 1, 2]
    found, other = (answers(model, p, torch.device("cpu")) for p in (noise, noise[order]))
    assert other.stages[1].places == pytest.approx(found.stages[1].places[order], abs=1e-4)
    assert other.confidence == pytest.approx(found.confidence[order], abs=1e-5)
