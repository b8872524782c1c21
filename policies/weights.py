"""Weights of networks as safetensors files."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from calibration.errors import InputError
from calibration.records import write_bytes


def write_weights(path: Path, module: nn.Module) -> None:
    """Write the weights, at once."""
    state = {k: v.detach().to("cpu", copy=True).contiguous() for k, v in module.state_dict().items()}
    write_bytes(path, save(state))


def read_weights(path: Path, module: nn.Module) -> None:
    """Bring a network to written weights.

    Raises:
        InputError: the file cannot be read, or is of another network.
    """
    try:
        module.load_state_dict(load_file(path))
    except (RuntimeError, OSError, ValueError, SafetensorError) as error:
        raise InputError(f"cannot read the weights {path}: {error}") from None
