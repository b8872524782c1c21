import pytest
import torch

from policies.heads import KeypointMaps, expected_keypoints
from policies.perception import ModelSpec, PerceptionModel
from sim2real.adaptation.seen import label_vector, see

SIZE = (96, 64)


@pytest.fixture(scope="module")
def model() -> PerceptionModel:
    torch.manual_seed(0)
    return PerceptionModel(ModelSpec("resnet10t", "keypoints", 2, SIZE)).eval()


def test_the_expected_keypoint_of_a_sharp_heatmap_is_its_cell() -> None:
    logits = torch.zeros(1, 1, 6, 8)
    logits[0, 0, 2, 5] = 50.0
    found = expected_keypoints(KeypointMaps(logits, torch.zeros(1, 1, 2, 6, 8), 4))
    assert torch.allclose(found, torch.tensor([[[5.5 * 4 - 0.5, 2.5 * 4 - 0.5]]]))


def test_the_expected_keypoint_of_a_flat_heatmap_is_the_middle() -> None:
    found = expected_keypoints(KeypointMaps(torch.zeros(1, 1, 6, 8), torch.zeros(1, 1, 2, 6, 8), 4))
    assert torch.allclose(found, torch.tensor([[[(32 - 1) / 2, (24 - 1) / 2]]]))


def test_labels_and_outputs_share_their_coordinates(model: PerceptionModel) -> None:
    edges = torch.tensor([[[-0.5, -0.5], [95.5, 63.5]], [[47.5, 31.5], [0.0, 0.0]]])
    weight = torch.tensor([[1.0, 1.0], [1.0, 0.0]])
    labels = label_vector(model, edges, weight, torch.zeros(2, 3))
    assert torch.allclose(labels[0], torch.tensor([-1.0, -1.0, 1.0, 1.0]))
    assert torch.allclose(labels[1, :2], torch.zeros(2), atol=1e-6)
    assert labels[1, 2:].isnan().all()


def test_what_is_seen_is_what_the_model_says(model: PerceptionModel) -> None:
    pictures = torch.randint(0, 255, (3, 3, 64, 96), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    seen = see(model, pictures)
    out = model(pictures)
    assert isinstance(seen.out, KeypointMaps)
    assert torch.equal(seen.out.logits, out.logits)
    assert seen.output.shape == (3, 4)
    assert seen.features.shape == (3, model.backbone.channels[-1])
    assert torch.allclose(seen.features, seen.maps[-1].mean(dim=(2, 3)))
    assert seen.output.abs().max() <= 1.0
