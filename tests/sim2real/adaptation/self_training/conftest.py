"""Small models and drawn pictures: a bright disc on a noisy ground, whose centre is the keypoint."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from policies.perception import ModelSpec, PerceptionModel
from sim2real.stream import Batch

SIZE = (64, 48)


def draw_discs(count: int, seed: int) -> Batch:
    rng = np.random.default_rng(seed)
    centres = rng.uniform((10, 10), (SIZE[0] - 11, SIZE[1] - 11), (count, 2))
    rgb = np.empty((count, SIZE[1], SIZE[0], 3), np.uint8)
    for picture, centre in zip(rgb, centres, strict=True):
        ground = rng.uniform(60, 110, 3) + rng.normal(0, 6, (*picture.shape[:2], 3))
        y, x = np.mgrid[: SIZE[1], : SIZE[0]]
        inside = 1 / (1 + np.exp(1.5 * (np.hypot(x - centre[0], y - centre[1]) - 5)))
        colour = np.array([210.0, 60.0, 50.0])
        picture[:] = np.clip(ground + inside[..., None] * (colour - ground), 0, 255)
    return Batch(rgb, centres[:, None], np.ones((count, 1)), np.zeros((count, 3)))


@pytest.fixture(scope="session")
def discs() -> Callable[[int, int], Batch]:
    """Draws pictures of this number and seed."""
    return draw_discs


@pytest.fixture(scope="session")
def make_model() -> Callable[..., PerceptionModel]:
    """Makes a small model whose normalization has statistics and scales unlike those it starts with."""

    def make(head: Any = "keypoints", keypoints: int = 1) -> PerceptionModel:
        torch.manual_seed(0)
        model = PerceptionModel(ModelSpec("test_resnet", head, keypoints, SIZE))
        generator = torch.Generator().manual_seed(1)
        for part in model.modules():
            if isinstance(part, torch.nn.BatchNorm2d):
                assert part.running_mean is not None
                assert part.running_var is not None
                part.running_mean.copy_(torch.randn(part.num_features, generator=generator) * 0.1)
                part.running_var.copy_(torch.rand(part.num_features, generator=generator) + 0.5)
                part.weight.data.copy_(torch.rand(part.num_features, generator=generator) + 0.5)
                part.bias.data.copy_(torch.randn(part.num_features, generator=generator) * 0.1)
        return model

    return make


@pytest.fixture(scope="session")
def _trained() -> PerceptionModel:
    torch.manual_seed(0)
    model = PerceptionModel(ModelSpec("test_resnet", "keypoints", 1, SIZE))
    optimizer = torch.optim.AdamW(model.parameters(), lr=8e-3)
    batch = draw_discs(256, 0)
    pictures = torch.from_numpy(batch.rgb).permute(0, 3, 1, 2)
    pixels = torch.from_numpy(batch.keypoints_px).float()
    rng = np.random.default_rng(0)
    for step in range(60):
        index = rng.integers(256, size=8)
        for group in optimizer.param_groups:
            group["lr"] = 8e-3 * (1 - step / 60)
        loss = model.loss(pictures[index], pixels[index], torch.ones(8, 1), torch.zeros(8, 3))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


@pytest.fixture
def trained(_trained: PerceptionModel) -> PerceptionModel:
    """A model that finds the discs' centres; each test gets a copy."""
    return copy.deepcopy(_trained)


@pytest.fixture(scope="session")
def pixel_error() -> Callable[[PerceptionModel, Batch], float]:
    """Returns a model's mean distance from the truth, in pixels."""

    def error(model: PerceptionModel, batch: Batch) -> float:
        found = model.predict(batch.rgb, torch.device("cpu")).keypoints_px
        return float(np.linalg.norm(found - batch.keypoints_px, axis=2).mean())

    return error


@pytest.fixture(scope="session")
def darker() -> Callable[[Batch], Batch]:
    """Gives pictures other light: each channel its own gain, and a veil of grey."""

    def change(batch: Batch) -> Batch:
        rgb: NDArray[np.uint8] = np.clip(batch.rgb * np.array([0.3, 0.5, 0.4]) + 70, 0, 255).astype(np.uint8)
        return Batch(rgb, batch.keypoints_px, batch.visible, batch.points_m)

    return change
