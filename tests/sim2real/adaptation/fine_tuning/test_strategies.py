"""Every strategy of the registry: what it changes, what it must not, and that it learns."""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from calibration.errors import InputError
from policies.perception import PerceptionModel, freeze_normalization
from sim2real import pretrain
from sim2real.adaptation.fine_tuning import training
from sim2real.adaptation.fine_tuning.phases import is_low_rank, select
from sim2real.adaptation.fine_tuning.strategies import (
    STRATEGIES,
    FinetuneSettings,
    build_strategy,
    text_of,
    with_rate,
)
from sim2real.adaptation.fine_tuning.training import prepare, run_strategy
from sim2real.pretrain import schedule, step_as_is

Make = Callable[..., PerceptionModel]
CPU = torch.device("cpu")
SHORT = FinetuneSettings(probe_steps=2, steps=5)
HEAD_PARTS = ("head.lateral", "head.mix", "head.out")


def stage_names(model: PerceptionModel, settings: FinetuneSettings, name: str) -> list[set[str]]:
    """Stages in which anything learns, phase by phase."""
    strategy = build_strategy(name, model, settings)
    prepare(model, strategy, 0)
    selections = [select(model, p) for p in strategy.phases]
    return [{s.name for s in sel.stages if sel.trainable(s)} for sel in selections]


@pytest.mark.parametrize("backbone", ["test_resnet", "regnetx_002"])
@pytest.mark.parametrize("name", STRATEGIES)
def test_frozen_is_frozen(name: str, backbone: str, make_model: Make, make_batch: Any, state_of: Any) -> None:
    model = make_model(backbone)
    before, names = state_of(model), [n for n, _ in model.named_parameters()]
    strategy = build_strategy(name, model, SHORT)
    prepared = make_model(backbone)
    prepare(prepared, strategy, 0)
    learns = set().union(*(select(prepared, p).factors for p in strategy.phases))
    # A merged correction changes the weight beside it.
    learns |= {n.rsplit(".", 1)[0] + ".weight" for n in learns if is_low_rank(n)}
    done = run_strategy(model, strategy, lambda step: make_batch(4, step), CPU, source=[make_batch(2)])
    assert done == strategy.steps == 7
    after = model.state_dict()
    assert list(after) == list(before)
    changed = {n for n, value in after.items() if not torch.equal(value, before[n])}
    assert changed == learns & set(names)
    assert not any(n.endswith(("running_mean", "running_var", "num_batches_tracked")) for n in changed)
    assert not any(m.training for m in model.modules())
    assert all(p.requires_grad for p in model.parameters())


def test_each_strategy_trains_the_stages_that_it_says(make_model: Make) -> None:
    body = ("stem", "stage1", "stage2", "stage3", "stage4")
    head = set(HEAD_PARTS)
    everything = {*head, *body}
    wanted = {
        "head": [head],
        "lp-ft": [head, everything],
        "full": [everything],
        "gradual": [head, *(head | set(body[k:]) for k in (4, 3, 2, 1, 0))],
        "surgical": [{"stem", "stage1"}],
        "last-block": [head, head | {"stage4"}],
        "batch-norm": [{*body, "head.mix"}],
        "layer-decay": [head, everything],
        "l2-sp": [head, everything],
        "ewc": [head, everything],
        "lora": [head, everything],
    }
    assert {name: stage_names(make_model(), SHORT, name) for name in STRATEGIES} == wanted


def test_steps_are_the_same_for_every_strategy(make_model: Make) -> None:
    model = make_model()
    assert {build_strategy(name, model).steps for name in STRATEGIES} == {85}


def test_gradual_unfreezing_gives_the_rest_of_its_steps_to_the_last_phase(make_model: Make) -> None:
    phases = build_strategy("gradual", make_model(), FinetuneSettings(probe_steps=3, steps=12)).phases
    assert [p.steps for p in phases] == [3, 2, 2, 2, 2, 4]
    assert [p.name for p in phases] == ["head", "from stage4", "from stage3", "from stage2", "from stage1", "from stem"]


def test_layer_decay_multiplies_from_the_head_down(make_model: Make) -> None:
    model = make_model()
    factors = select(model, build_strategy("layer-decay", model).phases[-1]).factors
    assert factors["head.out.weight"] == 1.0
    assert factors["backbone.net.layer4.0.conv1.weight"] == pytest.approx(0.7)
    assert factors["backbone.net.layer1.0.conv1.weight"] == pytest.approx(0.7**4)
    assert factors["backbone.net.conv1.0.weight"] == pytest.approx(0.7**5)


def test_batch_norm_changes_only_scales_and_shifts(make_model: Make, make_batch: Any, state_of: Any) -> None:
    model = make_model()
    before = state_of(model)
    affine = {
        f"{path}.{kind}"
        for path, m in model.named_modules()
        if isinstance(m, torch.nn.BatchNorm2d)
        for kind in ("weight", "bias")
    }
    run_strategy(model, build_strategy("batch-norm", model, SHORT), lambda step: make_batch(4, step), CPU)
    changed = {n for n, value in model.state_dict().items() if not torch.equal(value, before[n])}
    assert changed == affine


def test_numbers_that_learn_by_hand(make_model: Make) -> None:
    model = make_model()
    sizes = {n: p.numel() for n, p in model.named_parameters()}

    def count(name: str) -> int:
        return sum(sizes[n] for n in select(model, build_strategy(name, model).phases[-1]).factors)

    channels = model.backbone.channels
    # Lateral 1 x 1 layers, two 3 x 3 layers of width 48 without bias and their normalization, six outputs.
    head = sum(48 * c + 48 for c in channels) + 2 * (48 * 48 * 9 + 2 * 48) + (48 * 6 + 6)
    assert count("head") == head
    assert count("full") == sum(sizes.values())
    assert count("last-block") == head + sum(p.numel() for p in model.backbone.net.layer4.parameters())
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert count("batch-norm") == sum(2 * m.num_features for m in norms)


def test_the_default_is_the_head_then_everything_step_by_step(
    make_model: Make, make_batch: Any, state_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same loop written out with nothing but torch and the pieces of pretraining, both in full precision."""
    for module in (training, pretrain):
        monkeypatch.setattr(module, "mixed_precision", lambda device, on_cpu: contextlib.nullcontext())
    model, plain = make_model(), make_model()
    settings = FinetuneSettings(probe_steps=3, steps=4)
    run_strategy(model, build_strategy("lp-ft", model, settings), lambda step: make_batch(4, step), CPU)
    plain.eval()
    for p in plain.backbone.parameters():
        p.requires_grad_(False)
    optimizer = torch.optim.AdamW(plain.head.parameters(), lr=1e-3, weight_decay=1e-3)
    for k in range(3):
        step_as_is(plain, optimizer, make_batch(4, k), 1e-3 * schedule(k / 3), CPU)
    for p in plain.backbone.parameters():
        p.requires_grad_(True)
    plain.train()
    freeze_normalization(plain)
    groups = [
        {"params": list(plain.head.parameters()), "rate_factor": 1.0},
        {"params": list(plain.backbone.parameters()), "rate_factor": 0.5},
    ]
    optimizer = torch.optim.AdamW(groups, lr=5e-4, weight_decay=1e-3)
    for k in range(4):
        step_as_is(plain, optimizer, make_batch(4, 3 + k), 5e-4 * schedule(k / 4), CPU)
    wanted = state_of(plain)
    assert all(torch.equal(value, wanted[n]) for n, value in model.state_dict().items())


@pytest.mark.parametrize(
    "name", ["lp-ft", *(pytest.param(n, marks=pytest.mark.slow) for n in ("full", "layer-decay", "l2-sp", "lora"))]
)
def test_eight_frames_are_learned(name: str, make_model: Make, make_batch: Any) -> None:
    model = make_model()
    batch = make_batch(8)
    settings = FinetuneSettings(probe_steps=30, steps=90, probe_rate=3e-3, rate=3e-3, lora_rank=8, l2_sp=1e-4)
    before = float(model.loss(*batch).detach())
    run_strategy(model, build_strategy(name, model, settings), lambda step: batch, CPU)
    after = float(model.loss(*batch).detach())
    # The cross-entropy of a blurred heatmap cannot reach 0: its own entropy, about 2.3, stays.
    assert before > 5.0
    assert after < 3.0


def test_a_penalty_keeps_weights_nearer_to_their_start(make_model: Make, make_batch: Any) -> None:
    moved = {}
    for name, strength in (("lp-ft", 0.0), ("l2-sp", 1.0), ("ewc", 1.0)):
        model = make_model()
        before = {n: p.detach().clone() for n, p in model.named_parameters()}
        strategy = replace(build_strategy(name, model, FinetuneSettings(probe_steps=2, steps=15)), strength=strength)
        run_strategy(model, strategy, lambda step: make_batch(4, step), CPU, source=[make_batch(4, 99)])
        moved[name] = sum(float((p.detach() - before[n]).square().sum()) for n, p in model.named_parameters())
    assert moved["l2-sp"] < 0.7 * moved["lp-ft"]
    assert moved["ewc"] < moved["lp-ft"]


def test_a_loss_that_is_no_number_stops_with_one_line(make_model: Make, make_batch: Any) -> None:
    model = make_model()
    with torch.no_grad():
        model.head.out.bias.fill_(torch.nan)
    with pytest.raises(InputError, match=r"diverged in step 1 of strategy head: the loss is nan; use a lower rate"):
        run_strategy(model, build_strategy("head", model), lambda step: make_batch(), CPU)


@pytest.mark.parametrize("name", ["full", "lora"])
def test_after_an_error_the_model_is_as_before(name: str, make_model: Make, make_batch: Any, state_of: Any) -> None:
    model = make_model()
    before = state_of(model)

    def batch_at(step: int) -> Any:
        pictures, pixels, weight, points = make_batch()
        return pictures, pixels, weight * (torch.nan if step == 3 else 1.0), points

    with pytest.raises(InputError, match="diverged in step 4"):
        run_strategy(model, build_strategy(name, model, SHORT), batch_at, CPU)
    assert list(model.state_dict()) == list(before)
    assert all(torch.equal(value, before[n]) for n, value in model.state_dict().items())
    assert all(p.requires_grad and p.grad is None for p in model.parameters())


def test_an_unknown_strategy_is_answered_with_the_list(make_model: Make) -> None:
    with pytest.raises(InputError, match=r"strategy must be one of head, lp-ft, full, .*, lora, got 'magic'"):
        build_strategy("magic", make_model())


def test_ewc_without_simulated_frames_says_so(make_model: Make, make_batch: Any) -> None:
    model = make_model()
    with pytest.raises(InputError, match="ewc needs simulated frames"):
        run_strategy(model, build_strategy("ewc", model), lambda step: make_batch(), CPU)


def test_batch_norm_needs_batch_normalization(make_model: Make) -> None:
    with pytest.raises(InputError, match=r"batch-norm needs batch normalization, backbone 'convnext_atto' has none"):
        build_strategy("batch-norm", make_model("convnext_atto", "regression"))


def test_another_rate_moves_all_phases_in_proportion(make_model: Make) -> None:
    strategy = with_rate(build_strategy("lp-ft", make_model()), 1e-4)
    assert [p.rate for p in strategy.phases] == pytest.approx([2e-4, 1e-4])


def test_every_strategy_says_what_it_is() -> None:
    assert all(text_of(name) and "\n" not in text_of(name) for name in STRATEGIES)
