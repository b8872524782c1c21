from collections.abc import Callable
from typing import Any

import pytest
import torch

from policies.perception import ModelSpec, PerceptionModel

SIZE = (64, 48)
Tensors = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


@pytest.fixture
def make_model() -> Callable[..., PerceptionModel]:
    """Makes a small model of a backbone whose normalization is not that of a fresh one, which shuts whole branches."""

    def make(name: str = "test_resnet", head: Any = "keypoints", seed: int = 0) -> PerceptionModel:
        torch.manual_seed(seed)
        model = PerceptionModel(ModelSpec(name, head, 2, SIZE))
        for part in model.modules():
            if isinstance(part, torch.nn.BatchNorm2d):
                part.running_mean.normal_(0.0, 0.1)
                part.running_var.uniform_(0.5, 1.5)
                torch.nn.init.uniform_(part.weight, 0.5, 1.5)
        return model.eval()

    return make


@pytest.fixture
def make_batch() -> Callable[..., Tensors]:
    """Makes pictures of a bright square with its corner and its centre as keypoints."""

    def make(count: int = 4, seed: int = 0) -> Tensors:
        generator = torch.Generator().manual_seed(seed)
        pictures = torch.randint(0, 60, (count, 3, SIZE[1], SIZE[0]), generator=generator, dtype=torch.uint8)
        x = torch.randint(6, SIZE[0] - 14, (count,), generator=generator)
        y = torch.randint(6, SIZE[1] - 14, (count,), generator=generator)
        for k in range(count):
            pictures[k, :, y[k] : y[k] + 8, x[k] : x[k] + 8] = 220
        corner = torch.stack([x, y], dim=1).float()
        pixels = torch.stack([corner, corner + 3.5], dim=1)
        points = torch.cat([corner / 64, torch.zeros(count, 1)], dim=1)
        return pictures, pixels, torch.ones(count, 2), points

    return make


@pytest.fixture
def state_of() -> Callable[[torch.nn.Module], dict[str, torch.Tensor]]:
    """Copies a module's state dict."""

    def copied(module: torch.nn.Module) -> dict[str, torch.Tensor]:
        return {name: value.clone() for name, value in module.state_dict().items()}

    return copied
