"""The whole state of a training run in one file, so that an interrupted run goes on bit for bit."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from calibration.errors import InputError
from calibration.records import write_bytes


def save_state(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, step: int) -> None:
    """Write weights, optimizer and step, at once."""
    tensors = {f"model.{k}": v.detach().cpu().contiguous() for k, v in model.state_dict().items()}
    scalars: dict[str, dict[str, float]] = {}
    for index, values in optimizer.state_dict()["state"].items():
        for name, value in values.items():
            if isinstance(value, torch.Tensor):
                tensors[f"optimizer.{index}.{name}"] = value.detach().cpu().contiguous()
            else:
                scalars.setdefault(str(index), {})[name] = value
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, save(tensors, {"step": str(step), "scalars": json.dumps(scalars)}))


def load_state(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Bring model and optimizer to a saved state and return its step.

    Raises:
        InputError: the file is no such state.
    """
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            metadata = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise InputError(f"cannot resume from {path}: {error}") from None
    if not {"step", "scalars"} <= set(metadata):
        raise InputError(f"cannot resume from {path}: it holds no training state; remove it to start again")
    weights = {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")}
    own = model.state_dict()
    if {k: v.shape for k, v in weights.items()} != {k: v.shape for k, v in own.items()}:
        raise InputError(f"cannot resume from {path}: it holds the weights of another model")
    model.load_state_dict(weights)
    state: dict[int, dict[str, object]] = {
        int(index): dict(values) for index, values in json.loads(metadata["scalars"]).items()
    }
    for key, value in tensors.items():
        if key.startswith("optimizer."):
            _, index, name = key.split(".", 2)
            state.setdefault(int(index), {})[name] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
    return int(metadata["step"])
