"""What each stage of a model makes of pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from policies.heads import KeypointMaps, decode_keypoints
from policies.perception import PerceptionModel
from sim2real.advice.arrays import Floats

# How sharply a channel's place is that of its largest values, for values of spread 1.
_SHARPNESS = 3.0
_BATCH = 16


@dataclass(frozen=True, eq=False)
class StageFeatures:
    """Features of N pictures at one stage.

    Attributes:
        pooled: (N, C), the map's mean over the picture: for distances between domains.
        places: (N, 2 C), x and y of each channel's spatial soft-argmax, -1 to 1 over the picture (Levine et al. 2016):
            for labels that are places, which a mean over the picture forgets.
    """

    pooled: Floats
    places: Floats


@dataclass(frozen=True, eq=False)
class Answers:
    """What a keypoint model makes of N pictures.

    Attributes:
        stages: finest first.
        confidence: (N,), of the least certain keypoint.
        keypoints_px: (N, K, 2), in pixels of the input.
    """

    stages: tuple[StageFeatures, ...]
    confidence: Floats
    keypoints_px: Floats


def stage_names(model: PerceptionModel) -> list[str]:
    """Return timm's names of the stages whose maps the model uses, finest first."""
    return [str(name).replace(".", "_") for name in model.backbone.net.feature_info.module_name()]


@torch.no_grad()
def answers(model: PerceptionModel, pictures: NDArray[np.uint8], device: torch.device) -> Answers:
    """Return what a keypoint model makes of pictures uint8 (N, H, W, 3), N 1 or more; it is left in evaluation mode."""
    model.eval()
    pooled: list[list[torch.Tensor]] = []
    places: list[list[torch.Tensor]] = []
    confidence, pixels = [], []
    for start in range(0, len(pictures), _BATCH):
        part = torch.from_numpy(np.ascontiguousarray(pictures[start : start + _BATCH])).permute(0, 3, 1, 2)
        maps = model.encode(part.to(device))
        out = model.head(maps)
        assert isinstance(out, KeypointMaps)
        place, sure = decode_keypoints(out)
        pixels.append(place)
        confidence.append(sure.min(dim=1).values)
        pooled.append([m.float().mean(dim=(2, 3)) for m in maps])
        places.append([soft_argmax(m.float()) for m in maps])
    stages = [
        StageFeatures(_joined([p[k] for p in pooled]), _joined([g[k] for g in places])) for k in range(len(pooled[0]))
    ]
    return Answers(tuple(stages), _joined(confidence), _joined(pixels))


def soft_argmax(maps: torch.Tensor) -> torch.Tensor:
    """Return the places (N, 2 C) of channels of maps (N, C, h, w): all x, then all y; 0 where a channel is flat.

    Each channel is brought to mean 0 and spread 1 over the picture first, so that its scale does not matter.
    """
    n, c, h, w = maps.shape
    flat = maps.flatten(2)
    centred = flat - flat.mean(dim=2, keepdim=True)
    spread = centred.std(dim=2, keepdim=True, unbiased=False)
    share = torch.softmax(_SHARPNESS * centred / (spread + 1e-6), dim=2).reshape(n, c, h, w)
    x = (torch.arange(w, device=maps.device) + 0.5) / w * 2 - 1
    y = (torch.arange(h, device=maps.device) + 0.5) / h * 2 - 1
    return torch.cat([(share.sum(dim=2) * x).sum(dim=2), (share.sum(dim=3) * y).sum(dim=2)], dim=1)


def _joined(parts: list[torch.Tensor]) -> Floats:
    return np.asarray(torch.cat(parts).double().cpu().numpy())
