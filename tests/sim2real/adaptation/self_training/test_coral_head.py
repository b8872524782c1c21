"""CORAL in front of the head: closed form, folded exactly, identity where nothing differs."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from calibration.errors import InputError
from policies.heads import KeypointMaps
from policies.perception import PerceptionModel
from sim2real.adaptation.moments import Moments, transform_between
from sim2real.adaptation.self_training.coral_head import fold_coral, head_moments


def pictures(count: int, seed: int) -> Any:
    return np.random.default_rng(seed).integers(0, 255, (count, 48, 64, 3), np.uint8)


def samples(seed: int, dimensions: int = 5, count: int = 400) -> Any:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, dimensions)) @ rng.normal(size=(dimensions, dimensions)) + rng.normal(
        size=dimensions
    )


def moments(x: Any) -> Moments:
    return Moments(torch.tensor(x.mean(axis=0)), torch.tensor(np.cov(x.T, bias=True)), len(x))


def fed(model: PerceptionModel, layer: torch.nn.Module, shown: Any) -> Any:
    """All that goes into a layer, (rows, D)."""
    kept: list[Any] = []
    handle = layer.register_forward_pre_hook(lambda _layer, inputs: kept.append(inputs[0].double()))
    model.eval()
    with torch.no_grad():
        model(torch.from_numpy(shown).permute(0, 3, 1, 2))
    handle.remove()
    x = kept[0]
    return (x.permute(0, 2, 3, 1).flatten(0, 2) if x.ndim == 4 else x).numpy()


def test_transformed_features_have_the_moments_of_the_source() -> None:
    source, target = samples(0), samples(1)
    stretch, shift = transform_between(moments(source), moments(target), 0.0)
    moved = target @ stretch.numpy().T + shift.numpy()
    np.testing.assert_allclose(moved.mean(axis=0), source.mean(axis=0), atol=1e-10)
    np.testing.assert_allclose(np.cov(moved.T, bias=True), np.cov(source.T, bias=True), atol=1e-9)


@pytest.mark.parametrize("ridge", [0.0, 0.1])
def test_equal_moments_give_the_identity(ridge: float) -> None:
    one = moments(samples(2))
    stretch, shift = transform_between(one, one, ridge)
    np.testing.assert_allclose(stretch, np.eye(5), atol=1e-10)
    np.testing.assert_allclose(shift, np.zeros(5), atol=1e-10)


def test_turned_features_are_transformed_alike() -> None:
    # Whitening by symmetric roots turns with the axes: A becomes R A R^T.
    source, target = samples(3), samples(4)
    turn = np.linalg.qr(np.random.default_rng(5).normal(size=(5, 5)))[0]
    plain, _ = transform_between(moments(source), moments(target), 0.1)
    turned, _ = transform_between(moments(source @ turn.T), moments(target @ turn.T), 0.1)
    np.testing.assert_allclose(turned, turn @ plain.numpy() @ turn.T, atol=1e-9)


@pytest.mark.parametrize(("head", "layer"), [("keypoints", "out"), ("regression", "layers.0")])
def test_moments_are_those_of_all_that_is_fed(
    make_model: Callable[..., PerceptionModel], head: str, layer: str
) -> None:
    model, shown = make_model(head), pictures(5, 0)
    model.train()
    found = head_moments(model, shown, batch=2)
    assert model.training
    rows = fed(model, model.head.get_submodule(layer), shown)
    np.testing.assert_allclose(found.mean, rows.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(found.covariance, np.cov(rows.T, bias=True), atol=1e-6)
    assert found.pictures == 5


@pytest.mark.parametrize(("head", "layer"), [("keypoints", "out"), ("regression", "layers.0")])
def test_the_folded_layer_sees_transformed_features(
    make_model: Callable[..., PerceptionModel], head: str, layer: str
) -> None:
    model, shown = make_model(head), pictures(4, 1)
    part: Any = model.head.get_submodule(layer)
    weight, bias = part.weight.detach().flatten(1).double().numpy(), part.bias.detach().double().numpy()
    rows = fed(model, part, shown)
    others = {n: v.clone() for n, v in model.state_dict().items() if not n.startswith(f"head.{layer}.")}
    source, target = head_moments(model, pictures(40, 2) // 2), head_moments(model, shown)
    fold_coral(model, source, target, ridge=0.1)
    stretch, shift = transform_between(source, target, 0.1)
    wanted = (rows @ stretch.numpy().T + shift.numpy()) @ weight.T + bias
    got = rows @ part.weight.detach().flatten(1).double().numpy().T + part.bias.detach().double().numpy()
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4)
    assert all(torch.equal(model.state_dict()[n], v) for n, v in others.items())


def test_equal_pictures_leave_the_head_as_it_is(make_model: Callable[..., PerceptionModel]) -> None:
    model, shown = make_model(), pictures(4, 3)
    x = torch.from_numpy(shown).permute(0, 3, 1, 2)
    before = model.eval()(x)
    found = head_moments(model, shown)
    fold_coral(model, found, found)
    after = model(x)
    assert isinstance(before, KeypointMaps)
    assert isinstance(after, KeypointMaps)
    torch.testing.assert_close(after.logits, before.logits, rtol=1e-4, atol=1e-5)


def test_a_large_prior_leaves_the_head_as_it_is(make_model: Callable[..., PerceptionModel]) -> None:
    model = make_model("regression")
    before = {n: v.clone() for n, v in model.state_dict().items()}
    fold_coral(model, head_moments(model, pictures(20, 4)), head_moments(model, pictures(3, 5) // 3), prior_count=1e12)
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=1e-5, atol=1e-6)


def test_messages_say_what_to_do(make_model: Callable[..., PerceptionModel]) -> None:
    model = make_model("regression")
    few, many = head_moments(model, pictures(3, 6)), head_moments(model, pictures(8, 7))
    with pytest.raises(InputError, match="use a larger ridge or prior_count, or more pictures"):
        fold_coral(model, many, few, ridge=0.0)
    with pytest.raises(InputError, match="measure both with this model"):
        fold_coral(model, moments(samples(0)), few)
    with pytest.raises(InputError, match="prior_count must be 0 or more pictures, got -1"):
        fold_coral(model, many, few, prior_count=-1)
    with pytest.raises(InputError, match="at least one picture, got none"):
        head_moments(model, pictures(0, 0))
