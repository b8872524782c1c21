from collections.abc import Callable

import pytest
import torch

from sim2real.adaptation.fine_tuning.sharing.auxiliary import AuxiliaryHeads
from sim2real.adaptation.fine_tuning.sharing.model import TaskBatch
from sim2real.adaptation.fine_tuning.strategies import FinetuneSettings, build_strategy
from sim2real.adaptation.fine_tuning.training import run_strategy

CPU = torch.device("cpu")
HEADS = ("mask", "depth")
SETTINGS = FinetuneSettings(probe_steps=2, steps=3)


@pytest.fixture
def frames(make_batch) -> TaskBatch:
    pictures, pixels, weight, _ = make_batch(12)
    mask = (pictures[:, 0] > 200).long()
    return TaskBatch(pictures, pixels, weight, mask, torch.where(mask > 0, 0.8, 1.5), torch.full((12, 4, 4), torch.nan))


@pytest.fixture
def heads_of(frames) -> Callable[..., AuxiliaryHeads]:
    def make(model, weight: float = 0.3, seed: int = 0) -> AuxiliaryHeads:
        return AuxiliaryHeads(model, 1, HEADS, frames, weight, seed)

    return make


def test_the_loss_is_the_weighted_sum_and_the_step_and_seed_decide(make_model, heads_of) -> None:
    model = make_model()
    before = torch.random.get_rng_state()
    heads = heads_of(model, 0.5)
    loss = float(heads.loss(0).detach())
    assert loss == pytest.approx(0.5 * sum(first for first, _ in heads.first_and_last().values()))
    assert set(heads.first_and_last()) == set(HEADS)
    others = [float(heads_of(model, 0.5, seed).loss(step).detach()) for seed, step in ((0, 0), (0, 1), (1, 0))]
    assert torch.equal(torch.random.get_rng_state(), before)
    assert others[0] == loss
    assert len(set(others)) == 3


def test_the_gradient_reaches_the_backbone_and_not_the_models_own_head(make_model, heads_of) -> None:
    model = make_model()
    heads_of(model).loss(0).backward()
    for name, parameter in model.named_parameters():
        if name.startswith("head."):
            assert parameter.grad is None
        elif name.endswith("weight") and parameter.ndim == 4:
            assert bool(torch.isfinite(parameter.grad).all())
            assert float(parameter.grad.abs().max()) > 0, name


def test_a_strategy_teaches_heads_beside_the_model_which_keeps_its_names(make_model, make_batch, heads_of) -> None:
    tuned = []
    for weight in (None, 0.3):
        model = make_model()
        names = list(model.state_dict())
        heads = None if weight is None else heads_of(model, weight)
        start = [] if heads is None else [p.clone() for p in heads.parameters()]
        strategy = build_strategy("lp-ft", model, SETTINGS)
        assert run_strategy(model, strategy, lambda step: make_batch(4, step), CPU, auxiliary=heads) == 5
        assert list(model.state_dict()) == names
        tuned.append(model.state_dict())
        if heads is not None:
            assert any(not torch.equal(a, b) for a, b in zip(heads.parameters(), start, strict=True))
    plain, shared = tuned
    assert all(bool(torch.isfinite(v.float()).all()) for v in shared.values())
    assert any(not torch.equal(plain[n], shared[n]) for n in plain if n.startswith("backbone"))
    assert all(torch.equal(plain[n], shared[n]) for n in plain if "running_" in n)


def test_while_the_head_learns_alone_auxiliary_heads_leave_the_model_alone(make_model, make_batch, heads_of) -> None:
    tuned = []
    for with_heads in (False, True):
        model = make_model()
        strategy = build_strategy("head", model, SETTINGS)
        heads = heads_of(model) if with_heads else None
        run_strategy(model, strategy, lambda step: make_batch(4, step), CPU, auxiliary=heads)
        tuned.append(model.state_dict())
    assert all(torch.equal(tuned[0][n], tuned[1][n]) for n in tuned[0] if n.startswith("backbone"))
    for name in tuned[0]:
        torch.testing.assert_close(tuned[0][name], tuned[1][name], rtol=1e-5, atol=1e-6)
