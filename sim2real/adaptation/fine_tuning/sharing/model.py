"""Hard parameter sharing: one encoder, several heads, all taught by labels that simulation gives for free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Literal

import torch
from torch import nn
from torch.nn import functional

from policies.device import mixed_precision
from policies.heads import KeypointMaps, keypoint_loss
from policies.perception import PerceptionModel

TaskName = Literal["keypoints", "mask", "depth", "pose"]
HeadName = Literal["mask", "depth", "pose"]
TASKS: tuple[TaskName, ...] = ("keypoints", "mask", "depth", "pose")
_WIDTH = 48
_POSE = 9
_NO_LABEL = -100


@dataclass(frozen=True, eq=False)
class TaskBatch:
    """Pictures with the labels of all tasks.

    Attributes:
        pictures: uint8 (N, 3, H, W).
        pixels: (N, K, 2) keypoints, in pixels.
        weight: (N, K), 0 leaves a keypoint out.
        mask: int64 (N, H, W), number of the body that is seen, 0 where none is.
        depth_m: (N, H, W) along z of the camera; NaN or infinity where it does not count.
        pose: (N, 4, 4), camera_from_body of one body, metres; NaN where it does not count.
    """

    pictures: torch.Tensor
    pixels: torch.Tensor
    weight: torch.Tensor
    mask: torch.Tensor
    depth_m: torch.Tensor
    pose: torch.Tensor

    def take(self, index: torch.Tensor) -> TaskBatch:
        """Return the frames of these places."""
        return TaskBatch(*(getattr(self, f.name)[index] for f in fields(self)))

    @staticmethod
    def joined(parts: Sequence[TaskBatch]) -> TaskBatch:
        """Return the frames of several batches in order."""
        return TaskBatch(*(torch.cat([getattr(p, f.name) for p in parts]) for f in fields(TaskBatch)))

    def to(self, device: torch.device) -> TaskBatch:
        """Return the batch on a device."""
        return TaskBatch(*(getattr(self, f.name).to(device) for f in fields(self)))


class DenseHead(nn.Module):
    """Values for each cell of the finest map, from all maps brought together."""

    def __init__(self, channels: Sequence[int], outputs: int) -> None:
        """Build lateral layers and the output."""
        super().__init__()
        self.lateral = nn.ModuleList([nn.Conv2d(c, _WIDTH, 1) for c in channels])
        self.out = nn.Sequential(
            nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(_WIDTH, outputs, 1)
        )

    def forward(self, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return (N, outputs, h, w)."""
        merged = self.lateral[-1](maps[-1])
        for lateral, features in zip(reversed(self.lateral[:-1]), reversed(maps[:-1]), strict=True):
            merged = lateral(features) + functional.interpolate(merged, size=features.shape[-2:], mode="nearest")
        out: torch.Tensor = self.out(merged).float()
        return out


class PoseHead(nn.Module):
    """Position and two columns of the rotation matrix (Zhou et al. 2019) from the coarsest map."""

    def __init__(self, channels: Sequence[int]) -> None:
        """Build the two layers."""
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(channels[-1], 128), nn.ReLU(inplace=True), nn.Linear(128, _POSE))

    def forward(self, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return (N, 9): x, y, z in metres, then the first and the second column."""
        out: torch.Tensor = self.layers(maps[-1].mean(dim=(2, 3)).float())
        return out


class MultiTaskModel(nn.Module):
    """One encoder with a head for each task (Caruana 1997)."""

    def __init__(self, perception: PerceptionModel, bodies: int, tasks: Sequence[TaskName] = TASKS) -> None:
        """Build heads around a perception model.

        Args:
            perception: whose encoder and keypoint head are shared; they stay its own.
            bodies: how many bodies a mask tells apart, beside "none".
            tasks: that get a head.

        Raises:
            ValueError: no task, an unknown one, or a model without keypoints head.
        """
        super().__init__()
        if not tasks or set(tasks) - set(TASKS):
            raise ValueError(f"tasks must be some of {', '.join(TASKS)}, got {list(tasks)}")
        if perception.spec.head != "keypoints":
            raise ValueError(f"a multi-task model needs a model with the keypoints head, got {perception.spec.head}")
        self.perception = perception
        backbone = self.perception.backbone
        makers: dict[str, nn.Module] = {}
        if "mask" in tasks:
            makers["mask"] = DenseHead(backbone.channels, bodies + 1)
        if "depth" in tasks:
            makers["depth"] = DenseHead(backbone.channels, 1)
        if "pose" in tasks:
            makers["pose"] = PoseHead(backbone.channels)
        self.heads = nn.ModuleDict(makers)
        self.tasks: tuple[TaskName, ...] = tuple(t for t in TASKS if t in tasks)

    def forward(self, pictures: torch.Tensor) -> dict[str, KeypointMaps | torch.Tensor]:
        """Return the output of each head for pictures (N, 3, H, W); the encoder runs once."""
        maps = self.perception.encode(pictures)
        out: dict[str, KeypointMaps | torch.Tensor] = {}
        for task in self.tasks:
            out[task] = self.perception.head(maps) if task == "keypoints" else self.heads[task](maps)
        return out

    def trunk(self) -> list[nn.Parameter]:
        """Return the parameters that all tasks share."""
        return list(self.perception.backbone.parameters())

    def losses(self, batch: TaskBatch) -> dict[str, torch.Tensor]:
        """Return the loss of each task, each a scalar: 0 where a batch says nothing about it.

        Keypoints: as in pretraining. Mask: cross-entropy of a cell's body. Depth: mean difference of the logarithms, so
        that an error of one percent counts alike near and far. Pose: mean difference of the nine numbers.
        """
        out = self(batch.pictures)
        stride = self.perception.backbone.strides[0]
        found: dict[str, torch.Tensor] = {}
        for task, value in out.items():
            if isinstance(value, KeypointMaps):
                found[task] = keypoint_loss(value, batch.pixels, batch.weight)
            elif task == "mask":
                wanted = cells(batch.mask, value.shape[2], value.shape[3], stride, _NO_LABEL)
                found[task] = functional.cross_entropy(value, wanted, ignore_index=_NO_LABEL)
            elif task == "depth":
                wanted = cells(batch.depth_m, value.shape[2], value.shape[3], stride, torch.nan)
                found[task] = _depth_loss(value[:, 0], wanted)
            else:
                found[task] = _pose_loss(value, batch.pose)
        return found


def multi_task_step(
    model: MultiTaskModel,
    optimizer: torch.optim.Optimizer,
    batch: TaskBatch,
    weights: Mapping[str, float],
    device: torch.device,
) -> dict[str, float]:
    """Take one step on the weighted sum of the tasks' losses and return each loss by itself, unweighted.

    Args:
        model: in the mode that it is in.
        optimizer: of its parameters.
        batch: on the model's device.
        weights: of each task of the model; 0 leaves one out.
        device: where the model is.

    Raises:
        ValueError: a task without weight.
    """
    missing = [task for task in model.tasks if task not in weights]
    if missing:
        raise ValueError(f"every task needs a weight, got none for {', '.join(missing)}")
    with mixed_precision(device):
        losses = model.losses(batch)
    total = torch.stack([weights[task] * loss for task, loss in losses.items() if weights[task] != 0]).sum()
    optimizer.zero_grad(set_to_none=True)
    total.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return {task: float(loss.detach()) for task, loss in losses.items()}


def cells(labels: torch.Tensor, h: int, w: int, stride: int, missing: float) -> torch.Tensor:
    """Return labels (N, H, W) at the middle pixels of h x w cells, (N, h, w).

    Pictures are padded at the right and below to what the coarsest stride divides; cells there get `missing`.
    """
    height, width = labels.shape[1:]
    rows = torch.arange(h, device=labels.device) * stride + stride // 2
    columns = torch.arange(w, device=labels.device) * stride + stride // 2
    inside = (rows < height)[:, None] & (columns < width)
    taken = labels[:, rows.clamp(max=height - 1)][:, :, columns.clamp(max=width - 1)]
    return torch.where(inside, taken, torch.full_like(taken, missing))


def pose_numbers(pose: torch.Tensor) -> torch.Tensor:
    """Return position and first two columns of rotation (N, 9) of poses (N, 4, 4)."""
    return torch.cat([pose[:, :3, 3], pose[:, :3, 0], pose[:, :3, 1]], dim=1)


def rotation_of(numbers: torch.Tensor) -> torch.Tensor:
    """Return rotation matrices (N, 3, 3) of a pose head's output (N, 9), by Gram and Schmidt."""
    x = functional.normalize(numbers[:, 3:6], dim=1)
    y = functional.normalize(numbers[:, 6:9] - (x * numbers[:, 6:9]).sum(dim=1, keepdim=True) * x, dim=1)
    return torch.stack([x, y, torch.linalg.cross(x, y)], dim=2)


def _depth_loss(log_depth: torch.Tensor, depth_m: torch.Tensor) -> torch.Tensor:
    counts = torch.isfinite(depth_m) & (depth_m > 0)
    wanted = torch.where(counts, depth_m, torch.ones_like(depth_m)).float().log()
    return ((log_depth - wanted).abs() * counts).sum() / counts.sum().clamp(min=1)


def _pose_loss(out: torch.Tensor, pose: torch.Tensor) -> torch.Tensor:
    wanted = pose_numbers(pose).float()
    counts = torch.isfinite(wanted).all(dim=1, keepdim=True)
    difference = (out - torch.nan_to_num(wanted)).abs() * counts
    return difference.sum() / (_POSE * counts.sum()).clamp(min=1)
