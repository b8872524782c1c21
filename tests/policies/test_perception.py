"""The perception model: how pictures go in, what is frozen, what comes out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from policies.perception import ModelSpec, PerceptionModel, freeze, freeze_normalization

CPU = torch.device("cpu")
SIZE = (64, 48)


def make(head: Any = "keypoints", keypoints: int = 2, **options: Any) -> PerceptionModel:
    torch.manual_seed(0)
    return PerceptionModel(ModelSpec("test_resnet", head, keypoints, SIZE, **options))


def pictures(count: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 255, (count, SIZE[1], SIZE[0], 3), np.uint8)


def step(model: PerceptionModel, optimizer: torch.optim.Optimizer, seed: int) -> None:
    x = torch.from_numpy(pictures(4, seed)).permute(0, 3, 1, 2)
    pixels = torch.rand(4, model.spec.keypoints, 2) * 48
    value = model.loss(x, pixels, torch.ones(4, model.spec.keypoints), torch.rand(4, 3))
    optimizer.zero_grad()
    value.backward()
    optimizer.step()


def copied(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def changed(module: nn.Module, before: dict[str, torch.Tensor]) -> set[str]:
    return {name for name, value in module.state_dict().items() if not torch.equal(value, before[name])}


@pytest.mark.parametrize("head", ["keypoints", "regression"])
def test_frozen_backbone_is_bitwise_unchanged(head: str) -> None:
    model = make(head)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.1)
    step(model, optimizer, 0)
    optimizer.zero_grad()
    before, head_before = copied(model.backbone), copied(model.head)
    for seed in range(3):
        model.train()
        freeze(model.backbone)
        step(model, optimizer, seed)
    assert changed(model.backbone, before) == set()
    assert changed(model.head, head_before)
    assert not any(part.training for part in model.backbone.modules())


def test_without_freezing_the_same_steps_change_everything() -> None:
    model = make()
    before = copied(model.backbone)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    model.train()
    for seed in range(3):
        step(model, optimizer, seed)
    assert changed(model.backbone, before) == set(before)


def test_frozen_normalization_keeps_statistics_and_learns_its_scale() -> None:
    model = make()
    before = copied(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    model.train()
    freeze_normalization(model)
    for seed in range(3):
        step(model, optimizer, seed)
    statistics = {n for n in before if n.endswith(("running_mean", "running_var", "num_batches_tracked"))}
    assert statistics
    assert changed(model, before) == set(before) - statistics


def test_scale_and_dtype_of_pictures() -> None:
    model = make().eval()
    x = torch.from_numpy(pictures(2)).permute(0, 3, 1, 2)
    with torch.no_grad():
        whole, real = model(x), model(x.float())
    assert torch.equal(whole.logits, real.logits)
    assert whole.logits.shape == (2, 2, 16, 16), "48 rows are padded to 64, the next multiple of 32"
    assert whole.stride == 4


def test_predictions_do_not_depend_on_the_batch() -> None:
    model = make()
    seven = pictures(7)
    whole = model.predict(seven, CPU)
    parts = model.predict(seven, CPU, batch=3)
    assert whole.keypoints_px is not None
    assert whole.confidence is not None
    assert parts.keypoints_px is not None
    assert whole.keypoints_px.shape == (7, 2, 2)
    assert whole.confidence.shape == (7, 2)
    assert whole.points_m is None
    np.testing.assert_allclose(whole.keypoints_px, parts.keypoints_px, atol=1e-3)
    assert not model.training


def test_regression_predicts_metres() -> None:
    model = make("regression", point_mean_m=(1.0, 2.0, 3.0), point_std_m=(0.1, 0.2, 0.5))
    last = model.head.layers[-1]
    nn.init.zeros_(last.weight)
    with torch.no_grad():
        last.bias.copy_(torch.tensor([1.0, -1.0, 2.0]))
    found = model.predict(pictures(2), CPU)
    assert found.keypoints_px is None
    assert found.confidence is None
    np.testing.assert_allclose(found.points_m, [[1.1, 1.8, 4.0]] * 2, rtol=1e-6)
    # The same numbers as labels leave no loss.
    x = torch.from_numpy(pictures(2)).permute(0, 3, 1, 2)
    points = torch.tensor([[1.1, 1.8, 4.0]] * 2)
    value = model.loss(x, torch.zeros(2, 2, 2), torch.ones(2, 2), points)
    assert float(value.detach()) < 1e-10


@pytest.mark.parametrize("head", ["keypoints", "regression"])
def test_unlabelled_frames_do_not_count(head: str) -> None:
    model = make(head).eval()
    x = torch.from_numpy(pictures(3)).permute(0, 3, 1, 2)
    pixels, points = torch.rand(3, 2, 2) * 40, torch.rand(3, 3)
    with torch.no_grad():
        expected = model.loss(x[:2], pixels[:2], torch.ones(2, 2), points[:2])
        pixels[2], points[2] = float("nan"), float("nan")
        weight = torch.tensor([[1.0, 1.0], [1.0, 1.0], [0.0, 0.0]])
        found = model.loss(x, pixels, weight, points)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("head", ["keypoints", "regression"])
def test_no_pictures_no_predictions(head: str) -> None:
    found = make(head).predict(pictures(0), CPU)
    if head == "keypoints":
        assert found.keypoints_px is not None
        assert found.keypoints_px.shape == (0, 2, 2)
        assert found.points_m is None
    else:
        assert found.points_m is not None
        assert found.points_m.shape == (0, 3)
