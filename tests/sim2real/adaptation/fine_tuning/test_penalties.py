from typing import Any

import pytest
import torch
from torch import nn

from sim2real.adaptation.fine_tuning.penalties import ewc, fisher_diagonal, l2_sp, scaled_fisher, weights_of


class Tiny(nn.Module):
    """A linear map with a squared error, so that gradients can be written down."""

    def __init__(self) -> None:
        super().__init__()
        self.map = nn.Linear(3, 2)
        self.unused = nn.Parameter(torch.ones(2))

    def loss(self, pictures: Any, pixels: Any, weight: Any, points: Any) -> torch.Tensor:
        return (self.map(pictures) - pixels).square().sum(dim=1).mean()


def moved(model: nn.Module, seed: int = 3) -> dict[str, torch.Tensor]:
    """Move all weights at random and return where they were."""
    start = weights_of(model)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters():
            p += torch.randn(p.shape, generator=generator)
    return start


def data(count: int = 6) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(8)
    x, y = torch.randn(count, 3, generator=generator), torch.randn(count, 2, generator=generator)
    return x, y, torch.ones(count, 1), torch.zeros(count, 3)


def test_gradient_of_l2_sp_is_twice_the_way() -> None:
    model = Tiny()
    start = moved(model)
    strength = 0.3
    (strength * l2_sp(model, start)).backward()
    for name, p in model.named_parameters():
        torch.testing.assert_close(p.grad, 2 * strength * (p - start[name]).detach())


def test_gradient_of_ewc_weighs_the_way_by_the_information() -> None:
    model = Tiny()
    start = moved(model)
    fisher = {name: torch.rand_like(p) for name, p in model.named_parameters()}
    (0.7 * ewc(model, start, fisher)).backward()
    for name, p in model.named_parameters():
        torch.testing.assert_close(p.grad, 0.7 * fisher[name] * (p - start[name]).detach())


def test_penalties_are_0_with_a_0_gradient_at_the_start() -> None:
    model = Tiny()
    start = weights_of(model)
    fisher = {name: torch.ones_like(p) for name, p in model.named_parameters()}
    for value in (l2_sp(model, start), ewc(model, start, fisher)):
        assert value == 0
        model.zero_grad()
        value.backward()
        assert all((p.grad == 0).all() for p in model.parameters())


def test_what_does_not_learn_is_not_penalized() -> None:
    model = Tiny()
    start = moved(model)
    model.map.requires_grad_(False)
    assert l2_sp(model, start).detach() == pytest.approx(
        float((model.unused.detach() - start["unused"]).square().sum())
    )
    assert float(l2_sp(model, {})) == 0.0


def test_fisher_is_the_mean_square_of_gradients_of_single_frames() -> None:
    model = Tiny()
    x, y, w, points = data()
    found = fisher_diagonal(model, [(x[:4], y[:4], w[:4], points[:4]), (x[4:], y[4:], w[4:], points[4:])])
    error = (x @ model.map.weight.T + model.map.bias - y).detach()
    # d/dW of |W x + b - y|^2 is 2 e x^T.
    by_frame = 2 * error[:, :, None] * x[:, None, :]
    torch.testing.assert_close(found["map.weight"], by_frame.square().mean(dim=0))
    torch.testing.assert_close(found["map.bias"], (2 * error).square().mean(dim=0))
    assert (found["unused"] == 0).all()


def test_fisher_of_a_perception_model_by_brute_force(make_model: Any, make_batch: Any, state_of: Any) -> None:
    model = make_model()
    model.backbone.requires_grad_(False)
    before = state_of(model)
    batch = make_batch(3)
    found = fisher_diagonal(model, [batch])
    assert all(torch.equal(value, before[n]) for n, value in model.state_dict().items())
    assert not any(p.requires_grad for p in model.backbone.parameters())
    assert all(p.grad is None for p in model.parameters())
    model.requires_grad_(True)
    name = "head.out.weight"
    total = torch.zeros_like(found[name])
    for k in range(3):
        model.zero_grad()
        model.loss(*(t[k : k + 1] for t in batch)).backward()
        total += model.get_parameter(name).grad.square()
    torch.testing.assert_close(found[name], total / 3)
    assert found["backbone.net.conv1.0.weight"].abs().max() > 0


def test_scaled_fisher_has_mean_1_and_keeps_ratios() -> None:
    fisher = {"a": torch.tensor([1.0, 3.0]), "b": torch.tensor([[8.0]])}
    scaled = scaled_fisher(fisher)
    torch.testing.assert_close(torch.cat([v.flatten() for v in scaled.values()]), torch.tensor([0.25, 0.75, 2.0]))


def test_fisher_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one frame, got none"):
        fisher_diagonal(Tiny(), [])
