"""Collapse: effective rank and spread by hand, and a watch that fires and restores."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from sim2real.adaptation.self_training.collapse import Watch, feature_rank, spread_ratio


def test_the_rank_of_equally_strong_directions_is_their_number() -> None:
    axes = torch.cat([torch.eye(4), -torch.eye(4)])
    assert feature_rank(axes) == pytest.approx(4.0)
    assert feature_rank(axes[:, :2].repeat(1, 3)[[0, 1, 4, 5]]) == pytest.approx(2.0)


def test_the_rank_is_the_exponent_of_the_entropy_of_singular_values() -> None:
    axes = torch.tensor([[3.0, 0.0], [-3.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    share = np.array([0.75, 0.25])
    assert feature_rank(axes) == pytest.approx(math.exp(-(share * np.log(share)).sum()))
    assert feature_rank(axes + torch.tensor([100.0, -40.0])) == pytest.approx(feature_rank(axes))
    assert feature_rank(0.01 * axes) == pytest.approx(feature_rank(axes))


def test_features_on_a_line_have_rank_one_and_equal_ones_none() -> None:
    line = torch.linspace(0, 1, 9)[:, None] * torch.tensor([1.0, 2.0, -1.0])
    assert feature_rank(line) == pytest.approx(1.0, abs=1e-5)
    assert feature_rank(torch.full((6, 3), 0.7)) == 0.0
    assert feature_rank(torch.zeros(6, 3)) == 0.0


def test_the_spread_ratio_is_that_of_root_mean_squares() -> None:
    before = torch.tensor([[0.0, 0.0], [2.0, 4.0]])
    assert spread_ratio(before, 0.25 * before + 7.0) == pytest.approx(0.25)
    assert spread_ratio(before, torch.ones(2, 2)) == 0.0
    assert spread_ratio(torch.ones(2, 2), before) == math.inf


@pytest.fixture
def net() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(3, 2)


def test_a_watch_fires_with_one_line_and_restores_the_last_good_state(net: nn.Linear) -> None:
    x = torch.randn(20, 3, generator=torch.Generator().manual_seed(1))
    watch = Watch(net, net(x), x)
    with torch.no_grad():
        net.weight.add_(0.1)
    good = net.weight.clone()
    assert watch.check(1.0, net(x), x) is None
    with torch.no_grad():
        net.weight.mul_(0.01)
    assert watch.check(1.0, net(x), x) == "predictions collapsed: they vary 0.01 times as much as at the start"
    watch.restore()
    assert torch.equal(net.weight, good)
    assert watch.check(float("nan"), net(x), x) == "the loss is nan"
    assert watch.check(1.0, net(x), torch.full_like(x, torch.inf)) == "predictions or features are not finite"
    line = x[:, :1].repeat(1, 3) + 1e-6 * x
    narrow = Watch(net, net(x), x, smallest_rank=0.5).check(1.0, net(x), line)
    assert narrow == "features collapsed: their effective rank fell from 3.0 to 1.0"
    with torch.no_grad():
        net.bias[0] = torch.nan
    assert watch.check(1.0, torch.randn(20, 2), x) == "weights are not finite"
    watch.restore()
    assert net.bias.isfinite().all()


def test_a_fired_watch_does_not_keep_the_bad_state(net: nn.Linear) -> None:
    x = torch.randn(20, 3, generator=torch.Generator().manual_seed(1))
    watch, start = Watch(net, net(x), x), net.weight.clone()
    with torch.no_grad():
        net.weight.mul_(0.0)
    for _ in range(2):
        assert watch.check(1.0, net(x), x) is not None
    watch.restore()
    assert torch.equal(net.weight, start)
