from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from calibration.errors import InputError
from policies.perception import PerceptionModel
from sim2real.adaptation.fine_tuning.lora import LoraConv2d, LoraLinear, apply_lora, merge_lora

Make = Callable[..., PerceptionModel]
LAYERS = [
    nn.Linear(20, 12),
    nn.Linear(20, 12, bias=False),
    nn.Conv2d(8, 12, 3, padding=1),
    nn.Conv2d(8, 12, (3, 5), stride=2, dilation=(2, 1), bias=False),
    nn.Conv2d(16, 32, 3, groups=2, padding=1),
    nn.Conv2d(8, 12, 3, padding=1, padding_mode="circular"),
]


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(4)


def inputs(layer: nn.Module) -> torch.Tensor:
    size = (5, layer.in_features) if isinstance(layer, nn.Linear) else (2, layer.in_channels, 13, 14)
    return torch.randn(size, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_one_layer(layer: nn.Module) -> None:
    holder = nn.Sequential(layer)
    names = list(holder.state_dict())
    x = inputs(layer)
    plain = holder(x)
    paths = apply_lora(holder, 2, generator())
    assert paths == ("0",)
    assert isinstance(holder[0], LoraConv2d | LoraLinear)
    assert torch.equal(holder(x), plain)
    with torch.no_grad():
        holder[0].lora_up.normal_(0.0, 0.2)
    corrected = holder(x)
    assert (corrected - plain).abs().max() > 0.01
    # The change of the weight has the rank that was asked for, in each group.
    groups = getattr(layer, "groups", 1)
    for part in holder[0].delta().flatten(1).chunk(groups):
        assert torch.linalg.matrix_rank(part) == 2
    merge_lora(holder)
    assert type(holder[0]) is type(layer)
    assert list(holder.state_dict()) == names
    torch.testing.assert_close(holder(x), corrected, atol=1e-5, rtol=0)


def test_a_whole_model_starts_unchanged_and_merges(make_model: Make, make_batch: Any, state_of: Any) -> None:
    model = make_model("regnetx_002")
    before = state_of(model)
    pictures = make_batch(3)[0]
    plain = model(pictures)
    paths = apply_lora(model.backbone, 4, generator())
    assert torch.equal(model(pictures).logits, plain.logits)
    assert set(before) < set(model.state_dict())
    with torch.no_grad():
        for path in paths:
            model.backbone.get_submodule(path).lora_up.normal_(0.0, 0.02)
    corrected = model(pictures)
    merge_lora(model.backbone)
    after = model.state_dict()
    assert list(after) == list(before)
    torch.testing.assert_close(model(pictures).logits, corrected.logits, atol=1e-5, rtol=1e-5)
    changed = {n for n, value in after.items() if not torch.equal(value, before[n])}
    assert changed == {f"backbone.{path}.weight" for path in paths}
    assert all(type(m) in (nn.Conv2d, nn.Linear) for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear))


def test_the_weight_is_not_what_learns(make_model: Make, make_batch: Any) -> None:
    model = make_model()
    paths = apply_lora(model.backbone, 4, generator())
    model.loss(*make_batch()).backward()
    layers = [model.backbone.get_submodule(path) for path in paths]
    assert all(layer.lora_up.grad.abs().max() > 0 for layer in layers)
    # With `up` at 0, `down` gets its first gradient only after a step.
    assert all(layer.lora_down.grad.abs().max() == 0 for layer in layers)


def test_layers_that_a_correction_would_not_make_thinner_stay() -> None:
    depthwise = nn.Conv2d(8, 8, 3, groups=8)
    model = nn.Sequential(nn.Linear(40, 40), depthwise)
    assert apply_lora(model, 2, generator()) == ("0",)
    assert model[1] is depthwise
    with pytest.raises(InputError, match=r"LoRA found no plain convolution or linear layer for rank 30"):
        apply_lora(nn.Sequential(nn.Linear(40, 40)), 30, generator())
    with pytest.raises(ValueError, match="rank must be 1 or more, got 0"):
        apply_lora(model, 0, generator())


def test_the_same_seed_gives_the_same_factors_and_leaves_torchs_own_alone() -> None:
    made = []
    torch.manual_seed(1)
    state = torch.random.get_rng_state()
    for _ in range(2):
        layer = nn.Sequential(LAYERS[2])
        apply_lora(layer, 2, generator())
        made.append(layer[0].lora_down.detach())
    assert torch.equal(*made)
    assert torch.equal(torch.random.get_rng_state(), state)
