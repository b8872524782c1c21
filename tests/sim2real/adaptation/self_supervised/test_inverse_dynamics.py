from collections.abc import Callable

import numpy as np
import pytest
import torch

from sim2real.adaptation.self_supervised.inverse_dynamics import Displacement, InverseDynamics, displacement_loss
from sim2real.adaptation.self_supervised.moments import Moments, SimulatedMoments, real_moments
from sim2real.adaptation.self_supervised.state import Component

COMPONENTS = (Component("bodies.square.position_m", 0, 12.0, None), Component("bodies.square.position_m", 1, 8.0, None))


def squares(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return pictures of a bright square at random places, and the places in pixels."""
    rng = np.random.default_rng(seed)
    places = np.stack([rng.integers(0, 64, count), rng.integers(0, 40, count)], axis=1)
    pictures = rng.integers(0, 60, (count, 56, 80, 3)).astype(np.uint8)
    for picture, (x, y) in zip(pictures, places, strict=True):
        picture[y : y + 16, x : x + 16] = 220
    return pictures, places.astype(np.float64)


class Squares:
    """Pairs of squares, in the place of simulated ones."""

    components = COMPONENTS
    closed = False

    def batch(self, number: int, size: int) -> Moments:
        pictures, places = squares(2 * size, 1000 + number)
        moved = (places[size:] - places[:size]) / [12.0, 8.0]
        return Moments(pictures[:size], pictures[size:], moved)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def task_of(make_model) -> Callable[..., InverseDynamics]:
    def make(model=None, seed: int = 0, pairs: int = 4):
        pictures, places = squares(6, 1)
        moments: SimulatedMoments = Squares()  # type: ignore[assignment]
        return InverseDynamics(model or make_model(), moments, real_moments(pictures, places, COMPONENTS), seed, pairs)

    return make


NOTHING = torch.zeros(1, 3, 56, 80, dtype=torch.uint8)


def test_the_loss_by_hand() -> None:
    moved = torch.tensor([[0.5, torch.nan], [2.0, -1.0]])
    assert float(displacement_loss(torch.nan_to_num(moved), moved)) == 0.0
    predicted = torch.tensor([[0.0, 9.0], [0.0, -1.0]], requires_grad=True)
    # Huber: 0.5 * 0.5^2, 2 - 0.5 and 0, over three known numbers.
    loss = displacement_loss(predicted, moved)
    assert float(loss.detach()) == pytest.approx((0.125 + 1.5) / 3)
    loss.backward()
    assert float(predicted.grad[0, 1]) == 0.0
    unknown = displacement_loss(predicted, torch.full((2, 2), torch.nan))
    assert float(unknown.detach()) == 0.0
    assert bool(torch.isfinite(torch.autograd.grad(unknown, predicted)[0]).all())


def test_consecutive_photographs_go_both_ways_and_an_offset_does_not_count() -> None:
    pictures, places = squares(4, 0)
    places[2, 1] = np.nan
    found = real_moments(pictures, places, COMPONENTS)
    np.testing.assert_array_equal(found.first, pictures[[0, 1, 2, 1, 2, 3]])
    np.testing.assert_array_equal(found.second, pictures[[1, 2, 3, 0, 1, 2]])
    step = (places[1] - places[0]) / [12.0, 8.0]
    np.testing.assert_allclose(found.moved[0], step)
    np.testing.assert_allclose(found.moved[3], -step)
    np.testing.assert_array_equal(np.isnan(found.moved[:, 1]), [False, True, True, False, True, True])
    shifted = real_moments(pictures, places + 3.0, COMPONENTS)
    np.testing.assert_allclose(shifted.moved, found.moved)


def test_without_two_measured_photographs_it_is_refused() -> None:
    pictures, places = squares(3, 0)
    places[1] = np.nan
    with pytest.raises(ValueError, match="needs two consecutive photographs with measured joints, got 3"):
        real_moments(pictures, places, COMPONENTS)


def test_the_gradient_reaches_every_stage_and_grows_with_strength(make_model, task_of) -> None:
    model = make_model()
    task = task_of(model)
    body = [p for n, p in model.backbone.named_parameters() if n.endswith("weight") and p.ndim == 4]
    full, half, none = (
        torch.autograd.grad(task(model, NOTHING, NOTHING, 2, strength), [*body, *task.parameters()])
        for strength in (1.0, 0.5, 0.0)
    )
    assert all(torch.isfinite(g).all() for g in full)
    for k in range(len(body)):
        assert float(full[k].abs().max()) > 0
        torch.testing.assert_close(half[k], 0.5 * full[k], rtol=1e-3, atol=1e-8)
        assert float(none[k].abs().max()) == 0.0
    for k in range(len(body), len(full)):
        torch.testing.assert_close(none[k], full[k], rtol=1e-3, atol=1e-8)


def test_two_equal_moments_have_a_finite_gradient(make_model) -> None:
    model = make_model()
    predictor = Displacement(model, 2)
    flat = torch.full((2, 3, 56, 80), 90, dtype=torch.uint8)
    maps = model.encode(flat)
    displacement_loss(predictor(maps, maps), torch.zeros(2, 2)).backward()
    assert all(p.grad is None or bool(torch.isfinite(p.grad).all()) for p in model.parameters())


def test_step_and_seed_decide_and_closing_closes_the_simulator(make_model, task_of) -> None:
    model = make_model()
    before = torch.random.get_rng_state()
    losses = [
        float(task_of(model, seed)(model, NOTHING, NOTHING, step, 1.0).detach())
        for seed, step in ((0, 0), (0, 0), (0, 1), (1, 0))
    ]
    assert torch.equal(torch.random.get_rng_state(), before)
    assert losses[0] == losses[1]
    assert len(set(losses)) == 3
    task = task_of(model)
    task.close()
    assert task._simulated.closed


def test_displacements_are_learned(make_model, task_of) -> None:
    """On new pairs the error falls well below that of "nothing moved"."""
    model = make_model()
    task = task_of(model, pairs=6)
    optimizer = torch.optim.AdamW([*model.backbone.parameters(), *task.parameters()], lr=2e-3)
    for step in range(50):
        loss = task(model, NOTHING, NOTHING, step, 1.0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    new = Squares().batch(10_000, 40)
    first, second = (torch.from_numpy(p).permute(0, 3, 1, 2) for p in (new.first, new.second))
    with torch.no_grad():
        found = task.predictor(model.encode(first), model.encode(second)).numpy()
    assert np.abs(found - new.moved).mean() < 0.6 * np.abs(new.moved).mean()
