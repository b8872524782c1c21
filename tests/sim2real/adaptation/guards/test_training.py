"""Training that fails stops, and the last good state is back to the bit."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from sim2real.adaptation.guards.training import GuardSettings, TrainingGuard, effective_rank, spread


class Toy:
    """A small network with batch statistics, and data that it learns in a few steps."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-2)
        self.x = torch.randn(32, 4, generator=torch.Generator().manual_seed(1))
        self.y = self.x[:, :2] * 2

    def step(self) -> float:
        loss = nn.functional.mse_loss(self.model(self.x), self.y)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return float(loss.detach())

    def state(self) -> dict[str, torch.Tensor]:
        return {k: v.clone() for k, v in self.model.state_dict().items()}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(a[k], b[k]) for k in a)


def test_good_training_goes_on_and_its_state_is_kept() -> None:
    toy = Toy()
    guard = TrainingGuard(toy.model, toy.optimizer)
    for step in range(1, 61):
        assert guard.check(step, toy.step(), toy.model(toy.x), toy.x) is None
    assert guard.good_step == 50


def test_the_good_state_is_restored_bitwise_and_training_repeats_itself() -> None:
    toy = Toy()
    guard = TrainingGuard(toy.model, toy.optimizer, GuardSettings(keep_every=5))
    states, losses = {0: toy.state()}, {}
    for step in range(1, 13):
        losses[step] = toy.step()
        assert guard.check(step, losses[step]) is None
        states[step] = toy.state()
    with torch.no_grad():
        toy.model[0].weight[0, 0] = math.nan  # type: ignore[index, union-attr]
    reason = guard.check(13, 1.0)
    assert reason is not None
    assert "step 13: weights must be finite, got NaN or infinity; the state of step 5 is restored" in reason
    assert same(toy.state(), states[5])
    # Moments and batch statistics are back too, or the next losses would differ.
    assert [toy.step() for _ in range(6, 13)] == [losses[k] for k in range(6, 13)]


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_no_number(loss: float) -> None:
    toy = Toy()
    start = toy.state()
    guard = TrainingGuard(toy.model)
    toy.step()
    reason = guard.check(1, loss)
    assert reason is not None
    assert reason.startswith(f"step 1: the loss must be finite, got {loss}")
    assert same(toy.state(), start)


def test_gradients_that_are_no_numbers() -> None:
    toy = Toy()
    guard = TrainingGuard(toy.model)
    toy.step()
    toy.model[3].bias.grad[0] = math.inf  # type: ignore[index, union-attr]
    assert "gradients must be finite" in str(guard.check(1, 1.0))
    assert toy.model[3].bias.grad is None


def test_a_batch_statistic_that_is_no_number() -> None:
    toy = Toy()
    guard = TrainingGuard(toy.model)
    toy.model[1].running_var[0] = math.nan  # type: ignore[index, operator]
    assert "weights must be finite" in str(guard.check(1, 1.0))


def feed(losses: list[float]) -> list[int]:
    guard = TrainingGuard(Toy().model)
    return [k for k, loss in enumerate(losses, 1) if guard.check(k, loss) is not None]


def test_a_loss_that_blows_up_is_found_within_a_few_steps() -> None:
    falling = [8 * 0.9**k for k in range(30)]
    assert feed(falling) == []
    found = feed(falling + [falling[-1] * 1.5**k for k in range(20)])
    assert found
    assert 31 < found[0] <= 31 + 10


def test_single_peaks_a_new_phase_and_losses_near_zero_do_not_blow_up() -> None:
    falling = [8 * 0.9**k for k in range(30)]
    assert feed([*falling[:20], 100.0, *falling[20:], 50.0, falling[-1]]) == []
    assert feed([*falling[:20], *(3 * falling[19] * 0.9**k for k in range(20))]) == []
    assert feed([1.0] * 5 + [1e-6] * 10 + [1e-4] * 10) == []
    assert feed([-1.0, 5.0] * 20) == []


def test_collapsed_predictions_are_found_after_some_patience() -> None:
    guard = TrainingGuard(Toy().model, settings=GuardSettings(patience=3))
    good = torch.randn(16, 4, generator=torch.Generator().manual_seed(0))
    for step in range(1, 11):
        assert guard.check(step, 1.0, good * (0.5 if step % 2 else 1.0)) is None
    flat = good * 0.02 + 7.0
    assert guard.check(11, 1.0, flat) is None
    assert guard.check(12, 1.0, flat) is None
    assert guard.check(13, 1.0, good) is None
    reasons = [guard.check(step, 1.0, flat) for step in range(14, 17)]
    assert reasons[:2] == [None, None]
    assert "predictions collapsed: expected a spread of" in str(reasons[2])


def test_collapsed_features_are_found_though_they_vary() -> None:
    guard = TrainingGuard(Toy().model, settings=GuardSettings(patience=1))
    features = torch.randn(32, 16, generator=torch.Generator().manual_seed(0))
    for step in range(1, 8):
        assert guard.check(step, 1.0, features=features) is None
    one = features[:, :1] * torch.ones(16)
    assert spread(one) > 0.5 * spread(features)
    assert "features collapsed: expected an effective rank" in str(guard.check(8, 1.0, features=one))


def test_predictions_that_are_no_numbers() -> None:
    guard = TrainingGuard(Toy().model)
    assert "predictions must be finite" in str(guard.check(1, 1.0, torch.full((4, 2), math.nan)))


def test_effective_rank_by_hand() -> None:
    # Orthogonal columns of mean 0 and equal length have rank 3; shares 2/3 and 1/3 have exp of their entropy.
    signs = torch.tensor([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    assert effective_rank(signs + 5) == pytest.approx(3.0)
    expected = math.exp(-(2 / 3) * math.log(2 / 3) - (1 / 3) * math.log(1 / 3))
    assert effective_rank(signs[:, :2] * torch.tensor([2.0, 1.0])) == pytest.approx(expected)
    assert effective_rank(signs * 1e-3) == pytest.approx(3.0)
    assert effective_rank(torch.full((8, 4), 3.3)) == 0.0
    turn, _ = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0)))
    assert effective_rank(signs @ turn) == pytest.approx(3.0, abs=1e-4)
