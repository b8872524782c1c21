"""Where a model runs, and with what precision."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from pathlib import Path

import torch

from calibration.errors import InputError


def pick_device(name: str) -> torch.device:
    """Return the device of a name; "auto" is the GPU when there is one.

    Raises:
        InputError: no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise InputError(f"device must be auto, cpu, cuda or cuda:N, got '{name}'") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise InputError(f"device '{name}' needs a GPU that torch can use, found none; use --device cpu")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InputError(f"device must be one of {torch.cuda.device_count()} GPUs, from cuda:0, got '{name}'")
    if device.type not in ("cpu", "cuda"):
        raise InputError(f"device must be auto, cpu, cuda or cuda:N, got '{name}'")
    return device


def mixed_precision(device: torch.device, on_cpu: bool = False) -> AbstractContextManager[object]:
    """Return a context for forward passes: bfloat16 on a GPU that has it, else full precision.

    With `on_cpu` also on a processor that multiplies bfloat16 in hardware (AMX), where convolutions then take half the
    time.
    """
    if device.type == "cuda" and torch.cuda.is_bf16_supported():
        return torch.autocast("cuda", dtype=torch.bfloat16)
    if device.type == "cpu" and on_cpu and _has_amx():
        return torch.autocast("cpu", dtype=torch.bfloat16)
    return nullcontext()


@lru_cache(maxsize=1)
def _has_amx() -> bool:
    try:
        return "amx_bf16" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
