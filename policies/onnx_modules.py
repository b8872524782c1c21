"""Models and policies as plain functions of tensors, which ONNX can hold."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from calibration.errors import InputError
from policies.checkpoint import CARD as MODEL_CARD
from policies.checkpoint import load_checkpoint
from policies.heads import KeypointMaps, decode_keypoints
from policies.imitation.student import Student, StudentPolicy
from policies.perception import PerceptionModel
from policies.saved import load_policy


@dataclass(frozen=True, eq=False)
class Exportable:
    """What to export.

    Attributes:
        kind: for people.
        module: takes `inputs` by position and returns tensors.
        inputs: an example of each input by name; the first dimension is the batch.
        outputs: names.
    """

    kind: str
    module: nn.Module
    inputs: dict[str, Tensor]
    outputs: tuple[str, ...]


def exportable(folder: Path, batch: int = 2) -> Exportable:
    """Return what is in the folder of a run or a checkpoint, with random inputs.

    Raises:
        InputError: no finished model or policy.
    """
    generator = torch.Generator().manual_seed(0)
    if any((place / MODEL_CARD).is_file() for place in (folder, folder / "model")):
        model, card = load_checkpoint(folder, torch.device("cpu"))
        width, height = card.spec.input_size_px
        pictures = torch.randint(0, 256, (batch, 3, height, width), dtype=torch.uint8, generator=generator)
        keypoints = card.spec.head == "keypoints"
        names = ("keypoints_px", "confidence") if keypoints else ("point_m",)
        return Exportable("perception model", _Perception(model).eval(), {"pictures": pictures}, names)
    policy = load_policy(folder)
    if isinstance(policy, StudentPolicy):
        return _student(policy.student, batch, generator)
    return _learned(policy, batch, generator)


class _Perception(nn.Module):
    def __init__(self, model: PerceptionModel) -> None:
        super().__init__()
        self.model = model
        spec = model.spec
        self.register_buffer("mean", torch.tensor(spec.point_mean_m))
        self.register_buffer("std", torch.tensor(spec.point_std_m))

    def forward(self, pictures: Tensor) -> Any:
        out = self.model(pictures)
        return decode_keypoints(out) if isinstance(out, KeypointMaps) else out * self.std + self.mean


def _student(student: Student, batch: int, generator: torch.Generator) -> Exportable:
    spec = student.spec
    vector = torch.randn(batch, spec.vector_size, generator=generator)
    if spec.image_size_px is None:
        return Exportable("policy of vectors", _VectorStudent(student).eval(), {"vector": vector}, ("action",))
    width, height = spec.image_size_px
    images = torch.randint(0, 256, (batch, height, width, 3), dtype=torch.uint8, generator=generator)
    inputs = {"vector": vector, "image_main": images, "places": torch.zeros(batch, 3 * spec.objects)}
    inputs["first"] = torch.arange(batch, dtype=torch.float32)[:, None] % 2
    return Exportable("camera policy", _CameraStudent(student).eval(), inputs, ("action", "places_after"))


class _VectorStudent(nn.Module):
    def __init__(self, student: Student) -> None:
        super().__init__()
        self.student = student

    def forward(self, vector: Tensor) -> Tensor:
        found: Tensor = self.student(vector, None).clamp(-1, 1)
        return found


class _CameraStudent(nn.Module):
    """`first` (N, 1) is 1 at an episode's first step, where `places` (N, 3 O) are not used."""

    def __init__(self, student: Student) -> None:
        super().__init__()
        self.student = student

    def forward(self, vector: Tensor, image_main: Tensor, places: Tensor, first: Tensor) -> tuple[Tensor, Tensor]:
        assert self.student.eye is not None
        seen = torch.cat([vector, self.student.eye.points(image_main.permute(0, 3, 1, 2))], dim=1)
        known = self.student.remember(seen, places)
        assert known is not None
        after = first * self.student.places(seen) + (1.0 - first) * known
        return self.student(seen, after).clamp(-1, 1), after


def _learned(policy: Any, batch: int, generator: torch.Generator) -> Exportable:
    parts = getattr(policy.observation_space, "spaces", {"observation": policy.observation_space})
    inputs = {}
    for name, space in sorted(parts.items()):
        if space.dtype == "uint8":
            inputs[name] = torch.randint(0, 256, (batch, *space.shape), dtype=torch.uint8, generator=generator)
        else:
            inputs[name] = torch.randn(batch, *space.shape, generator=generator)
    module = _Learned(policy, tuple(inputs) if hasattr(policy.observation_space, "spaces") else ())
    return Exportable("policy", module.eval(), inputs, ("action",))


class _Learned(nn.Module):
    """The best action of a policy of Stable-Baselines3, within its bounds."""

    def __init__(self, policy: Any, names: tuple[str, ...]) -> None:
        super().__init__()
        if not hasattr(policy.action_space, "low"):
            raise InputError(f"policies with Box actions can be exported, got {policy.action_space}")
        self.policy, self.names = policy, names
        self.register_buffer("low", torch.as_tensor(policy.action_space.low))
        self.register_buffer("high", torch.as_tensor(policy.action_space.high))

    def forward(self, *parts: Tensor) -> Tensor:
        low, high = cast(Tensor, self.low), cast(Tensor, self.high)
        observation: Any = dict(zip(self.names, parts, strict=True)) if self.names else parts[0]
        actions = self.policy._predict(observation, deterministic=True)
        if self.policy.squash_output:
            # As predict does: from -1 and 1 to the bounds.
            actions = low + 0.5 * (actions + 1.0) * (high - low)
        found: Tensor = torch.clamp(actions, low, high)
        return found
