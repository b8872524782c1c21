"""Subspace alignment at test time: the divergence, what is learned, bounds, rollback, reset."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm
from torch import nn

from calibration.errors import InputError
from policies.perception import PerceptionModel
from sim2real.adaptation.seen import see
from sim2real.adaptation.self_training.batch_norm import batches_of
from sim2real.adaptation.self_training.subspace import (
    SourceSubspace,
    SubspaceAdapter,
    SubspaceSettings,
    measure_source,
    subspace_loss,
    symmetric_kl,
)
from sim2real.stream import Batch


def state(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def changed(model: nn.Module, before: dict[str, torch.Tensor]) -> set[str]:
    return {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}


def features_of(model: PerceptionModel, pictures: Any) -> Any:
    model.eval()
    with torch.no_grad():
        return see(model, next(batches_of(model, pictures, len(pictures)))).features.double().numpy()


@pytest.mark.parametrize(("mean", "variance", "source"), [(0.7, 0.4, 1.5), (-1.2, 3.0, 0.8)])
def test_the_divergence_is_the_integral(mean: float, variance: float, source: float) -> None:
    target, own = norm(mean, np.sqrt(variance)), norm(0.0, np.sqrt(source))

    def kl(p: Any, q: Any) -> float:
        return float(quad(lambda x: p.pdf(x) * (p.logpdf(x) - q.logpdf(x)), -25, 25, limit=200)[0])

    found = symmetric_kl(*(torch.tensor(v, dtype=torch.float64) for v in (mean, variance, source)))
    assert float(found) == pytest.approx(kl(target, own) + kl(own, target), abs=1e-8)


@pytest.mark.parametrize("head", ["keypoints", "regression"])
def test_the_source_itself_has_no_loss_and_finite_gradients(
    make_model: Callable[..., PerceptionModel], discs: Callable[[int, int], Batch], head: str
) -> None:
    model, pictures = make_model(head), discs(20, 0).rgb
    source = measure_source(model, pictures, directions=6, batch=7)
    features = torch.tensor(features_of(model, pictures), requires_grad=True)
    loss = subspace_loss(source, features)
    assert float(loss.detach()) == pytest.approx(0.0, abs=1e-6)
    (slope,) = torch.autograd.grad(loss, features)
    assert slope.isfinite().all()
    assert float(subspace_loss(source, features.detach() + 0.5)) > 0.01


def test_the_subspace_is_that_of_the_covariance(
    make_model: Callable[..., PerceptionModel], discs: Callable[[int, int], Batch]
) -> None:
    model, pictures = make_model(), discs(24, 0).rgb
    source = measure_source(model, pictures, directions=4, batch=24)
    features = features_of(model, pictures)
    values, vectors = np.linalg.eigh(np.cov(features.T, bias=True))
    np.testing.assert_allclose(source.variances, values[::-1][:4], rtol=1e-5)
    np.testing.assert_allclose(np.abs(source.basis.numpy().T @ vectors[:, ::-1][:, :4]), np.eye(4), atol=1e-3)
    # In the features' other axes the loss is the same: only the subspace counts.
    turned = source.basis @ torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0], dtype=torch.float64))
    shown = torch.tensor(features + 0.1)
    assert float(subspace_loss(replace(source, basis=turned), shown)) == pytest.approx(
        float(subspace_loss(source, shown))
    )


def test_a_linear_heads_weights_are_those_of_the_paper(
    make_model: Callable[..., PerceptionModel], discs: Callable[[int, int], Batch]
) -> None:
    model = make_model("regression")
    channels = model.backbone.channels[-1]
    linear = nn.Linear(channels, 3)

    class Linear(nn.Module):
        def forward(self, maps: Any) -> torch.Tensor:
            return linear(maps[-1].mean(dim=(2, 3)).float())

    model.head = Linear()
    source = measure_source(model, discs(30, 0).rgb, directions=5)
    effect = (linear.weight.detach().double() @ source.basis).norm(dim=0)
    np.testing.assert_allclose(source.weights, 1.0 + effect, rtol=1e-4)


def test_adaptation_lowers_the_loss_by_scales_and_shifts_alone(
    trained: PerceptionModel, discs: Callable[[int, int], Batch], darker: Callable[[Batch], Batch]
) -> None:
    source = measure_source(trained, discs(32, 1).rgb)
    trained.train()
    trained.head.eval()
    for p in trained.backbone.parameters():
        p.requires_grad_(False)
    modes = [part.training for part in trained.modules()]
    adapter, before = SubspaceAdapter(trained, source), state(trained)
    done = adapter.adapt(darker(discs(16, 2)).rgb)
    assert done.rolled_back is None
    assert done.loss_after < 0.7 * done.loss_before
    assert 0.0 < done.moved <= 0.2
    layers = {f"backbone.{n}" for n, part in trained.backbone.named_modules() if isinstance(part, nn.BatchNorm2d)}
    assert changed(trained, before)
    assert {name.rpartition(".")[0] for name in changed(trained, before)} <= layers
    assert {name.rpartition(".")[2] for name in changed(trained, before)} == {"weight", "bias"}
    assert [part.training for part in trained.modules()] == modes
    assert not any(p.requires_grad for p in trained.backbone.parameters())
    assert all(p.grad is None for p in trained.parameters())
    adapter.reset()
    assert changed(trained, before) == set()


def test_the_step_is_bounded_over_any_number_of_adaptations(
    trained: PerceptionModel, discs: Callable[[int, int], Batch], darker: Callable[[Batch], Batch]
) -> None:
    source, before = measure_source(trained, discs(32, 1).rgb), state(trained)
    adapter = SubspaceAdapter(trained, source, SubspaceSettings(steps=3, rate=0.01, largest_move=0.01))
    moves = [adapter.adapt(darker(discs(8, seed)).rgb).moved for seed in (2, 3)]
    assert max(moves) == pytest.approx(0.01, rel=1e-3)
    names = {f"backbone.{n}" for n, part in trained.backbone.named_modules() if isinstance(part, nn.BatchNorm2d)}
    affine = [n for n in before if n.rpartition(".")[0] in names and n.endswith(("weight", "bias"))]
    apart = sum(float((trained.state_dict()[n] - before[n]).double().square().sum()) for n in affine)
    assert np.sqrt(apart / sum(float(before[n].double().square().sum()) for n in affine)) <= 0.01 * (1 + 1e-3)


def test_bad_batches_are_taken_back(
    trained: PerceptionModel, discs: Callable[[int, int], Batch], darker: Callable[[Batch], Batch]
) -> None:
    source, good = measure_source(trained, discs(32, 1).rgb), darker(discs(8, 2)).rgb
    adapter = SubspaceAdapter(trained, source, SubspaceSettings(steps=2))
    adapter.adapt(good)
    before = state(trained)
    constant = adapter.adapt(np.full((6, 48, 64, 3), 120, np.uint8))
    assert constant.rolled_back is not None
    assert constant.rolled_back.startswith("pictures are too alike to adapt to: features vary 0.000 times")
    assert changed(trained, before) == set()
    wild = SubspaceAdapter(trained, source, SubspaceSettings(steps=2, rate=5.0, largest_move=50.0)).adapt(good)
    assert wild.rolled_back is not None
    assert wild.rolled_back.startswith("the loss rose from")
    assert wild.moved == 0.0
    assert changed(trained, before) == set()


def test_collapsed_predictions_are_taken_back(
    trained: PerceptionModel, discs: Callable[[int, int], Batch], darker: Callable[[Batch], Batch]
) -> None:
    class Brittle(nn.Module):
        """Says 0 for every picture as soon as the first pictures' features are no longer quite the same."""

        def __init__(self) -> None:
            super().__init__()
            self.first: torch.Tensor | None = None

        def forward(self, maps: Any) -> torch.Tensor:
            features = maps[-1].mean(dim=(2, 3)).float()
            if self.first is None:
                self.first = features.detach()
            return features[:, :3] * float(torch.equal(features, self.first))

    source, shown = measure_source(trained, discs(32, 1).rgb), darker(discs(8, 2)).rgb
    trained.head = Brittle()
    before = state(trained)
    done = SubspaceAdapter(trained, source).adapt(shown)
    assert done.loss_after < done.loss_before
    assert done.rolled_back is not None
    assert done.rolled_back.startswith("predictions collapsed: their spread fell from")
    assert changed(trained, before) == set()


def test_a_record_comes_back_as_written(
    make_model: Callable[..., PerceptionModel], discs: Callable[[int, int], Batch], tmp_path: Path
) -> None:
    source = measure_source(make_model(), discs(12, 0).rgb)
    source.save(tmp_path / "subspace.safetensors")
    found = SourceSubspace.load(tmp_path / "subspace.safetensors")
    for name, value in vars(source).items():
        assert torch.equal(getattr(found, name), value)
    (tmp_path / "other").write_text("nothing")
    for name in ("other", "absent"):
        with pytest.raises(InputError, match=r"must be a file written by SourceSubspace\.save"):
            SourceSubspace.load(tmp_path / name)


def test_messages_say_what_to_do(
    make_model: Callable[..., PerceptionModel], discs: Callable[[int, int], Batch]
) -> None:
    model, pictures = make_model(), discs(6, 0).rgb
    with pytest.raises(InputError, match="two or more pictures and one or more directions, got 1 and 32"):
        measure_source(model, pictures[:1])
    with pytest.raises(InputError, match="give pictures that differ"):
        measure_source(model, np.repeat(pictures[:1], 4, axis=0))
    source = measure_source(model, pictures)
    with pytest.raises(InputError, match="two or more pictures, got 1"):
        SubspaceAdapter(model, source).adapt(pictures[:1])
    with pytest.raises(InputError, match="measure it with this model"):
        SubspaceAdapter(model, replace(source, mean=source.mean[:5]))
