"""What a model makes of pictures, in the form that methods of adaptation compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from policies.heads import KeypointMaps, expected_keypoints
from policies.perception import PerceptionModel


@dataclass(frozen=True, eq=False)
class Seen:
    """Features and output of N pictures of one domain.

    Attributes:
        maps: the backbone's feature maps (N, C, h, w), finest first.
        features: (N, D), one map averaged over the picture.
        output: (N, L), what the head says, differentiable: for keypoints their expected x, y as -1 at the left or upper
            edge to 1 at the other, for regression the label in standard units.
        out: the head's own output.
    """

    maps: tuple[torch.Tensor, ...]
    features: torch.Tensor
    output: torch.Tensor
    out: KeypointMaps | torch.Tensor


def see(model: PerceptionModel, pictures: torch.Tensor, stage: int = -1) -> Seen:
    """Return what a model makes of pictures (N, 3, H, W), with gradients; `stage` counts maps, -1 is the coarsest."""
    maps = model.encode(pictures)
    out: KeypointMaps | torch.Tensor = model.head(maps)
    return Seen(tuple(maps), pooled(maps, stage), output_vector(model, out), out)


def pooled(maps: Sequence[torch.Tensor], stage: int = -1) -> torch.Tensor:
    """Return one feature map averaged over the picture, (N, D), in float32."""
    return maps[stage].float().mean(dim=(2, 3))


def output_vector(model: PerceptionModel, out: KeypointMaps | torch.Tensor) -> torch.Tensor:
    """Return the head's output as `Seen.output`."""
    if isinstance(out, KeypointMaps):
        return _unit_pixels(model, expected_keypoints(out)).flatten(1)
    return out.float()


def label_vector(
    model: PerceptionModel, pixels: torch.Tensor, weight: torch.Tensor, points: torch.Tensor
) -> torch.Tensor:
    """Return labels (N, L) in the coordinates of `Seen.output`; NaN where a keypoint does not count.

    Args:
        model: whose output they are compared with.
        pixels: (N, K, 2) keypoints.
        weight: (N, K), 0 where a keypoint does not count.
        points: (N, 3) label points, metres.
    """
    if model.spec.head == "regression":
        return torch.where(weight[:, :1] > 0, model.standard_points(points), torch.nan)
    counted = torch.where((weight > 0)[..., None], _unit_pixels(model, pixels.float()), torch.nan)
    return counted.flatten(1)


def _unit_pixels(model: PerceptionModel, pixels: torch.Tensor) -> torch.Tensor:
    size = torch.tensor(model.spec.input_size_px, dtype=torch.float32, device=pixels.device)
    return 2.0 * (pixels + 0.5) / size - 1.0
