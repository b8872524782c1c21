import math

import numpy as np
import pytest
import torch

from sim2real.adaptation.feature_level.adversarial import domain_loss
from sim2real.adaptation.feature_level.conditional import (
    ConditionalDann,
    fourier_encode,
    multilinear,
    randomized_multilinear,
)
from sim2real.adaptation.seen import Seen


def seen(features: torch.Tensor, output: torch.Tensor) -> Seen:
    return Seen((features[:, :, None, None],), features, output, output)


def test_inner_products_of_encoded_outputs_approach_the_gaussian_kernel() -> None:
    generator = torch.Generator().manual_seed(0)
    outputs = torch.rand(6, 3, generator=generator) * 2 - 1
    frequencies = torch.randn(3, 20_000, generator=generator) / 0.7
    phases = 2 * math.pi * torch.rand(20_000, generator=generator)
    encoded = fourier_encode(outputs, frequencies, phases)
    kernel = torch.exp(-(torch.cdist(outputs, outputs) ** 2) / (2 * 0.7**2))
    assert torch.allclose(encoded @ encoded.T, kernel, atol=0.03)


def test_the_multilinear_map_is_the_outer_product(draw) -> None:
    features, encoded = draw(4, 4, 3)
    found = multilinear(features, encoded[:, :2])
    for row in range(4):
        np.testing.assert_array_equal(found[row], np.outer(features[row], encoded[row, :2]).ravel())


def test_the_randomized_map_keeps_inner_products_in_the_mean(draw) -> None:
    features, encoded = draw(4, 4, 5)
    generator = torch.Generator().manual_seed(0)
    projections = [torch.randn(5, 50_000, dtype=torch.float64, generator=generator) for _ in range(2)]
    narrow, full = randomized_multilinear(features, encoded, *projections), multilinear(features, encoded)
    wanted = full @ full.T
    assert torch.allclose(narrow @ narrow.T, wanted, atol=0.05 * float(wanted.abs().max()))


@pytest.mark.parametrize(("size", "projects"), [(8, False), (300, True)])
def test_features_are_pulled_in_reverse_and_outputs_not_at_all(draw, size, projects) -> None:
    source, target = (x.float().requires_grad_() for x in draw(6, 8, size))
    ys, yt = (x.float().requires_grad_() for x in draw(6, 8, 2, seed=1))
    method = ConditionalDann(size, 2, seed=0)
    assert method.projects is projects
    (forward,) = torch.autograd.grad(method(seen(source, ys), seen(target, yt), ys, 1.0), source)
    (weaker,) = torch.autograd.grad(method(seen(source, ys), seen(target, yt), ys, 0.5), source)
    assert torch.allclose(weaker, 0.5 * forward)
    loss = method(seen(source, ys), seen(target, yt), ys, 1.0)
    assert torch.autograd.grad(loss, (ys, yt), allow_unused=True) == (None, None)
    # The reversed gradient makes the discriminator's loss larger.
    step = seen((source - 0.1 / forward.abs().max() * forward).detach(), ys)
    assert method(step, seen(target, yt), ys, 1.0).item() > loss.item()


def test_it_tells_apart_what_only_the_joint_distribution_shows() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(128, 1, generator=generator)
    source, target = seen(torch.cat([x, torch.ones_like(x)], 1), x), seen(torch.cat([x, torch.ones_like(x)], 1), -x)
    method = ConditionalDann(2, 1, seed=0)
    optimizer = torch.optim.Adam(method.parameters(), 5e-3)
    for _ in range(80):
        optimizer.zero_grad()
        loss = method(source, target, x, 0.0)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.4
    assert float(domain_loss(torch.zeros(1), torch.zeros(1))) == pytest.approx(math.log(2))


def test_everything_drawn_depends_on_the_seed_alone() -> None:
    states = [ConditionalDann(300, 2, seed).state_dict() for seed in (1, 1, 2)]
    assert all(torch.equal(states[0][k], states[1][k]) for k in states[0])
    assert not torch.equal(states[0]["frequencies"], states[2]["frequencies"])
    assert {"frequencies", "phases", "of_features", "of_encoded"} <= set(states[0])
