from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from policies.perception import PerceptionModel
from sim2real.adaptation.fine_tuning.phases import Group, Phase, apply, batch_norms, make_optimizer, release, select

Make = Callable[..., PerceptionModel]


def phase(*groups: Group) -> Phase:
    return Phase("test", 4, 1e-2, groups)


def test_what_is_not_named_neither_learns_nor_is_optimized(make_model: Make) -> None:
    model = make_model()
    selection = select(model, phase(Group(("head",)), Group(("stage4",), 0.5)))
    apply(model, selection)
    learns = {n for n, p in model.named_parameters() if p.requires_grad}
    assert learns == {n for n, _ in model.named_parameters() if n.startswith(("head.", "backbone.net.layer4."))}
    optimizer = make_optimizer(model, selection, 1e-2)
    held = {id(p) for g in optimizer.param_groups for p in g["params"]}
    assert held == {id(p) for n, p in model.named_parameters() if n in learns}
    factors = {id(p): g["rate_factor"] for g in optimizer.param_groups for p in g["params"]}
    assert {factors[id(p)] for p in model.head.parameters()} == {1.0}
    assert {factors[id(p)] for p in model.backbone.net.layer4.parameters()} == {0.5}


def test_modes_are_set_again_after_train(make_model: Make) -> None:
    model = make_model()
    selection = select(model, phase(Group(("head",), 1.0, "learning")))
    for _ in range(2):
        model.train()
        apply(model, selection)
        assert not any(m.training for m in model.backbone.modules())
        norms = [m for m in model.head.modules() if isinstance(m, nn.BatchNorm2d)]
        assert norms
        assert all(m.training for m in norms)


def test_statistics_are_frozen_unless_a_group_says_otherwise(make_model: Make) -> None:
    model = make_model()
    apply(model, select(model, phase(Group(("head",)), Group(("backbone",)))))
    assert not any(model.get_submodule(path).training for path in batch_norms(model))
    assert model.backbone.net.layer1.training
    apply(model, select(model, phase(Group(("stage1",), 1.0, "learning"), Group(("head",)))))
    awake = {path for path in batch_norms(model) if model.get_submodule(path).training}
    assert awake == {path for path in batch_norms(model) if ".layer1." in path}


def test_a_parameter_belongs_to_the_first_group_that_names_it(make_model: Make) -> None:
    selection = select(make_model(), phase(Group(("stage1",), 0.1), Group(("backbone",), 0.5)))
    assert selection.factors["backbone.net.layer1.0.conv1.weight"] == 0.1
    assert selection.factors["backbone.net.conv1.0.weight"] == 0.5


@pytest.mark.parametrize(
    ("part", "first"),
    [("first_block", ("conv1", "bn1", "layer1")), ("last_block", ("layer4",)), ("stage2", ("layer2",))],
)
def test_parts_of_the_backbone(make_model: Make, part: str, first: tuple[str, ...]) -> None:
    model = make_model()
    found = {n.split(".")[2] for n in select(model, phase(Group((part,)))).factors}
    assert found == set(first)


def test_an_unknown_part_is_named_with_what_there_is(make_model: Make) -> None:
    with pytest.raises(ValueError, match=r"part must be one of head, .*stage4.*, batch_norm, lora, got 'stage9'"):
        select(make_model(), phase(Group(("stage9",))))
    with pytest.raises(ValueError, match="no parameters in part 'lora'"):
        select(make_model(), phase(Group(("lora",))))


def test_a_frozen_weight_is_out_of_reach_of_weight_decay(make_model: Make, make_batch: Any) -> None:
    model = make_model()
    before = {n: p.detach().clone() for n, p in model.backbone.named_parameters()}
    selection = select(model, phase(Group(("head",))))
    apply(model, selection)
    optimizer = make_optimizer(model, selection, 0.1)
    model.loss(*make_batch()).backward()
    optimizer.step()
    assert all(torch.equal(p, before[n]) for n, p in model.backbone.named_parameters())
    # What would have happened with everything in the optimizer: zero gradients still shrink weights.
    everything = torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.1)
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    everything.step()
    assert not all(torch.equal(p, before[n]) for n, p in model.backbone.named_parameters())


def test_decay_is_off_where_a_penalty_holds(make_model: Make) -> None:
    model = make_model()
    selection = select(model, phase(Group(("head",))))
    optimizer = make_optimizer(model, selection, 0.1, {"head.out.weight"})
    decay = {id(p): g["weight_decay"] for g in optimizer.param_groups for p in g["params"]}
    assert decay[id(model.head.out.weight)] == 0.0
    assert decay[id(model.head.out.bias)] == 1e-3


def test_gradients_of_an_earlier_phase_do_not_stay(make_model: Make, make_batch: Any) -> None:
    model = make_model()
    model.loss(*make_batch()).backward()
    apply(model, select(model, phase(Group(("head",)))))
    assert all(p.grad is None for p in model.backbone.parameters())
    release(model)
    assert all(p.requires_grad and p.grad is None for p in model.parameters())
    assert not any(m.training for m in model.modules())
