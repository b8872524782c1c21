"""What holds for every method: finite gradients in degenerate batches, invariances, seeds, less error on a target."""

import math

import pytest
import torch
from torch import nn

from policies.perception import ModelSpec, PerceptionModel
from sim2real.adaptation.feature_level.coral import coral_loss
from sim2real.adaptation.feature_level.methods import ALIGNMENTS, output_size
from sim2real.adaptation.seen import Seen, label_vector

ALL = sorted(ALIGNMENTS)
NULL = {"dann": math.log(2), "confusion": 2 * math.log(2), "cdan": math.log(2)}


def pictures(count: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 255, (count, 3, 64, 64), dtype=torch.uint8, generator=generator)


def labels(model: PerceptionModel, count: int) -> torch.Tensor:
    pixels = torch.rand(count, 2, 2, generator=torch.Generator().manual_seed(9)) * 64
    weight = torch.ones(count, 2)
    weight[0, 1] = 0.0
    return label_vector(model, pixels, weight, torch.zeros(count, 3))


CASES = {
    "different": (pictures(6, 1), pictures(5, 2)),
    "equal": (pictures(6, 1), pictures(6, 1)),
    "constant": (torch.full((6, 3, 64, 64), 90, dtype=torch.uint8), torch.full((6, 3, 64, 64), 90, dtype=torch.uint8)),
    "constant and different": (torch.full((6, 3, 64, 64), 90, dtype=torch.uint8), pictures(6, 2)),
    "two pictures": (pictures(2, 1), pictures(2, 2)),
    "one picture twice": (pictures(1, 1).repeat(4, 1, 1, 1), pictures(4, 2)),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", ALL)
def test_losses_and_gradients_are_finite(keypoint_model, look, name, case) -> None:
    source, target = CASES[case]
    method = ALIGNMENTS[name].build(keypoint_model, 512, 0).train()
    seen = look(source), look(target)
    loss = method(*seen, labels(keypoint_model, len(source)), 1.0)
    assert loss.shape == ()
    assert loss.dtype == torch.float32
    assert bool(torch.isfinite(loss))
    learned = [*seen[0].maps, *seen[1].maps, *keypoint_model.head.parameters(), *method.parameters()]
    gradients = torch.autograd.grad(loss, learned, allow_unused=True)
    assert any(g is not None for g in gradients)
    assert all(g is None or bool(torch.isfinite(g).all()) for g in gradients)


@pytest.mark.parametrize("name", sorted(set(ALL) - {"jdot"}))
@torch.no_grad()
def test_equal_domains_give_the_null(keypoint_model, look, name) -> None:
    method = ALIGNMENTS[name].build(keypoint_model, 512, 0)
    seen = look(pictures(6, 1))
    found = float(method(seen, seen, labels(keypoint_model, 6), 1.0))
    # A discriminator with random weights is near log 2, not at it.
    assert found == pytest.approx(NULL.get(name, 0.0), abs=0.02 if name in NULL else 1e-5)


@pytest.mark.parametrize("name", ALL)
@torch.no_grad()
def test_the_order_of_pictures_does_not_count(keypoint_model, look, name) -> None:
    method = ALIGNMENTS[name].build(keypoint_model, 512, 0)
    known = labels(keypoint_model, 6)
    one = method(look(pictures(6, 1)), look(pictures(5, 2)), known, 1.0)
    other = method(look(pictures(6, 1).flip(0)), look(pictures(5, 2).flip(0)), known.flip(0), 1.0)
    assert float(other) == pytest.approx(float(one), rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("name", sorted(set(ALL) - {"jdot"}))
def test_unknown_labels_change_nothing_where_labels_are_not_used(keypoint_model, look, name) -> None:
    method = ALIGNMENTS[name].build(keypoint_model, 512, 0)
    seen = look(pictures(6, 1)), look(pictures(5, 2))
    poisoned = torch.full((6, 4), torch.nan)
    assert torch.equal(method(*seen, poisoned, 1.0), method(*seen, labels(keypoint_model, 6), 1.0))


@pytest.mark.parametrize("name", ALL)
def test_strength_0_leaves_the_model_alone(keypoint_model, look, name) -> None:
    method = ALIGNMENTS[name].build(keypoint_model, 512, 0)
    seen = look(pictures(6, 1)), look(pictures(5, 2))
    loss = method(*seen, labels(keypoint_model, 6), 0.0)
    learned = [*seen[0].maps, *seen[1].maps, *keypoint_model.head.parameters()]
    gradients = torch.autograd.grad(loss, learned, allow_unused=True)
    assert all(g is None or float(g.abs().max()) == 0.0 for g in gradients)


@pytest.mark.parametrize("name", ALL)
def test_a_seed_builds_the_same_method_and_leaves_the_global_generator(keypoint_model, name) -> None:
    before = torch.random.get_rng_state()
    first, again = (ALIGNMENTS[name].build(keypoint_model, 512, 5).state_dict() for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert first.keys() == again.keys()
    assert all(torch.equal(first[k], again[k]) for k in first)


@pytest.mark.gpu
@pytest.mark.parametrize("name", ALL)
def test_a_gpu_finds_the_same(keypoint_model, look, name) -> None:
    seen = look(pictures(6, 1)), look(pictures(5, 2))
    known = labels(keypoint_model, 6)
    method = ALIGNMENTS[name].build(keypoint_model, 512, 0)
    wanted = method(*seen, known, 1.0).item()
    there = [Seen(tuple(m.cuda() for m in s.maps), s.features.cuda(), s.output.cuda(), s.output.cuda()) for s in seen]
    loss = method.cuda()(*there, known.cuda(), 1.0)
    loss.backward()
    assert loss.item() == pytest.approx(wanted, rel=1e-3, abs=1e-5)


def test_every_method_is_described() -> None:
    assert list(ALIGNMENTS) == ["coral", "mmd", "jmmd", "dann", "confusion", "cdan", "dd", "rsd", "daregram", "jdot"]
    assert len({m.description for m in ALIGNMENTS.values()}) == len(ALIGNMENTS)
    assert all(m.weight > 0 and "\n" not in m.description for m in ALIGNMENTS.values())


def test_the_size_of_the_output_is_that_of_what_is_seen(keypoint_model, look) -> None:
    assert output_size(keypoint_model) == look(pictures(1)).output.shape[1] == 4


class Toy(nn.Module):
    """Two layers and a linear head on vectors, in the form of a perception model with the regression head."""

    class Head(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(24, 3)

        def forward(self, maps: list[torch.Tensor]) -> torch.Tensor:
            return self.layer(maps[-1][:, :, 0, 0])

    def __init__(self) -> None:
        super().__init__()
        self.spec = ModelSpec("toy", "regression", 1, (1, 1))
        self.body = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 24))
        self.head = Toy.Head()

    def see(self, x: torch.Tensor) -> Seen:
        features = self.body(x)
        maps = (features[:, :, None, None],)
        out = self.head(list(maps))
        return Seen(maps, features, out, out)


def toy_data(count: int, shifted: bool, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return inputs of which three carry the label, and three a nuisance that the target has elsewhere."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.rand(count, 3, generator=generator) * 2 - 1
    nuisance = 0.3 * y + 0.2 * torch.randn(count, 3, generator=generator)
    if shifted:
        nuisance = 1.2 - 0.3 * y + 0.6 * torch.randn(count, 3, generator=generator)
    return torch.cat([y + 0.3 * torch.randn(count, 3, generator=generator), nuisance], dim=1), y


def train_toy(name: str | None, weight: float, steps: int = 120) -> tuple[Toy, float]:
    """Return the net trained on the source, with a method or none, and its mean absolute error on the target."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Toy()
    method = ALIGNMENTS[name].build(model, 24, 0) if name else None
    parameters = [*model.parameters(), *(method.parameters() if method else [])]
    optimizer = torch.optim.Adam(parameters, 3e-3)
    for step in range(steps):
        (xs, ys), (xt, _) = toy_data(20, False, 1000 + step), toy_data(20, True, 5000 + step)
        source, target = model.see(xs), model.see(xt)
        loss = (source.output - ys).abs().mean()
        if method is not None:
            loss = loss + weight * method(source, target, ys, min(1.0, step / 100))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    x, y = toy_data(500, True, 1)
    with torch.no_grad():
        return model, float((model.see(x).output - y).abs().mean())


@pytest.fixture(scope="module")
def without() -> tuple[Toy, float]:
    return train_toy(None, 0.0)


# Weights for this task, whose loss and features have another scale than those of pictures.
TOY_WEIGHTS = {name: 0.3 for name in ALL if name != "coral"} | {"dd": 0.01, "rsd": 0.1}


# A discriminator's steps take many times those of the others.
SLOW = ("dann", "cdan", "confusion")


@pytest.mark.parametrize(
    ("name", "weight"),
    [pytest.param(n, w, marks=pytest.mark.slow if n in SLOW else ()) for n, w in TOY_WEIGHTS.items()],
)
def test_training_with_a_method_lowers_the_error_on_a_shifted_target(without, name, weight) -> None:
    assert train_toy(name, weight)[1] < 0.8 * without[1]


def test_training_with_coral_brings_covariances_together(without) -> None:
    (xs, _), (xt, _) = toy_data(500, False, 2), toy_data(500, True, 3)
    found = []
    for model in (without[0], train_toy("coral", 1000.0)[0]):
        with torch.no_grad():
            source, target = model.see(xs).features, model.see(xt).features
        # Over the source's own size, since a net could also make all features small.
        found.append(float(coral_loss(source, target) / coral_loss(source, torch.zeros_like(target))))
    assert found[1] < 0.5 * found[0]
