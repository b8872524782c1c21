"""Low-rank adaptation: weights stay, a product of two thin factors beside them learns."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from calibration.errors import InputError

_KINDS = (nn.Conv2d, nn.Linear)


class LoraLinear(nn.Linear):
    """A linear layer with a low-rank correction; `weight` and `bias` keep their names."""

    def __init__(self, layer: nn.Linear, rank: int, scale: float, generator: torch.Generator) -> None:
        """Take over a layer; the correction starts at 0."""
        super().__init__(layer.in_features, layer.out_features, layer.bias is not None, device="meta")
        _take_over(self, layer)
        self.scale = scale
        self.lora_down = nn.Parameter(_random((rank, layer.in_features), layer.weight, generator))
        self.lora_up = nn.Parameter(layer.weight.new_zeros(layer.out_features, rank))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the layer's output with its correction."""
        low = functional.linear(x, self.lora_down)
        return super().forward(x) + self.scale * functional.linear(low, self.lora_up)

    def delta(self) -> torch.Tensor:
        """Return the correction as a change of `weight`."""
        return self.scale * self.lora_up @ self.lora_down


class LoraConv2d(nn.Conv2d):
    """A convolution with a low-rank correction: the same window with few outputs, then 1 x 1; for each group apart."""

    def __init__(self, layer: nn.Conv2d, rank: int, scale: float, generator: torch.Generator) -> None:
        """Take over a layer; the correction starts at 0."""
        super().__init__(**_shape_of(layer), device="meta")
        _take_over(self, layer)
        self.scale = scale
        shape = (rank * layer.groups, *layer.weight.shape[1:])
        self.lora_down = nn.Parameter(_random(shape, layer.weight, generator))
        self.lora_up = nn.Parameter(layer.weight.new_zeros(layer.out_channels, rank, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the layer's output with its correction."""
        low = self._conv_forward(x, self.lora_down, None)
        return super().forward(x) + self.scale * functional.conv2d(low, self.lora_up, groups=self.groups)

    def delta(self) -> torch.Tensor:
        """Return the correction as a change of `weight`."""
        down = self.lora_down.reshape(self.groups, -1, self.weight[0].numel())
        up = self.lora_up.reshape(self.groups, -1, self.lora_up.shape[1])
        product = torch.matmul(up, down)
        return self.scale * product.reshape(self.weight.shape)


def apply_lora(module: nn.Module, rank: int, generator: torch.Generator, scale: float = 1.0) -> tuple[str, ...]:
    """Add low-rank corrections to layers of a module in place and return the paths of those layers.

    After Hu et al. 2022 (LoRA): the weight W becomes W + scale * B A with A random and B zero, so that at the start
    nothing changes, not even a bit. Only plain convolutions and linear layers are taken. A layer whose factors would
    hold at least as many numbers as its weight, such as a depthwise convolution, is left as it is.

    Args:
        module: changed in place; names of its weights and buffers stay.
        rank: of each correction, 1 or more.
        generator: of A, on the CPU.
        scale: of the correction.

    Raises:
        InputError: no layer for it.
        ValueError: a rank below 1.
    """
    if rank < 1:
        raise ValueError(f"rank must be 1 or more, got {rank}")
    paths = [path for path, m in module.named_modules() if type(m) in _KINDS and _is_thinner(m, rank)]
    if not paths:
        raise InputError(f"LoRA found no plain convolution or linear layer for rank {rank}; use another strategy")
    for path in paths:
        layer = module.get_submodule(path)
        made = (
            LoraConv2d(layer, rank, scale, generator)
            if isinstance(layer, nn.Conv2d)
            else LoraLinear(_linear(layer), rank, scale, generator)
        )
        _replace(module, path, made)
    return tuple(paths)


@torch.no_grad()
def merge_lora(module: nn.Module) -> None:
    """Add the corrections to the weights in place: plain layers again, with the names that they had."""
    for path, layer in list(module.named_modules()):
        if isinstance(layer, LoraConv2d | LoraLinear):
            layer.weight += layer.delta()
            _replace(module, path, _plain(layer))


def _plain(layer: LoraConv2d | LoraLinear) -> nn.Module:
    has_bias = layer.bias is not None
    made: nn.Module
    if isinstance(layer, LoraLinear):
        made = nn.Linear(layer.in_features, layer.out_features, has_bias, device="meta")
    else:
        made = nn.Conv2d(**_shape_of(layer), device="meta")
    _take_over(made, layer)
    return made


def _shape_of(layer: nn.Conv2d) -> dict[str, Any]:
    """Return the arguments from which torch makes a convolution of the same shape."""
    names = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "padding_mode")
    return {**{name: getattr(layer, name) for name in names}, "bias": layer.bias is not None}


def _linear(layer: nn.Module) -> nn.Linear:
    assert isinstance(layer, nn.Linear)
    return layer


def _is_thinner(layer: nn.Module, rank: int) -> bool:
    if isinstance(layer, nn.Conv2d):
        factors = rank * (layer.groups * layer.weight[0].numel() + layer.out_channels)
        return factors < layer.weight.numel()
    return rank * sum(_linear(layer).weight.shape) < _linear(layer).weight.numel()


def _take_over(made: nn.Module, layer: nn.Module) -> None:
    made.weight, made.bias = layer.weight, layer.bias
    made.train(layer.training)


def _random(shape: tuple[int, ...], like: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return values as of a fresh layer: uniform, with a bound of 1 over the root of the inputs."""
    bound = 1.0 / math.sqrt(math.prod(shape[1:]))
    values = torch.rand(shape, generator=generator) * (2 * bound) - bound
    return values.to(device=like.device, dtype=like.dtype)


def _replace(module: nn.Module, path: str, made: nn.Module) -> None:
    parent, _, name = path.rpartition(".")
    setattr(module.get_submodule(parent), name, made)
