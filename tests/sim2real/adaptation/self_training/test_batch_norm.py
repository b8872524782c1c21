"""Recalibration of batch normalization: exact statistics, the mixture with the source, what stays."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from calibration.errors import InputError
from policies.perception import PerceptionModel
from sim2real.adaptation.self_training.batch_norm import (
    LayerStatistics,
    batches_of,
    blended,
    pooled_statistics,
    recalibrate,
)
from sim2real.stream import Batch

STATISTICS = ("running_mean", "running_var")


def pictures(count: int, seed: int = 0) -> Any:
    """Pictures that differ much from one to the next, as along a trajectory."""
    rng = np.random.default_rng(seed)
    level = np.linspace(0, 200, count)[:, None, None, None]
    return (level + rng.uniform(0, 55, (count, 48, 64, 3))).astype(np.uint8)


def state(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def brute_force(model: nn.Module, layer: str, shown: Any) -> tuple[Any, Any]:
    """Mean and variance of all that goes into a layer, kept whole."""
    kept: list[Any] = []
    part = model.get_submodule(layer)
    handle = part.register_forward_pre_hook(lambda _part, inputs: kept.append(inputs[0].detach().double().numpy()))
    model.eval()
    with torch.no_grad():
        for picture in batches_of(model, shown, 1):
            model(picture)
    handle.remove()
    values = np.concatenate(kept).transpose(1, 0, 2, 3)
    values = values.reshape(len(values), -1)
    return values.mean(axis=1), values.var(axis=1)


@pytest.mark.parametrize("size", [1, 3, 7])
def test_pooled_statistics_are_those_of_all_activations(make_model: Callable[..., PerceptionModel], size: int) -> None:
    model, shown = make_model(), pictures(7)
    shuffled = shown[np.random.default_rng(3).permutation(7)]
    found = pooled_statistics(model, batches_of(model, shuffled, size))
    layers = [name for name, part in model.named_modules() if isinstance(part, nn.BatchNorm2d)]
    assert set(found) == set(layers)
    for name in layers:
        mean, variance = brute_force(model, name, shown)
        np.testing.assert_allclose(found[name].mean, mean, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(found[name].variance, variance, rtol=1e-5, atol=1e-6)


def test_batches_that_differ_are_not_averaged_one_by_one(make_model: Callable[..., PerceptionModel]) -> None:
    model = make_model()
    dark, bright = pictures(1), pictures(1) // 4 + 190
    first = next(name for name, part in model.named_modules() if isinstance(part, nn.BatchNorm2d))
    one = [pooled_statistics(model, batches_of(model, p, 1))[first].variance for p in (dark, bright)]
    both = pooled_statistics(model, batches_of(model, np.concatenate([dark, bright]), 1))[first].variance
    assert (both > 2 * torch.stack(one).mean(dim=0)).any()


@pytest.mark.parametrize("head", ["keypoints", "regression"])
def test_each_layer_gets_the_statistics_that_it_then_meets(
    make_model: Callable[..., PerceptionModel], head: str
) -> None:
    model, shown = make_model(head), pictures(6)
    recalibrate(model, shown)
    for name, part in model.named_modules():
        if isinstance(part, nn.BatchNorm2d):
            mean, variance = brute_force(model, name, shown)
            np.testing.assert_allclose(part.running_mean, mean, rtol=1e-4, atol=1e-4)
            np.testing.assert_allclose(part.running_var, variance, rtol=1e-4, atol=1e-5)


def test_order_and_batches_do_not_count(make_model: Callable[..., PerceptionModel]) -> None:
    shown = pictures(7)
    results = []
    for order, size in ((np.arange(7), 7), (np.random.default_rng(1).permutation(7), 1), (np.arange(7)[::-1], 3)):
        model = make_model()
        recalibrate(model, shown[order], prior_count=2.0, batch=size)
        results.append(state(model))
    for other in results[1:]:
        for name, value in results[0].items():
            torch.testing.assert_close(other[name], value, rtol=1e-5, atol=1e-5)


def test_only_statistics_change_and_every_part_keeps_its_mode(make_model: Callable[..., PerceptionModel]) -> None:
    model = make_model()
    model.train()
    model.backbone.eval()
    modes = [part.training for part in model.modules()]
    flags = [p.requires_grad for p in model.parameters()]
    before = state(model)
    recalibrate(model, pictures(4))
    assert [part.training for part in model.modules()] == modes
    assert [p.requires_grad for p in model.parameters()] == flags
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]) == (not name.endswith(STATISTICS)), name
    assert not any(part._forward_pre_hooks for part in model.modules())


def test_an_infinite_prior_changes_nothing(make_model: Callable[..., PerceptionModel]) -> None:
    model = make_model()
    before = state(model)
    recalibrate(model, pictures(4), prior_count=float("inf"))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_the_prior_counts_like_pictures_of_the_source(make_model: Callable[..., PerceptionModel]) -> None:
    # The first layer's inputs depend on no other layer's statistics: n pictures on a prior of N give what N + n would.
    first = next(n for n, part in make_model().named_modules() if isinstance(part, nn.BatchNorm2d))
    source, target = pictures(5, 1), pictures(3, 2) // 2
    together, one_by_one = make_model(), make_model()
    recalibrate(together, np.concatenate([source, target]))
    recalibrate(one_by_one, source)
    recalibrate(one_by_one, target, prior_count=5)
    for name in STATISTICS:
        torch.testing.assert_close(
            getattr(one_by_one.get_submodule(first), name),
            getattr(together.get_submodule(first), name),
            rtol=1e-5,
            atol=1e-6,
        )


def test_a_mixture_has_the_variance_between_its_parts() -> None:
    one, other = np.array([0.0, 1.0, 5.0, 2.0]), np.array([10.0, 14.0])
    tensor = torch.tensor([other.mean()]), torch.tensor([other.var()])
    mean, variance = blended(torch.tensor([one.mean()]), torch.tensor([one.var()]), LayerStatistics(*tensor, 2), 2 / 6)
    both = np.concatenate([one, other])
    assert float(mean) == pytest.approx(both.mean())
    assert float(variance) == pytest.approx(both.var())


def test_messages_say_what_to_do(make_model: Callable[..., PerceptionModel]) -> None:
    model = make_model()
    with pytest.raises(InputError, match="at least one picture, got none"):
        recalibrate(model, pictures(0))
    with pytest.raises(InputError, match="prior_count must be 0 or more pictures, got -1"):
        recalibrate(model, pictures(2), prior_count=-1)
    with pytest.raises(InputError, match="choose another method, or a backbone such as resnet18"):
        recalibrate(nn.Conv2d(3, 2, 1), pictures(2))


def test_activations_that_are_not_finite_change_nothing(make_model: Callable[..., PerceptionModel]) -> None:
    model = make_model()
    list(model.backbone.parameters())[-1].data.fill_(float("nan"))
    before = state(model)
    with pytest.raises(InputError, match=r"activations before layer 'head.mix.1' are not finite"):
        recalibrate(model, pictures(3))
    for name in before:
        assert torch.equal(model.state_dict()[name], before[name]) or bool(before[name].isnan().any())


def test_other_light_is_undone_by_half_at_least(
    trained: PerceptionModel,
    discs: Callable[[int, int], Batch],
    darker: Callable[[Batch], Batch],
    pixel_error: Callable[[PerceptionModel, Batch], float],
) -> None:
    usual, unlabelled = discs(48, 5), darker(discs(24, 6))
    shifted = darker(usual)
    start, before = pixel_error(trained, usual), pixel_error(trained, shifted)
    assert before > 3 * start
    recalibrate(trained, unlabelled.rgb)
    assert pixel_error(trained, shifted) < (start + before) / 2
