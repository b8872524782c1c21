"""CORAL before every normalization: exact moments, exact folding, identity where nothing differs, colour undone."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from calibration.errors import InputError
from policies.heads import KeypointMaps
from policies.perception import PerceptionModel
from sim2real.adaptation.self_training.coral_layers import fold_coral_layers
from sim2real.stream import Batch


class Net(nn.Module):
    """A dense, a depthwise and a shared convolution; the last normalization sees a sum, which nothing folds into."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.dense = nn.Conv2d(3, 6, 3, padding=1)
        self.dense_norm = nn.BatchNorm2d(6)
        self.depthwise = nn.Conv2d(6, 6, 3, padding=1, groups=6, bias=False)
        self.depthwise_norm = nn.BatchNorm2d(6)
        self.paired = nn.Conv2d(6, 6, 1, groups=3)
        self.paired_norm = nn.BatchNorm2d(6)
        self.shared = nn.Conv2d(6, 6, 1)
        self.shared_norm = nn.BatchNorm2d(6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.dense_norm(self.dense(x.float() / 255)))
        x = torch.relu(self.depthwise_norm(self.depthwise(x)))
        x = torch.relu(self.paired_norm(self.paired(x)))
        x = self.shared(x)
        return x + self.shared_norm(x)


NORMS = ("dense_norm", "depthwise_norm", "paired_norm", "shared_norm")


def pictures(count: int, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 255, (count, 6, 8, 3), np.uint8)
    return np.clip(small.repeat(2, axis=1).repeat(2, axis=2) + rng.normal(0, 9, (count, 12, 16, 3)), 0, 255).astype(
        np.uint8
    )


def shifted(shown: Any) -> Any:
    return np.clip(shown.astype(float) @ np.array([[0.5, 0.1, 0.0], [0.2, 0.6, 0.1], [0.0, 0.2, 0.8]]), 0, 255).astype(
        np.uint8
    )


def normalized(model: nn.Module, name: str, shown: Any) -> Any:
    """What a normalization puts out before its scale and shift, (rows, C)."""
    kept: list[Any] = []
    handle = model.get_submodule(name).register_forward_hook(lambda _layer, _given, output: kept.append(output))
    model.eval()
    with torch.no_grad():
        model(torch.from_numpy(shown).permute(0, 3, 1, 2))
    handle.remove()
    return kept[0].double().permute(0, 2, 3, 1).flatten(0, 2).numpy()


def blocks(covariance: Any, size: int) -> Any:
    return [covariance[k : k + size, k : k + size] for k in range(0, len(covariance), size)]


def test_every_normalization_meets_the_moments_of_simulation() -> None:
    model = Net()
    simulated, shown = pictures(40, 0), shifted(pictures(30, 1))
    before = copy.deepcopy(model)
    assert fold_coral_layers(model, simulated, shown, ridge=0.0) == 4
    for name, size in zip(NORMS, (6, 1, 2, 1), strict=True):
        wanted, got = normalized(before, name, simulated), normalized(model, name, shown)
        np.testing.assert_allclose(got.mean(axis=0), wanted.mean(axis=0), atol=2e-5)
        for a, b in zip(blocks(np.cov(got.T), size), blocks(np.cov(wanted.T), size), strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-5)
    # What a sum sees as well may not be folded into the convolution.
    assert torch.equal(model.shared.weight, before.shared.weight)
    assert torch.equal(model.shared.bias, before.shared.bias)
    # Variances alone would not do: covariances differ by a hundred times the tolerance.
    off = np.cov(normalized(before, "dense_norm", shown).T) - np.cov(normalized(before, "dense_norm", simulated).T)
    assert np.abs(off - np.diag(np.diag(off))).max() > 2e-3


@pytest.mark.parametrize("ridge", [0.0, 0.1])
def test_equal_pictures_leave_the_model_as_it_is(ridge: float) -> None:
    model, shown = Net(), pictures(20, 2)
    x = torch.from_numpy(shown).permute(0, 3, 1, 2)
    before = model.eval()(x)
    fold_coral_layers(model, shown, shown, ridge=ridge)
    torch.testing.assert_close(model(x), before, rtol=1e-4, atol=1e-5)


def test_a_large_prior_leaves_the_model_as_it_is() -> None:
    model = Net()
    before = {n: v.clone() for n, v in model.state_dict().items()}
    fold_coral_layers(model, pictures(20, 3), shifted(pictures(5, 4)), prior_count=1e12)
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=1e-5, atol=1e-6)


def test_neither_order_nor_batches_of_pictures_count() -> None:
    one, two = Net(), Net()
    simulated, shown = pictures(20, 5), shifted(pictures(13, 6))
    fold_coral_layers(one, simulated, shown, batch=16)
    fold_coral_layers(two, simulated[::-1].copy(), shown[::-1].copy(), batch=5)
    for name, value in one.state_dict().items():
        torch.testing.assert_close(value, two.state_dict()[name], rtol=1e-4, atol=1e-5)


def test_other_light_is_undone(
    trained: PerceptionModel,
    discs: Callable[[int, int], Batch],
    darker: Callable[[Batch], Batch],
    pixel_error: Callable[[PerceptionModel, Batch], float],
) -> None:
    plain, dark = discs(96, 101), darker(discs(96, 101))
    at_best, before = pixel_error(trained, plain), pixel_error(trained, dark)
    fold_coral_layers(trained, discs(64, 100).rgb, dark.rgb)
    assert before > at_best + 1.0
    assert (before - pixel_error(trained, dark)) / (before - at_best) > 0.5


def test_training_mode_stays(make_model: Callable[..., PerceptionModel]) -> None:
    model = make_model().train()
    shown = np.random.default_rng(7).integers(0, 255, (4, 48, 64, 3), np.uint8)
    fold_coral_layers(model, shown, shown // 2)
    assert model.training
    assert isinstance(model(torch.from_numpy(shown).permute(0, 3, 1, 2)), KeypointMaps)


def test_a_failure_changes_nothing() -> None:
    model = Net()
    with torch.no_grad():
        model.paired.weight[0] = float("nan")
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(InputError, match="'paired_norm' are not finite"):
        fold_coral_layers(model, pictures(4, 8), pictures(4, 9))
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0, equal_nan=True)
    with pytest.raises(InputError, match="at least one picture, got none"):
        fold_coral_layers(Net(), pictures(4, 8), pictures(0, 9))
    with pytest.raises(InputError, match="needs a model with batch normalization"):
        fold_coral_layers(nn.Conv2d(3, 3, 1), pictures(4, 8), pictures(4, 9))  # type: ignore[arg-type]
