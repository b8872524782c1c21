from pathlib import Path

import pytest
import torch
from torch import nn

from calibration.errors import InputError
from policies.weights import read_weights, write_weights


def test_weights_come_back_to_the_bit(tmp_path: Path) -> None:
    one, two = nn.Linear(3, 2), nn.Linear(3, 2)
    write_weights(tmp_path / "w.safetensors", one)
    read_weights(tmp_path / "w.safetensors", two)
    assert torch.equal(one.weight, two.weight)


def test_a_broken_file_and_one_of_another_network_are_said(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    write_weights(path, nn.Linear(3, 2))
    with pytest.raises(InputError, match=r"cannot read the weights .*w\.safetensors"):
        read_weights(path, nn.Linear(4, 2))
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(InputError, match=r"cannot read the weights .*w\.safetensors"):
        read_weights(path, nn.Linear(3, 2))
    with pytest.raises(InputError, match=r"cannot read the weights .*none"):
        read_weights(tmp_path / "none", nn.Linear(3, 2))
