"""Devices by name, on machines with and without a GPU."""

from __future__ import annotations

import pytest
import torch

from calibration.errors import InputError
from policies.device import mixed_precision, pick_device


def gpus(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)


def test_auto_takes_a_gpu_when_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus(monkeypatch, 0)
    assert pick_device("auto") == torch.device("cpu")
    gpus(monkeypatch, 1)
    assert pick_device("auto") == torch.device("cuda")


def test_named_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus(monkeypatch, 2)
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device("cuda") == torch.device("cuda")
    assert pick_device("cuda:1") == torch.device("cuda", 1)


@pytest.mark.parametrize("name", ["cuda", "cuda:0"])
def test_no_gpu_says_what_to_do(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    gpus(monkeypatch, 0)
    with pytest.raises(InputError, match=rf"device '{name}' needs a GPU .*; use --device cpu"):
        pick_device(name)


def test_gpu_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus(monkeypatch, 2)
    with pytest.raises(InputError, match="one of 2 GPUs, from cuda:0, got 'cuda:2'"):
        pick_device("cuda:2")


@pytest.mark.parametrize("name", ["", "gpu", "cuda:x", "meta", "mps", "CPU "])
def test_other_names_are_input_errors(name: str) -> None:
    with pytest.raises(InputError, match=f"device must be auto, cpu, cuda or cuda:N, got '{name}'"):
        pick_device(name)


def test_full_precision_on_the_cpu() -> None:
    with mixed_precision(torch.device("cpu")):
        product = torch.rand(2, 2) @ torch.rand(2, 2)
    assert product.dtype == torch.float32


@pytest.mark.gpu
def test_half_precision_on_a_gpu() -> None:
    device = torch.device("cuda")
    with mixed_precision(device):
        product = torch.rand(2, 2, device=device) @ torch.rand(2, 2, device=device)
    expected = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    assert product.dtype == expected
