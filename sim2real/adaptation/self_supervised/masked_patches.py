"""Masked patches: parts of every picture are hidden, and drawn again from what the backbone makes of the rest."""

from __future__ import annotations

import numpy as np
import torch

from policies.perception import PerceptionModel
from sim2real.adaptation.fine_tuning.sharing.model import DenseHead
from sim2real.adaptation.self_supervised.pretext import Pretext, scale_gradient, seeded

# Hidden parts must be larger than what a stage sees around a cell, or the nearest pixels would tell them.
PATCH_PX = 16
HIDDEN_SHARE = 0.5
# A flat patch is not blown up until its noise is what is to be drawn: five grey levels.
_LEAST_SPREAD = 5.0


def choose_hidden(
    count: int, height: int, width: int, rng: np.random.Generator, share: float = HIDDEN_SHARE, patch: int = PATCH_PX
) -> torch.Tensor:
    """Return which patches of pictures are hidden, bool (count, height // patch, width // patch).

    As many of each picture; what remains at the right and the bottom beside whole patches is never hidden.

    Raises:
        ValueError: pictures smaller than two patches, or a share that hides none or all.
    """
    rows, columns = height // patch, width // patch
    hidden = round(share * rows * columns)
    if not 0 < hidden < rows * columns:
        raise ValueError(
            f"masked patches must hide some and not all of {rows * columns} patches of {patch} px, got share {share}"
        )
    order = rng.permuted(np.tile(np.arange(rows * columns), (count, 1)), axis=1)
    return torch.from_numpy((order < hidden).reshape(count, rows, columns))


def hide(pictures: torch.Tensor, hidden: torch.Tensor, patch: int = PATCH_PX) -> torch.Tensor:
    """Return pictures (N, 3, H, W) as float, 0 to 255, each hidden patch in the mean colour of what is not hidden.

    Nothing of a hidden patch is left in them.

    Args:
        pictures: uint8 or float 0 to 255.
        hidden: bool (N, rows, columns), as of `choose_hidden`.
        patch: side of a patch, pixels.
    """
    x = pictures.float()
    covered = _pixels(hidden, x, patch)
    seen = (~covered).float()
    # Hidden values are replaced before they are counted: 0 times a wild value would still be a trace of it.
    visible = torch.where(covered, torch.zeros_like(x), x)
    mean = visible.sum(dim=(2, 3), keepdim=True) / seen.sum(dim=(2, 3), keepdim=True)
    return torch.where(covered, mean, visible)


def patches_of(pictures: torch.Tensor, patch: int = PATCH_PX) -> torch.Tensor:
    """Return the whole patches (N, rows, columns, 3 * patch * patch) of pictures (N, 3, H, W)."""
    n, c, height, width = pictures.shape
    rows, columns = height // patch, width // patch
    whole = pictures[:, :, : rows * patch, : columns * patch].reshape(n, c, rows, patch, columns, patch)
    return whole.permute(0, 2, 4, 1, 3, 5).reshape(n, rows, columns, -1)


def standard_patches(pictures: torch.Tensor, patch: int = PATCH_PX) -> torch.Tensor:
    """Return `patches_of`, each with mean 0 and spread 1 (He et al. 2022, section 4.1); flat ones stay near 0."""
    found = patches_of(pictures.float(), patch)
    mean = found.mean(dim=3, keepdim=True)
    variance = (found - mean).square().mean(dim=3, keepdim=True)
    return (found - mean) / (variance + _LEAST_SPREAD**2).sqrt()


def masked_patch_loss(
    drawn: torch.Tensor, pictures: torch.Tensor, hidden: torch.Tensor, patch: int = PATCH_PX
) -> torch.Tensor:
    """Return the mean absolute difference of what was drawn and the true patches in standard units, hidden ones alone.

    Xie et al. 2022 (SimMIM): a mean absolute difference over masked pixels; targets standardized by patch as in He et
    al. 2022 and Woo et al. 2023 (ConvNeXt V2).

    Args:
        drawn: (N, 3, H, W), in standard units of each patch.
        pictures: (N, 3, H, W), 0 to 255.
        hidden: bool (N, rows, columns), at least one.
        patch: side of a patch, pixels.
    """
    difference = (patches_of(drawn.float(), patch) - standard_patches(pictures, patch)).abs().mean(dim=3)
    return difference[hidden.to(difference.device)].mean()


class MaskedPatches(Pretext):
    """Draws hidden patches of photographs and simulated frames with a small decoder of the feature maps.

    SimMIM (Xie et al. 2022) for a convolutional backbone, whose features are not told which cells are hidden (as the
    dense form of ConvNeXt V2, Woo et al. 2023); beside the supervised loss as in Hansen et al. 2021 (PAD).
    """

    def __init__(self, model: PerceptionModel, seed: int, share: float = HIDDEN_SHARE, patch: int = PATCH_PX) -> None:
        """Build the decoder of a model's feature maps: a pixel for each of the finest map's cells' own."""
        super().__init__()
        self._seed, self._share, self._patch = seed, share, patch
        self._stride = model.backbone.strides[0]
        self.decoder = seeded(lambda: DenseHead(model.backbone.channels, 3 * self._stride**2), seed)

    def forward(
        self, model: PerceptionModel, simulated: torch.Tensor, real: torch.Tensor, step: int, strength: float
    ) -> torch.Tensor:
        """Return the loss of both domains' pictures, each picture counting alike."""
        pictures = torch.cat([simulated, real])
        rng = np.random.default_rng([self._seed, 8, step])
        height, width = pictures.shape[2:]
        hidden = choose_hidden(len(pictures), height, width, rng, self._share, self._patch).to(pictures.device)
        drawn = self.draw(model, hide(pictures, hidden, self._patch), strength)
        return masked_patch_loss(drawn, pictures, hidden, self._patch)

    def draw(self, model: PerceptionModel, pictures: torch.Tensor, strength: float = 1.0) -> torch.Tensor:
        """Return the decoder's pictures (N, 3, H, W), in standard units of each patch."""
        maps = [scale_gradient(m, strength) for m in model.encode(pictures)]
        drawn = torch.nn.functional.pixel_shuffle(self.decoder(maps), self._stride)
        return drawn[:, :, : pictures.shape[2], : pictures.shape[3]]


def _pixels(hidden: torch.Tensor, pictures: torch.Tensor, patch: int) -> torch.Tensor:
    """Return which pixels are hidden, (N, 1, H, W)."""
    covered = torch.zeros_like(pictures[:, :1], dtype=torch.bool)
    large = hidden.to(pictures.device).repeat_interleave(patch, dim=1).repeat_interleave(patch, dim=2)
    covered[:, 0, : large.shape[1], : large.shape[2]] = large
    return covered
