"""Policies that imitate: vectors alone, or pictures with vectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from policies.imitation.eye import NUMBERS, Eye


@dataclass(frozen=True)
class StudentSpec:
    """How to build a student.

    Attributes:
        vector_size: length of `observation` and `desired_goal` together.
        action_size: of an action.
        image_size_px: width and height of pictures; None without.
        objects: that are looked for in pictures.
        hidden: units of each hidden layer.
    """

    vector_size: int
    action_size: int
    image_size_px: tuple[int, int] | None = None
    objects: int = 0
    hidden: int = 256


class Student(nn.Module):
    """An action for a vector, with what the eye says of a picture at its end where there are pictures.

    The eye is trained first, to find the objects, and then stays as it is, so that what it says can be kept in place
    of the picture.
    """

    def __init__(self, spec: StudentSpec) -> None:
        """Build the networks."""
        super().__init__()
        self.spec = spec
        self.eye = None if spec.image_size_px is None else Eye(spec.objects)
        size = spec.vector_size + (0 if self.eye is None else NUMBERS * spec.objects)
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("scale", torch.ones(size))
        hidden = spec.hidden
        self.head = nn.Sequential(
            nn.Linear(size, hidden),
            nn.LayerNorm(hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, spec.action_size),
        )

    def standardise(self, vectors: NDArray[Any]) -> None:
        """Take mean and spread from vectors (N, V)."""
        self.mean.copy_(torch.as_tensor(vectors.mean(axis=0)))  # type: ignore[operator]
        self.scale.copy_(torch.as_tensor(1.0 / np.maximum(vectors.std(axis=0), 1e-3)))  # type: ignore[operator]

    def forward(self, vectors: Tensor) -> Tensor:
        """Return actions (N, A) for vectors (N, V) that `vectors_of` made."""
        actions: Tensor = self.head((vectors - self.mean) * self.scale)  # type: ignore[operator]
        return actions

    @torch.no_grad()
    def vectors_of(self, observation: Mapping[str, NDArray[Any]]) -> Tensor:
        """Return `observation`, `desired_goal` and what the eye says of `image_main`, side by side, (N, V)."""
        device = next(self.parameters()).device
        parts = [torch.as_tensor(np.atleast_2d(observation[n]), device=device) for n in ("observation", "desired_goal")]
        if self.eye is not None:
            pictures = observation["image_main"]
            pictures = np.ascontiguousarray(pictures[None] if pictures.ndim == 3 else pictures)
            images = torch.as_tensor(pictures, device=device).permute(0, 3, 1, 2)
            parts.append(self.eye.points(images.contiguous(memory_format=torch.channels_last)))
        return torch.cat(parts, dim=1)


class StudentPolicy:
    """A student as a policy with Stable-Baselines3's `predict`."""

    def __init__(self, student: Student) -> None:
        """Keep the network."""
        self.student = student.eval()

    @torch.no_grad()
    def predict(
        self,
        observation: Mapping[str, NDArray[Any]],
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[np.float32], Any]:
        """Return actions for one observation or a batch."""
        actions = self.act(self.student.vectors_of(observation))
        return (actions[0] if observation["observation"].ndim == 1 else actions), state

    @torch.no_grad()
    def act(self, vectors: Tensor) -> NDArray[np.float32]:
        """Return actions (N, A) for vectors that the student's `vectors_of` made."""
        found: NDArray[np.float32] = self.student(vectors).clamp(-1, 1).cpu().numpy()
        return found
