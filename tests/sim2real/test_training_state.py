"""An interrupted training goes on as if nothing had happened."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from calibration.errors import InputError
from sim2real.training_state import load_state, save_state


def make(seed: int, width: int = 7) -> tuple[nn.Module, torch.optim.AdamW]:
    """Return a small model with convolution, batch normalization and a frozen layer, and its optimizer."""
    torch.manual_seed(seed)
    model = nn.Sequential(
        nn.Conv2d(3, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, 5, 3, stride=2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(5, 2),
    )
    model.to(memory_format=torch.channels_last)
    model[6].bias.requires_grad_(False)
    head = [p for p in model[6].parameters() if p.requires_grad]
    groups = [{"params": model[:4].parameters()}, {"params": head, "lr": 1e-3}]
    return model, torch.optim.AdamW(groups, lr=1e-2, weight_decay=1e-2)


def train(model: nn.Module, optimizer: torch.optim.Optimizer, first: int, last: int) -> None:
    for step in range(first, last):
        numbers = torch.Generator().manual_seed(step)
        x = torch.rand(4, 3, 11, 13, generator=numbers).contiguous(memory_format=torch.channels_last)
        loss = (model(x) - torch.rand(4, 2, generator=numbers)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def test_resumed_training_is_bit_identical(tmp_path: Path) -> None:
    straight, optimizer = make(0)
    train(straight, optimizer, 0, 6)

    first, first_optimizer = make(0)
    train(first, first_optimizer, 0, 3)
    path = tmp_path / "checkpoints" / "state.safetensors"
    save_state(path, first, first_optimizer, 3)
    second, second_optimizer = make(99)
    step = load_state(path, second, second_optimizer)
    assert step == 3
    train(second, second_optimizer, step, 6)

    expected = straight.state_dict()
    assert expected.keys() == second.state_dict().keys()
    for name, value in second.state_dict().items():
        assert torch.equal(value, expected[name]), name
    # The comparison would see a lost momentum or step count.
    forgetful, forgetful_optimizer = make(99)
    load_state(path, forgetful, forgetful_optimizer)
    train(forgetful, make(0)[1].__class__(forgetful.parameters(), lr=1e-2), 3, 6)
    assert not torch.equal(forgetful.state_dict()["0.weight"], expected["0.weight"])


def test_saving_changes_nothing(tmp_path: Path) -> None:
    watched, optimizer = make(0)
    alone, alone_optimizer = make(0)
    for step in range(4):
        train(watched, optimizer, step, step + 1)
        save_state(tmp_path / "state.safetensors", watched, optimizer, step + 1)
    train(alone, alone_optimizer, 0, 4)
    assert all(torch.equal(a, b) for a, b in zip(watched.parameters(), alone.parameters(), strict=True))


def test_state_before_the_first_step(tmp_path: Path) -> None:
    model, optimizer = make(0)
    save_state(tmp_path / "state.safetensors", model, optimizer, 0)
    other, other_optimizer = make(5)
    assert load_state(tmp_path / "state.safetensors", other, other_optimizer) == 0
    assert other_optimizer.state_dict()["state"] == {}
    assert torch.equal(model[0].weight, other[0].weight)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_truncated_file_is_an_input_error(share: float, tmp_path: Path) -> None:
    model, optimizer = make(0)
    train(model, optimizer, 0, 1)
    path = tmp_path / "state.safetensors"
    save_state(path, model, optimizer, 1)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(InputError, match=r"cannot resume from .*state\.safetensors"):
        load_state(path, *make(1))


def test_missing_file_and_other_files_are_input_errors(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    with pytest.raises(InputError, match="cannot resume from"):
        load_state(path, *make(0))
    save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(InputError, match=r"cannot resume from .*it holds no training state"):
        load_state(path, *make(0))
    path.write_text("not weights at all")
    with pytest.raises(InputError, match="cannot resume from"):
        load_state(path, *make(0))


def test_state_of_another_model_is_an_input_error(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    save_state(path, *make(0, width=9), 1)
    with pytest.raises(InputError, match=r"cannot resume from .*weights of another model"):
        load_state(path, *make(0))


def test_full_disk_keeps_the_state_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, optimizer = make(0)
    path = tmp_path / "state.safetensors"
    save_state(path, model, optimizer, 1)
    before = path.read_bytes()

    def no_space(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises((InputError, OSError), match="No space left on device"):
        save_state(path, model, optimizer, 2)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["state.safetensors"]
