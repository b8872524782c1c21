"""Backbones of many families by name, and weights that say where they come from."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from calibration.errors import InputError
from policies.backbone import Backbone, load_weights
from policies.perception import ModelSpec, PerceptionModel
from policies.timm_import import import_timm

timm = import_timm()

FAMILIES = (
    "resnet18",
    "regnetx_002",
    "mobilenetv3_small_100",
    "efficientvit_b0",
    "edgenext_xx_small",
    "convnext_atto",
    "test_mambaout",
    "test_byobnet",
)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("size", [(160, 120), (200, 150)], ids=["160x120", "200x150"])
def test_family_builds_and_runs(name: str, size: tuple[int, int]) -> None:
    width, height = size
    model = PerceptionModel(ModelSpec(name, "keypoints", 2, size))
    pictures = np.random.default_rng(0).integers(0, 255, (2, height, width, 3), np.uint8)
    found = model.predict(pictures, torch.device("cpu"))
    assert found.keypoints_px is not None
    assert found.confidence is not None
    assert found.keypoints_px.shape == (2, 2, 2)
    assert np.isfinite(found.keypoints_px).all()
    assert ((found.confidence > 0) & (found.confidence <= 1)).all()
    backbone = model.backbone
    assert backbone.weights == "random"
    assert backbone.strides[0] == 4
    assert backbone.strides[-1] == 32
    with torch.no_grad():
        maps = backbone(torch.zeros(1, 3, 96, 64))
    assert [tuple(m.shape) for m in maps] == [
        (1, c, 96 // s, 64 // s) for c, s in zip(backbone.channels, backbone.strides, strict=True)
    ]


@pytest.mark.parametrize("head", ["keypoints", "regression"])
def test_trial_picture_leaves_no_trace(head: Any) -> None:
    torch.manual_seed(3)
    model = PerceptionModel(ModelSpec("test_resnet", head, 1, (64, 48)))
    after = torch.rand(1)
    torch.manual_seed(3)
    plain = Backbone("test_resnet")
    for name, value in plain.state_dict().items():
        assert torch.equal(model.backbone.state_dict()[name], value), name
    assert all(part.training for part in model.modules())
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    torch.manual_seed(3)
    PerceptionModel(ModelSpec("test_resnet", head, 1, (320, 240)))
    assert torch.equal(torch.rand(1), after), "its size must not change what is random"


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "swin_tiny_patch4_window7_224"])
def test_backbone_of_one_size_is_an_input_error(name: str) -> None:
    with pytest.raises(InputError, match=rf"backbone '{name}' cannot take pictures of 160x120 pixels: .*224"):
        PerceptionModel(ModelSpec(name, "keypoints", 1, (160, 120)))


@pytest.mark.parametrize(
    ("name", "suggested"),
    [
        ("resnet81", "resnet18"),
        ("resnet18.a1_in1k", "resnet18"),
        ("mobilenetv3_small", "mobilenetv3_small_100"),
    ],
)
def test_unknown_name_suggests_others(name: str, suggested: str) -> None:
    with pytest.raises(InputError, match=rf"must be a timm model, got '{re.escape(name)}'; close: ") as error:
        Backbone(name)
    close = str(error.value).partition("close: ")[2].split(", ")
    assert suggested in close
    assert len(close) <= 6


def test_name_like_no_other() -> None:
    with pytest.raises(InputError, match=r"got 'qqqqqq'; see timm\.list_models\(\)"):
        Backbone("qqqqqq")


def offline(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Let timm fail as it does without a network; return what was asked of it."""
    create, asked = timm.create_model, []

    def fake(name: str, *args: object, pretrained: bool = False, **options: object) -> object:
        asked.append(pretrained)
        if pretrained:
            raise RuntimeError("We couldn't connect to the hub.\nCheck your connection.")
        return create(name, *args, pretrained=False, **options)

    monkeypatch.setattr(timm, "create_model", fake)
    return asked


def test_pretrained_without_network_warns_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked = offline(monkeypatch)
    with caplog.at_level(logging.WARNING):
        backbone = Backbone("test_resnet", "pretrained")
    assert True in asked
    assert backbone.weights == "random"
    assert len(caplog.records) == 1
    text = caplog.records[0].getMessage()
    assert "test_resnet" in text
    assert "couldn't connect to the hub" in text
    assert "random values" in text
    assert "\n" not in text


def test_pretrained_is_asked_for_only_when_wanted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked = offline(monkeypatch)
    assert Backbone("test_resnet").weights == "random"
    assert not any(asked)
    assert not caplog.records


def test_pretrained_weights_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    create = timm.create_model

    def fake(name: str, *args: object, pretrained: bool = False, **options: object) -> Any:
        model = create(name, *args, pretrained=False, **options)
        if pretrained:
            torch.nn.init.constant_(next(model.parameters()), 0.25)
        return model

    monkeypatch.setattr(timm, "create_model", fake)
    backbone = Backbone("test_resnet", "pretrained")
    assert backbone.weights == "pretrained"
    assert bool((next(backbone.parameters()) == 0.25).all())


@pytest.mark.parametrize("name", ["resnet18", "regnetx_002", "efficientvit_b0", "convnext_atto", "test_convnext"])
def test_file_of_a_whole_classifier_gives_its_features(name: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    whole = timm.create_model(name, pretrained=False, num_classes=7).eval()
    for buffer_name, buffer in whole.named_buffers():
        if buffer_name.endswith("running_mean"):
            buffer.normal_(0, 0.01)  # so that lost statistics show
    save_file(whole.state_dict(), tmp_path / "whole.safetensors")
    torch.manual_seed(2)
    backbone = Backbone(name, tmp_path / "whole.safetensors").eval()
    assert backbone.weights == "file"
    x = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        expected = whole.forward_intermediates(x, intermediates_only=True)
        maps = backbone(x)
    # The coarser maps; some families put the finest one elsewhere in the two interfaces.
    for ours, theirs in zip(maps[-3:], expected[-3:], strict=True):
        torch.testing.assert_close(ours, theirs)


def test_file_of_the_extractor_itself(tmp_path: Path) -> None:
    first = Backbone("test_convnext")
    save_file(first.net.state_dict(), tmp_path / "own.safetensors")
    second = Backbone("test_convnext", str(tmp_path / "own.safetensors"))
    for name, value in first.state_dict().items():
        assert torch.equal(second.state_dict()[name], value), name


def test_file_of_another_architecture_names_a_tensor(tmp_path: Path) -> None:
    save_file(timm.create_model("test_resnet", pretrained=False).state_dict(), tmp_path / "w.safetensors")
    pattern = (
        r"w\.safetensors are of another architecture: \d+ of 120 tensors differ in shape, \d+ are missing; "
        r"'bn1\.weight' must be \(64,\), got \(32,\)$"
    )
    with pytest.raises(InputError, match=pattern):
        Backbone("resnet18", tmp_path / "w.safetensors")


def test_missing_tensor_is_named(tmp_path: Path) -> None:
    state = Backbone("test_resnet").net.state_dict()
    del state["conv1.0.weight"]
    save_file(state, tmp_path / "w.safetensors")
    with pytest.raises(InputError, match=r"1 are missing; 'conv1\.0\.weight' must be \(.*\), got nothing$"):
        Backbone("test_resnet", tmp_path / "w.safetensors")


def test_shapes_of_another_width_are_named(tmp_path: Path) -> None:
    state = Backbone("test_resnet").net.state_dict()
    state["conv1.0.weight"] = torch.zeros(5, 3, 3, 3)
    save_file(state, tmp_path / "w.safetensors")
    shape = tuple(Backbone("test_resnet").net.state_dict()["conv1.0.weight"].shape)
    pattern = rf"1 of \d+ tensors differ .*'conv1\.0\.weight' must be {re.escape(str(shape))}, got \(5, 3, 3, 3\)"
    with pytest.raises(InputError, match=pattern):
        Backbone("test_resnet", tmp_path / "w.safetensors")


@pytest.mark.parametrize("content", [None, b"", b"no weights", b"\x80\x04\x95pickle"])
def test_file_without_weights_is_an_input_error(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"must be a safetensors file, got .*w\.safetensors") as error:
        load_weights(torch.nn.Linear(2, 2), path)
    assert "\n" not in str(error.value)
