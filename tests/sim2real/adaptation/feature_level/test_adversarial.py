import math

import pytest
import torch
from torch.nn import functional

from sim2real.adaptation.feature_level.adversarial import (
    Confusion,
    Dann,
    Discriminator,
    confusion_loss,
    domain_loss,
    reverse_gradient,
)
from sim2real.adaptation.seen import Seen

NO_LABELS = torch.zeros(0, 2)


def seen(features: torch.Tensor) -> Seen:
    output = features[:, :2]
    return Seen((features[:, :, None, None],), features, output, output)


def gradients(loss: torch.Tensor, *of: torch.Tensor) -> list[torch.Tensor]:
    return list(torch.autograd.grad(loss, of, retain_graph=True))


def test_a_reversed_gradient_is_scaled_and_turned_round() -> None:
    x = torch.tensor([1.0, -2.0], requires_grad=True)
    out = reverse_gradient(x, 0.25)
    assert torch.equal(out, x)
    (out**2).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [-0.5, 1.0]


def test_the_domain_loss_weighs_domains_evenly() -> None:
    source, target = torch.tensor([2.0, -1.0, 0.5]), torch.tensor([-3.0])
    wanted = 0.5 * functional.binary_cross_entropy_with_logits(source, torch.ones(3))
    wanted += 0.5 * functional.binary_cross_entropy_with_logits(target, torch.zeros(1))
    assert float(domain_loss(source, target)) == pytest.approx(float(wanted))
    assert float(domain_loss(torch.zeros(3), torch.zeros(2))) == pytest.approx(math.log(2))
    assert torch.isfinite(domain_loss(torch.full((2,), -1e4), torch.full((2,), 1e4)))


def test_confusion_is_least_where_the_discriminator_is_undecided() -> None:
    logits = torch.linspace(-4, 4, 81, dtype=torch.float64)
    each = torch.stack([confusion_loss(z[None], -z[None]) for z in logits])
    assert int(each.argmin()) == 40
    assert float(each[40]) == pytest.approx(math.log(2))
    even = functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, 0.5))
    assert float(confusion_loss(logits, logits)) == pytest.approx(float(even), rel=1e-6)


def test_dann_trains_the_discriminator_fully_and_the_features_in_reverse(draw) -> None:
    source, target = (x.float().requires_grad_() for x in draw(6, 8, 4))
    dann = Dann(4, seed=3)
    weight = dann.discriminator.layers[0].weight
    plain = domain_loss(dann.discriminator(source), dann.discriminator(target))
    of_source, of_weight = gradients(plain, source, weight)
    for strength in (0.0, 0.3, 1.0):
        loss = dann(seen(source), seen(target), NO_LABELS, strength)
        assert torch.equal(loss, plain)
        reversed_source, full_weight = gradients(loss, source, weight)
        assert torch.allclose(reversed_source, -strength * of_source)
        assert torch.allclose(full_weight, of_weight)


def test_confusion_keeps_the_two_losses_apart(draw) -> None:
    source, target = (x.float().requires_grad_() for x in draw(6, 8, 4))
    method = Confusion(4, seed=3)
    weight = method.discriminator.layers[0].weight
    logits = method.discriminator(source), method.discriminator(target)
    (of_weight,) = gradients(domain_loss(*logits), weight)
    (of_source,) = gradients(confusion_loss(*logits), source)
    loss = method(seen(source), seen(target), NO_LABELS, 0.3)
    found_source, found_weight = gradients(loss, source, weight)
    assert torch.allclose(found_source, 0.3 * of_source)
    assert torch.allclose(found_weight, of_weight)
    assert loss.item() == pytest.approx((domain_loss(*logits) + 0.3 * confusion_loss(*logits)).item())


def test_a_discriminator_depends_on_its_seed_alone() -> None:
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    first, again, other = (Discriminator(5, seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(first[k], again[k]) for k in first)
    assert not torch.equal(first["layers.0.weight"], other["layers.0.weight"])
    bound = 5**-0.5
    assert 0.9 * bound < float(first["layers.0.weight"].abs().max()) <= bound


def test_a_discriminator_learns_to_tell_domains_apart(draw) -> None:
    source, target = (x.float() for x in draw(64, 64, 4))
    dann = Dann(4, seed=0)
    optimizer = torch.optim.Adam(dann.parameters(), 1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        loss = dann(seen(source), seen(target + 2.0), NO_LABELS, 0.0)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1
