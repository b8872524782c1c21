from collections.abc import Callable

import numpy as np
import pytest
import torch

from policies.perception import ModelSpec, PerceptionModel
from sim2real.adaptation.seen import Seen, output_vector, pooled

Batches = tuple[torch.Tensor, torch.Tensor]


@pytest.fixture(scope="session")
def keypoint_model() -> PerceptionModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return PerceptionModel(ModelSpec("resnet10t", "keypoints", 2, (64, 64)))


@pytest.fixture(scope="session")
def look(keypoint_model) -> Callable[[torch.Tensor], Seen]:
    """Return what the model makes of pictures, with feature maps as leaves: only the head is run again."""
    known: dict[bytes, list[torch.Tensor]] = {}

    def at(pictures: torch.Tensor) -> Seen:
        model = keypoint_model.eval()
        key = pictures.numpy().tobytes()
        if key not in known:
            with torch.no_grad():
                known[key] = model.encode(pictures)
        maps = tuple(m.clone().requires_grad_() for m in known[key])
        out = model.head(maps)
        return Seen(maps, pooled(maps), output_vector(model, out), out)

    return at


@pytest.fixture
def draw() -> Callable[..., Batches]:
    """Return features of two domains, float64, whose means, scales and correlations differ."""

    def batches(n: int, m: int, size: int, seed: int = 0) -> Batches:
        rng = np.random.default_rng(seed)
        source = rng.normal(size=(n, size)) @ rng.normal(size=(size, size)) / np.sqrt(size)
        target = 0.4 + 1.5 * rng.normal(size=(m, size)) @ rng.normal(size=(size, size)) / np.sqrt(size)
        return torch.from_numpy(source), torch.from_numpy(target)

    return batches


@pytest.fixture
def rotation() -> Callable[[int], torch.Tensor]:
    """Return a random rotation of a size, float64."""

    def of(size: int) -> torch.Tensor:
        return torch.from_numpy(np.linalg.qr(np.random.default_rng(7).normal(size=(size, size)))[0])

    return of
