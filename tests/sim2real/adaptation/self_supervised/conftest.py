from collections.abc import Callable

import pytest
import torch

from policies.perception import ModelSpec, PerceptionModel, freeze_normalization

# Neither patches of 16 pixels nor a stride of 32 divides the height.
SIZE = (80, 56)


@pytest.fixture
def make_model() -> Callable[..., PerceptionModel]:
    """Makes a small model whose normalization keeps its statistics, as adaptation trains it."""

    def make(seed: int = 0) -> PerceptionModel:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = PerceptionModel(ModelSpec("test_resnet", "keypoints", 2, SIZE))
            for part in model.modules():
                if isinstance(part, torch.nn.BatchNorm2d):
                    # A fresh normalization shuts whole branches.
                    torch.nn.init.uniform_(part.weight, 0.5, 1.5)
        model.train()
        freeze_normalization(model)
        return model

    return make


@pytest.fixture
def make_pictures() -> Callable[..., torch.Tensor]:
    """Makes pictures (N, 3, H, W) of noise."""

    def make(count: int, seed: int = 0) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed)
        return torch.randint(0, 256, (count, 3, SIZE[1], SIZE[0]), dtype=torch.uint8, generator=generator)

    return make
