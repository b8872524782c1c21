"""The perception model: a backbone, a head, and how a picture goes in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from calibration.errors import InputError
from policies.backbone import Backbone
from policies.heads import KeypointHead, KeypointMaps, RegressionHead, decode_keypoints, keypoint_loss
from policies.translator import Translator

HeadName = Literal["keypoints", "regression"]
# Every timm model is fed like this here, pretrained or not: ImageNet's mean and standard deviation, rounded.
_MEAN, _STD = 0.45, 0.225


@dataclass(frozen=True)
class ModelSpec:
    """Everything needed to build a model again.

    Attributes:
        backbone: timm name.
        head: "keypoints" or "regression".
        keypoints: how many keypoints the rig has.
        input_size_px: width and height of the pictures.
        point_mean_m: centre of the label points, for regression.
        point_std_m: their spread, for regression.
        front: what a picture goes through first: nothing, or a network that gives it the looks of the nominal world.
    """

    backbone: str
    head: HeadName
    keypoints: int
    input_size_px: tuple[int, int]
    point_mean_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    point_std_m: tuple[float, float, float] = (1.0, 1.0, 1.0)
    front: Literal["none", "canonical"] = "none"


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a model says about N pictures.

    Attributes:
        keypoints_px: (N, K, 2) in pixels of the input; None from a regression head.
        confidence: (N, K), 0 to 1; None from a regression head.
        points_m: (N, 3) label points; None from a keypoint head.
    """

    keypoints_px: NDArray[np.float64] | None
    confidence: NDArray[np.float64] | None
    points_m: NDArray[np.float64] | None


class PerceptionModel(nn.Module):
    """Pictures to keypoints, or to the label."""

    def __init__(self, spec: ModelSpec, weights: str | Path | None = None) -> None:
        """Build the model; `weights` are the backbone's.

        Raises:
            InputError: an unknown backbone, one that takes no pictures of this size, or weights of another.
        """
        super().__init__()
        self.spec = spec
        self.front = Translator() if spec.front == "canonical" else None
        self.backbone = Backbone(spec.backbone, weights)
        self.head: nn.Module
        if spec.head == "keypoints":
            self.head = KeypointHead(self.backbone.channels, self.backbone.strides, spec.keypoints)
        else:
            self.head = RegressionHead(self.backbone.channels, 3)
        self._check_size()

    @torch.no_grad()
    def _check_size(self) -> None:
        """Try a picture, because some models take only pictures of the size that they were made for."""
        width, height = self.spec.input_size_px
        self.eval()
        try:
            self.forward(torch.zeros(1, 3, height, width))
        except (AssertionError, RuntimeError) as error:
            reason = (str(error).splitlines() or ["no reason given"])[0]
            raise InputError(
                f"backbone '{self.spec.backbone}' cannot take pictures of {width}x{height} pixels: {reason}"
            ) from None
        self.train()

    def encode(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        """Return the backbone's feature maps, finest first, of pictures (N, 3, H, W), uint8 or float 0 to 255."""
        x = pictures.float() / 255.0
        if self.front is not None:
            x = self.front(x)
        x = (x - _MEAN) / _STD
        # Some models need sides that their coarsest stride divides.
        step = self.backbone.strides[-1]
        bottom, right = -x.shape[2] % step, -x.shape[3] % step
        if bottom or right:
            x = functional.pad(x, (0, right, 0, bottom))
        maps: list[torch.Tensor] = self.backbone(x.contiguous(memory_format=torch.channels_last))
        return maps

    def forward(self, pictures: torch.Tensor) -> KeypointMaps | torch.Tensor:
        """Return the head's output for pictures (N, 3, H, W) of type uint8 or float 0 to 255."""
        out: KeypointMaps | torch.Tensor = self.head(self.encode(pictures))
        return out

    def loss(
        self, pictures: torch.Tensor, pixels: torch.Tensor, weight: torch.Tensor, points: torch.Tensor
    ) -> torch.Tensor:
        """Return the training loss.

        Args:
            pictures: (N, 3, H, W).
            pixels: (N, K, 2) keypoints.
            weight: (N, K), 0 leaves a keypoint out; a frame whose first weight is 0 does not count for
                regression.
            points: (N, 3) label points, metres.
        """
        return self.loss_of(self.forward(pictures), pixels, weight, points)

    def loss_of(
        self, out: KeypointMaps | torch.Tensor, pixels: torch.Tensor, weight: torch.Tensor, points: torch.Tensor
    ) -> torch.Tensor:
        """Return the training loss of an output of `forward`; the labels are as in `loss`."""
        if isinstance(out, KeypointMaps):
            return keypoint_loss(out, pixels, weight)
        error = functional.smooth_l1_loss(out, self.standard_points(points), reduction="none")
        used = (weight[:, :1] > 0).float()
        return (error * used).sum() / (3 * used.sum()).clamp(min=1.0)

    def standard_points(self, points: torch.Tensor) -> torch.Tensor:
        """Return label points (N, 3), metres, in the standard units of a regression head; NaN becomes 0 m."""
        mean, std = (torch.tensor(v, device=points.device) for v in (self.spec.point_mean_m, self.spec.point_std_m))
        return (torch.nan_to_num(points).float() - mean) / std

    @torch.no_grad()
    def predict(self, pictures: NDArray[np.uint8], device: torch.device, batch: int = 16) -> Prediction:
        """Return predictions for pictures uint8 (N, H, W, 3); the model is left in evaluation mode."""
        self.eval()
        pixels, confidences, points = [], [], []
        for start in range(0, len(pictures), batch):
            part = torch.from_numpy(np.ascontiguousarray(pictures[start : start + batch])).permute(0, 3, 1, 2)
            out = self.forward(part.to(device))
            if isinstance(out, KeypointMaps):
                pixel, confidence = decode_keypoints(out)
                pixels.append(pixel.double().cpu().numpy())
                confidences.append(confidence.double().cpu().numpy())
            else:
                values = out.double().cpu().numpy()
                points.append(values * np.array(self.spec.point_std_m) + np.array(self.spec.point_mean_m))
        if pixels:
            return Prediction(np.concatenate(pixels), np.concatenate(confidences), None)
        if points:
            return Prediction(None, None, np.concatenate(points))
        k = self.spec.keypoints
        if self.spec.head == "keypoints":
            return Prediction(np.zeros((0, k, 2)), np.zeros((0, k)), None)
        return Prediction(None, None, np.zeros((0, 3)))


def put_front(model: PerceptionModel, front: Translator) -> None:
    """Put a translator before the backbone, in place of any that is there; the model's spec says so."""
    model.front = front
    model.spec = replace(model.spec, front="canonical")


def freeze(module: nn.Module) -> None:
    """Freeze a module for good: no gradients, and its normalization keeps its statistics.

    Call it again after every `train()` of a parent.
    """
    module.eval()
    for parameter in module.parameters():
        parameter.requires_grad_(False)


def freeze_normalization(module: nn.Module) -> None:
    """Keep the statistics of every batch normalization; its scale and shift still learn."""
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            part.eval()
