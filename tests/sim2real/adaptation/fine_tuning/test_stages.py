from collections.abc import Callable

import pytest

from policies.perception import ModelSpec, PerceptionModel
from sim2real.adaptation.fine_tuning.stages import stages_of

BACKBONES = [
    "resnet10t", "resnet18", "regnetx_002", "efficientvit_b0", "fasternet_t0", "convnext_atto", "mobilenetv3_small_050",
    "efficientnet_b0", "densenet121", "ghostnet_050", "mobilenetv4_conv_small", "repvit_m0_9",
    pytest.param("vgg11", marks=pytest.mark.slow),
]  # fmt: skip


@pytest.mark.parametrize("name", BACKBONES)
def test_every_parameter_is_in_exactly_one_stage(name: str) -> None:
    model = PerceptionModel(ModelSpec(name, "keypoints", 2, (96, 64)))
    stages = stages_of(model)
    listed = [p for s in stages for p in s.parameters]
    assert sorted(listed) == sorted(n for n, _ in model.named_parameters())
    assert len(set(listed)) == len(listed)
    body = [s.name for s in stages if not s.is_head]
    assert body == ["stem", *(f"stage{k}" for k in range(1, len(body)))]
    assert [s.name for s in stages if s.is_head] == ["head.lateral", "head.mix", "head.out"]
    # One stage for each map of stride 4 to 32; the last map of vgg11 is a mere pooling.
    assert len(body) == 1 + len(model.backbone.strides) - (name == "vgg11")
    # Every module with numbers of its own is under a path of its stage, or a frozen stage could not be put to sleep.
    for stage in stages:
        for parameter in stage.parameters:
            assert any(parameter.startswith(f"{path}.") for path in stage.modules), parameter


def test_stages_of_a_residual_network_are_its_layers(make_model: Callable[..., PerceptionModel]) -> None:
    stages = {s.name: s for s in stages_of(make_model("resnet18"))}
    net = "backbone.net"
    assert stages["stem"].modules == (f"{net}.conv1", f"{net}.bn1", f"{net}.act1", f"{net}.maxpool")
    assert stages["stage1"].modules == (f"{net}.layer1",)
    assert stages["stage4"].modules == (f"{net}.layer4",)


def test_modules_between_two_maps_belong_to_the_later_one(make_model: Callable[..., PerceptionModel]) -> None:
    stages = {s.name: s for s in stages_of(make_model("densenet121"))}
    assert "backbone.net.features_transition1" in stages["stage2"].modules
    assert stages["stem"].modules[0] == "backbone.net.features_conv0"


def test_a_transformer_keeps_its_position_embedding_in_the_stem() -> None:
    model = PerceptionModel(ModelSpec("vit_tiny_patch16_224", "regression", 1, (224, 224)))
    stages = stages_of(model)
    assert "backbone.net.model.pos_embed" in stages[0].parameters
    blocks = len(model.backbone.net.model.blocks)
    assert [s.name for s in stages[-2:]] == [f"stage{blocks}", "head.layers"]
    assert sorted(p for s in stages for p in s.parameters) == sorted(n for n, _ in model.named_parameters())
