"""A small network that turns a picture into another look of the same scene."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

_WIDTHS = (16, 32, 64)
_GROUPS = 8


class Translator(nn.Module):
    """A U-Net with skip connections (Ronneberger et al. 2015) that adds a change to the picture.

    Group normalization (Wu and He 2018) makes it the same for a picture alone and in a batch, in training and after.
    """

    def __init__(self) -> None:
        """Build three levels; at the start it returns the picture itself."""
        super().__init__()
        fine, middle, coarse = _WIDTHS
        self.down = nn.ModuleList([_block(3, fine), _block(fine, middle), _block(middle, coarse)])
        self.up = nn.ModuleList([_block(coarse + middle, middle), _block(middle + fine, fine)])
        self.out = nn.Conv2d(fine, 3, 1)
        nn.init.zeros_(self.out.weight)
        assert self.out.bias is not None
        nn.init.zeros_(self.out.bias)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return pictures (N, 3, H, W), 0 to 1, of pictures of the same size and range."""
        kept = []
        x = pictures
        for level, block in enumerate(self.down):
            x = block(x if level == 0 else functional.avg_pool2d(x, 2, ceil_mode=True))
            kept.append(x)
        for block, skip in zip(self.up, reversed(kept[:-1]), strict=True):
            x = functional.interpolate(x, size=skip.shape[-2:], mode="bilinear", align_corners=False)
            x = block(torch.cat([x, skip], dim=1))
        changed: torch.Tensor = (pictures + self.out(x)).clamp(0.0, 1.0)
        return changed


def _block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.GroupNorm(_GROUPS, outputs),
        nn.ReLU(inplace=True),
        nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
        nn.GroupNorm(_GROUPS, outputs),
        nn.ReLU(inplace=True),
    )
