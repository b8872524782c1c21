"""Networks that imitate: vectors alone, or pictures with vectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


@dataclass(frozen=True)
class StudentSpec:
    """How to build a student.

    Attributes:
        vector_size: length of `observation` and `desired_goal` together.
        action_size: of an action.
        image_size_px: width and height of pictures; None without.
        objects: numbers that the auxiliary head learns (positions of the objects); pictures only.
        hidden: units of each hidden layer.
    """

    vector_size: int
    action_size: int
    image_size_px: tuple[int, int] | None = None
    objects: int = 0
    hidden: int = 256


class SpatialSoftmax(nn.Module):
    """Turns each channel into the mean place of its activation (Levine et al. 2016), -1 to 1."""

    def forward(self, features: Tensor) -> Tensor:
        """Return (N, 2 C) of features (N, C, H, W)."""
        _, _, height, width = features.shape
        share = features.flatten(2).softmax(dim=2)
        y, x = torch.meshgrid(
            torch.linspace(-1, 1, height, device=features.device),
            torch.linspace(-1, 1, width, device=features.device),
            indexing="ij",
        )
        return torch.cat([share @ x.flatten(), share @ y.flatten()], dim=1)


class Student(nn.Module):
    """An action, and for pictures where the objects are.

    Vectors are standardised by what the first data had; pictures go through four convolutions to points in the image,
    which is how places survive (Levine et al. 2016).
    """

    def __init__(self, spec: StudentSpec) -> None:
        """Build the network."""
        super().__init__()
        self.spec = spec
        self.register_buffer("mean", torch.zeros(spec.vector_size))
        self.register_buffer("scale", torch.ones(spec.vector_size))
        seen = spec.vector_size
        self.eye: nn.Module | None = None
        if spec.image_size_px is not None:
            self.eye = nn.Sequential(
                nn.Conv2d(3, 24, 5, stride=2, padding=2),
                nn.GroupNorm(4, 24),
                nn.ReLU(),
                nn.Conv2d(24, 32, 3, stride=2, padding=1),
                nn.GroupNorm(4, 32),
                nn.ReLU(),
                nn.Conv2d(32, 48, 3, padding=1),
                nn.GroupNorm(4, 48),
                nn.ReLU(),
                nn.Conv2d(48, 32, 3, padding=1),
                SpatialSoftmax(),
            )
            self.places = nn.Sequential(nn.Linear(64 + seen, 128), nn.ReLU(), nn.Linear(128, spec.objects))
            seen += 64 + spec.objects
        hidden = spec.hidden
        self.head = nn.Sequential(
            nn.Linear(seen, hidden),
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

    def forward(self, vectors: Tensor, images: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Return actions (N, A) and objects (N, O) or None.

        Args:
            vectors: float (N, V).
            images: uint8 (N, 3, H, W).
        """
        known = (vectors - self.mean) * self.scale  # type: ignore[operator]
        if self.eye is None:
            return self.head(known), None
        assert images is not None
        points = self.eye(images.float() / 127.5 - 1.0)
        places = self.places(torch.cat([points, known], dim=1))
        return self.head(torch.cat([known, points, places.detach()], dim=1)), places


def vectors_of(observation: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
    """Return `observation` and `desired_goal` side by side, (N, V)."""
    parts = [np.atleast_2d(observation["observation"]), np.atleast_2d(observation["desired_goal"])]
    return np.concatenate(parts, axis=1, dtype=np.float32)


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
        single = observation["observation"].ndim == 1
        device = next(self.student.parameters()).device
        vectors = torch.as_tensor(vectors_of(observation), device=device)
        images = None
        if self.student.spec.image_size_px is not None:
            pictures = observation["image_main"][None] if single else observation["image_main"]
            images = torch.as_tensor(np.ascontiguousarray(pictures), device=device).permute(0, 3, 1, 2)
        actions = self.student(vectors, images)[0].clamp(-1, 1).cpu().numpy()
        return (actions[0] if single else actions), state
