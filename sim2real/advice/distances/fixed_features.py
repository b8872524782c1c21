"""Features of pictures by a network that nobody trained: the same numbers in every run."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

_WIDTHS = (3, 32, 64, 64)
_SIZES = (7, 3, 3)
_BATCH = 16


def fixed_features(
    pictures: NDArray[np.uint8], seed: int = 0, device: torch.device | None = None
) -> NDArray[np.float64]:
    """Return features (N, 163 * 2) of pictures uint8 (N, H, W, 3), for distances that compare across models.

    Three layers of random filters (7 x 7, then twice 3 x 3, each with stride 2 and a ReLU), scaled so that noise keeps
    its size (He et al. 2015). The features are mean and standard deviation over the picture of the three colours and of
    every filter, so they see colour, contrast and texture but hardly where something is. Filters that are random tell
    textures apart nearly as trained ones do (Saxe et al. 2011).

    Args:
        pictures: at one size.
        seed: of the filters.
        device: that computes; the numbers agree to rounding. Default: the CPU.

    Raises:
        ValueError: other shapes or types.
    """
    if pictures.dtype != np.uint8 or pictures.ndim != 4 or pictures.shape[3] != 3:
        raise ValueError(f"pictures must be uint8 (N, H, W, 3), got {pictures.dtype} {pictures.shape}")
    filters = [f.to(device or "cpu") for f in _filters(seed)]
    found = []
    with torch.no_grad():
        for start in range(0, len(pictures), _BATCH):
            part = torch.from_numpy(np.ascontiguousarray(pictures[start : start + _BATCH])).to(device or "cpu")
            x = part.permute(0, 3, 1, 2).float() / 127.5 - 1.0
            parts = [*_statistics(x)]
            for weight in filters:
                x = functional.relu(functional.conv2d(x, weight, stride=2, padding=weight.shape[-1] // 2))
                parts += _statistics(x)
            found.append(torch.cat(parts, dim=1).double().cpu().numpy())
    return np.concatenate(found) if found else np.zeros((0, 2 * sum(_WIDTHS)))


def _filters(seed: int) -> list[torch.Tensor]:
    rng = np.random.default_rng([seed, 59])
    made = []
    for inputs, outputs, size in zip(_WIDTHS[:-1], _WIDTHS[1:], _SIZES, strict=True):
        weight = rng.standard_normal((outputs, inputs, size, size)) * np.sqrt(2.0 / (inputs * size**2))
        made.append(torch.from_numpy(weight.astype(np.float32)))
    return made


def _statistics(x: torch.Tensor) -> list[torch.Tensor]:
    return [x.mean(dim=(2, 3)), x.flatten(2).std(dim=2, unbiased=False)]
