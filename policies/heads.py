"""From feature maps to keypoints or to the label itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

_WIDTH = 48
# Radius, in cells, within which a cell learns the way to the keypoint.
_OFFSET_RADIUS = 2.5
_SPREAD = 0.8
_WINDOW = 3


@dataclass(frozen=True, eq=False)
class KeypointMaps:
    """What the keypoint head says about N pictures.

    Attributes:
        logits: (N, K, h, w), of "the keypoint is in this cell".
        offsets: (N, K, 2, h, w), from the cell's centre to the keypoint, in cells, x and y.
        stride: size of a cell in pixels.
    """

    logits: torch.Tensor
    offsets: torch.Tensor
    stride: int


class KeypointHead(nn.Module):
    """A heatmap and offsets for each keypoint on the finest feature map (after Papandreou et al. 2017)."""

    def __init__(self, channels: Sequence[int], strides: Sequence[int], keypoints: int) -> None:
        """Build lateral layers that bring all maps together, and the two outputs."""
        super().__init__()
        self.stride = strides[0]
        self.keypoints = keypoints
        self.lateral = nn.ModuleList([nn.Conv2d(c, _WIDTH, 1) for c in channels])
        self.mix = nn.Sequential(
            nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1, bias=False),
            nn.BatchNorm2d(_WIDTH),
            nn.ReLU(inplace=True),
            nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1, bias=False),
            nn.BatchNorm2d(_WIDTH),
            nn.ReLU(inplace=True),
        )
        self.out = nn.Conv2d(_WIDTH, 3 * keypoints, 1)

    def forward(self, maps: Sequence[torch.Tensor]) -> KeypointMaps:
        """Return logits and offsets."""
        merged: torch.Tensor | None = None
        for lateral, features in zip(reversed(list(self.lateral)), reversed(list(maps)), strict=True):
            own = lateral(features)
            if merged is not None:
                own = own + functional.interpolate(merged, size=own.shape[-2:], mode="nearest")
            merged = own
        assert merged is not None
        out = self.out(self.mix(merged)).float()
        n, _, h, w = out.shape
        out = out.reshape(n, self.keypoints, 3, h, w)
        return KeypointMaps(out[:, :, 0], out[:, :, 1:], self.stride)


def cell_centres(h: int, w: int, stride: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Return pixel coordinates of the cells' centres: x (w,) and y (h,)."""
    x = (torch.arange(w, device=device) + 0.5) * stride - 0.5
    y = (torch.arange(h, device=device) + 0.5) * stride - 0.5
    return x, y


def keypoint_loss(maps: KeypointMaps, pixels: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return the mean loss: cross-entropy of the cell, and Huber loss of the offsets near the keypoint.

    Args:
        maps: the head's output.
        pixels: (N, K, 2), where the keypoints are; outside the picture is allowed, NaN where the weight is 0.
        weight: (N, K), 0 leaves a keypoint out.
    """
    _, _, h, w = maps.logits.shape
    x, y = cell_centres(h, w, maps.stride, maps.logits.device)
    target = torch.nan_to_num(pixels, nan=0.0)
    inside_x = target[..., 0].clamp(float(x[0]), float(x[-1]))
    inside_y = target[..., 1].clamp(float(y[0]), float(y[-1]))
    dx = (x[None, None, :] - inside_x[..., None]) / maps.stride
    dy = (y[None, None, :] - inside_y[..., None]) / maps.stride
    squared = dy[..., :, None] ** 2 + dx[..., None, :] ** 2
    heat = torch.exp(-0.5 * squared / _SPREAD**2)
    heat = heat / heat.sum(dim=(2, 3), keepdim=True)
    log_share = torch.log_softmax(maps.logits.flatten(2), dim=2)
    cross_entropy = -(heat.flatten(2) * log_share).sum(dim=2)
    near = (squared <= _OFFSET_RADIUS**2).float()
    wanted_x = ((target[..., 0:1] - x) / maps.stride)[..., None, :].expand_as(near)
    wanted_y = ((target[..., 1:2] - y) / maps.stride)[..., :, None].expand_as(near)
    wanted = torch.stack([wanted_x, wanted_y], dim=2).clamp(-6.0, 6.0)
    error = functional.smooth_l1_loss(maps.offsets, wanted, reduction="none", beta=0.2).sum(dim=2)
    offset = (error * near).sum(dim=(2, 3)) / near.sum(dim=(2, 3)).clamp(min=1.0)
    total = (cross_entropy + 2.0 * offset) * weight
    return total.sum() / weight.sum().clamp(min=1.0)


def decode_keypoints(maps: KeypointMaps) -> tuple[torch.Tensor, torch.Tensor]:
    """Return keypoints (N, K, 2) in pixels and their confidence (N, K), 0 to 1.

    The votes (cell centre plus offset) of the 3 x 3 cells around the most likely one are averaged by their
    shares; the confidence is the share of the heatmap that lies in those cells.
    """
    n, k, h, w = maps.logits.shape
    share = torch.softmax(maps.logits.flatten(2), dim=2).reshape(n, k, h, w)
    best = share.flatten(2).argmax(dim=2)
    row, column = best // w, best % w
    x, y = cell_centres(h, w, maps.stride, maps.logits.device)
    near = ((torch.arange(h, device=x.device)[None, None, :] - row[..., None]).abs() <= _WINDOW // 2)[..., :, None]
    near = (
        near
        & ((torch.arange(w, device=x.device)[None, None, :] - column[..., None]).abs() <= _WINDOW // 2)[..., None, :]
    )
    weight = share * near
    confidence = weight.sum(dim=(2, 3))
    vote_x = x[None, None, None, :] + maps.offsets[:, :, 0] * maps.stride
    vote_y = y[None, None, :, None] + maps.offsets[:, :, 1] * maps.stride
    total = confidence.clamp(min=1e-9)
    pixel = torch.stack([(weight * vote_x).sum(dim=(2, 3)) / total, (weight * vote_y).sum(dim=(2, 3)) / total], dim=-1)
    return pixel, confidence


def expected_keypoints(maps: KeypointMaps) -> torch.Tensor:
    """Return the mean place (N, K, 2) of each heatmap, x and y in pixels: differentiable, and drawn to the middle.

    It is the spatial soft-argmax (Levine et al. 2016), without offsets.
    """
    n, k, h, w = maps.logits.shape
    share = torch.softmax(maps.logits.flatten(2), dim=2).reshape(n, k, h, w)
    x, y = cell_centres(h, w, maps.stride, maps.logits.device)
    return torch.stack([(share.sum(dim=2) * x).sum(dim=2), (share.sum(dim=3) * y).sum(dim=2)], dim=-1)


class RegressionHead(nn.Module):
    """The label itself from the coarsest map: average pooling and two layers, in standard units."""

    def __init__(self, channels: Sequence[int], outputs: int) -> None:
        """Build the two layers."""
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(channels[-1], 128), nn.ReLU(inplace=True), nn.Linear(128, outputs))

    def forward(self, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return values (N, outputs)."""
        out: torch.Tensor = self.layers(maps[-1].mean(dim=(2, 3)).float())
        return out
