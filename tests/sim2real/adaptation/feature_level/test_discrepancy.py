import copy
from types import SimpleNamespace

import pytest
import torch

from policies.heads import RegressionHead
from policies.perception import PerceptionModel
from sim2real.adaptation.feature_level.discrepancy import Discrepancy, disparity, disparity_discrepancy
from sim2real.adaptation.seen import Seen, see


@pytest.fixture
def model(keypoint_model) -> PerceptionModel:
    return copy.deepcopy(keypoint_model).eval()


def pictures(seed: int, count: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 255, (count, 3, 64, 64), dtype=torch.uint8, generator=generator)


def both(model: PerceptionModel) -> tuple[Seen, Seen]:
    return see(model, pictures(1)), see(model, pictures(2))


def test_disparity_is_the_mean_absolute_difference_of_what_counts() -> None:
    first = torch.tensor([[1.0, 2.0], [5.0, 4.0]])
    second = torch.tensor([[0.0, 4.0], [0.0, torch.nan]])
    assert float(disparity(first, second)) == pytest.approx((1 + 2 + 5) / 3)
    assert float(disparity(first, torch.full((2, 2), torch.nan))) == 0.0


def test_the_discrepancy_is_target_minus_margin_times_source() -> None:
    zero, one = torch.zeros(4, 2), torch.ones(3, 2)
    assert float(disparity_discrepancy(zero + 0.5, zero, one * 3, one, margin=4.0)) == pytest.approx(2 - 4 * 0.5)


def test_the_adversary_starts_near_the_head_and_shares_nothing_with_it(model) -> None:
    method = Discrepancy(model, 0)
    source, _ = both(model)
    apart = disparity(method._second(source, 0.0), source.output).item()
    assert 0 < apart < 0.05
    assert torch.equal(Discrepancy(model, 0).head.out.weight, method.head.out.weight)
    assert not torch.equal(Discrepancy(model, 1).head.out.weight, method.head.out.weight)
    own = {id(p) for p in method.parameters()}
    assert len(own) == len(list(model.head.parameters()))
    assert not own & {id(p) for p in model.parameters()}


def test_the_model_is_pulled_by_its_maps_alone_and_never_by_its_outputs(model) -> None:
    method = Discrepancy(model, 0)
    loss = method(*both(model), torch.zeros(3, 4), 1.0)
    gradients = torch.autograd.grad(loss, list(model.head.parameters()), allow_unused=True)
    assert all(g is None for g in gradients)
    assert torch.autograd.grad(loss, model.backbone.net.conv1[0].weight, retain_graph=True)[0].abs().max() > 0


def small(seed: int = 0) -> tuple[SimpleNamespace, Seen, Seen]:
    """Return a model that is only a regression head, and two domains that differ in half of the channels."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = SimpleNamespace(head=RegressionHead((8,), 3))
        maps = torch.randn(32, 8, 2, 2), torch.randn(32, 8, 2, 2)
    maps[1][:, :4] += 2.0
    seen = []
    for m in maps:
        leaf = m.requires_grad_()
        out = model.head([leaf])
        seen.append(Seen((leaf,), leaf.mean(dim=(2, 3)), out, out))
    return model, seen[0], seen[1]


@pytest.mark.parametrize("variant", ["disparity", "classifier"])
def test_the_adversary_learns_to_disagree_on_the_target_alone(variant) -> None:
    model, source, target = small()
    method = Discrepancy(model, 0, variant)
    labels = source.output.detach()
    optimizer = torch.optim.Adam(method.parameters(), 1e-2)
    for _ in range(80):
        optimizer.zero_grad()
        method(source, target, labels, 1.0).backward(inputs=list(method.parameters()))
        optimizer.step()
    with torch.no_grad():
        on_source = float(disparity(method._second(source, 0.0), source.output))
        on_target = float(disparity(method._second(target, 0.0), target.output))
    assert on_target > 1.0
    assert on_target > 5 * on_source


def test_features_are_pulled_against_the_adversary() -> None:
    model, source, target = small()
    method = Discrepancy(model, 0)
    maps = target.maps[0]
    full, half, none = (
        torch.autograd.grad(method(source, target, source.output, s), maps, retain_graph=True)[0]
        for s in (1.0, 0.5, 0.0)
    )
    assert torch.allclose(half, 0.5 * full)
    assert float(none.abs().max()) == 0.0
    moved = Seen((maps - 0.05 / full.abs().max() * full,), target.features, target.output, target.out)
    # Gradient descent on the features makes the discrepancy smaller, so the adversary's loss larger.
    assert method(source, moved, source.output, 1.0).item() > method(source, target, source.output, 1.0).item()


def test_the_classifier_variant_learns_labels_and_leaves_source_features_alone(model) -> None:
    method = Discrepancy(model, 0, "classifier")
    source, target = both(model)
    labels = torch.full((3, 4), 0.5)
    labels[0] = torch.nan
    loss = method(source, target, labels, 1.0)
    of_labels = disparity(method._second(source, 0.0)[1:], labels[1:])
    wanted = of_labels - disparity(method._second(target, 0.0), target.output)
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-5)
    assert float(torch.autograd.grad(loss, source.maps[0])[0].abs().max()) == 0.0


def test_a_frozen_head_has_an_adversary_that_learns_but_keeps_its_statistics(model) -> None:
    for parameter in model.head.parameters():
        parameter.requires_grad_(False)
    method = Discrepancy(model, 0).train()
    before = {k: v.clone() for k, v in method.head.state_dict().items() if "running" in k or "batches" in k}
    assert before
    method(*both(model), torch.zeros(3, 4), 1.0).backward()
    assert all(p.grad is not None for p in method.parameters())
    assert all(torch.equal(method.head.state_dict()[k], v) for k, v in before.items())
