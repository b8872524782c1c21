from typing import Any

import numpy as np
import pytest
import torch

from sim2real.adaptation.fine_tuning.phases import Group, Phase
from sim2real.adaptation.fine_tuning.rate_finder import find_rate, smooth, suggest

CPU = torch.device("cpu")
PHASE = Phase("all", 1, 1.0, (Group(("head", "backbone"), 1.0, "learning"),))


def test_the_model_is_as_before_to_the_bit(make_model: Any, make_batch: Any, state_of: Any) -> None:
    model = make_model()
    model.train()
    model.head.eval()
    model.backbone.net.conv1.requires_grad_(False)
    before = state_of(model)
    modes = [m.training for m in model.modules()]
    asked = [p.requires_grad for p in model.parameters()]
    torch.manual_seed(3)
    random_state = torch.random.get_rng_state()
    curve = find_rate(model, PHASE, lambda step: make_batch(4, step), CPU, steps=15)
    assert len(curve.rates) > 3
    assert all(torch.equal(value, before[n]) for n, value in model.state_dict().items())
    assert [m.training for m in model.modules()] == modes
    assert [p.requires_grad for p in model.parameters()] == asked
    assert all(p.grad is None for p in model.parameters())
    assert torch.equal(torch.random.get_rng_state(), random_state)


def test_the_curve_falls_and_then_explodes(make_model: Any, make_batch: Any) -> None:
    batch = make_batch(8)
    curve = find_rate(make_model(), PHASE, lambda step: batch, CPU, low=1e-5, high=1e3, steps=50)
    assert len(curve.rates) < 50, "the test must end when the loss explodes"
    np.testing.assert_allclose(np.diff(np.log(curve.rates)), np.log(1e8) / 49)
    assert curve.suggested is not None
    assert curve.rates[0] < curve.suggested < curve.rates[int(np.argmin(curve.smoothed))]
    assert min(curve.smoothed) < curve.smoothed[0]


def test_the_suggestion_is_where_a_known_curve_is_steepest() -> None:
    rates = np.geomspace(1e-6, 1e-1, 51)
    place = np.log10(rates)
    falling = 1.0 / (1.0 + np.exp(4 * (place + 3.5)))
    exploding = np.where(place > -2, 10 ** (place + 2) - 1, 0.0)
    found = suggest(rates.tolist(), (falling + exploding).tolist())
    assert found is not None
    assert np.log10(found) == pytest.approx(-3.5, abs=0.11)


def test_a_loss_that_only_rises_gives_no_suggestion() -> None:
    assert suggest([1e-3, 1e-2, 1e-1], [1.0, 2.0, 3.0]) is None
    assert suggest([1e-3], [1.0]) is None


def test_smoothing_does_not_bend_a_constant() -> None:
    assert smooth([2.5] * 6) == pytest.approx([2.5] * 6)
    assert smooth([1.0, 2.0]) == pytest.approx([1.0, (0.09 * 1.0 + 0.1 * 2.0) / 0.19])


def test_rates_must_rise(make_model: Any, make_batch: Any) -> None:
    with pytest.raises(ValueError, match="rates must rise from above 0"):
        find_rate(make_model(), PHASE, lambda step: make_batch(), CPU, low=1.0, high=0.1)
