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

# Share of the way to a new estimate when the eye is sure.
_GAIN = 0.35
# Brings metres on a table to about the spread of the other inputs.
_PER_METRE = 10.0


@dataclass(frozen=True)
class StudentSpec:
    """How to build a student.

    Attributes:
        vector_size: length of `observation` and `desired_goal` together.
        action_size: of an action.
        image_size_px: width and height of pictures; None without.
        landmarks: that the eye looks for in pictures.
        objects: whose places are estimated from what it finds.
        hidden: units of each hidden layer.
    """

    vector_size: int
    action_size: int
    image_size_px: tuple[int, int] | None = None
    landmarks: int = 0
    objects: int = 0
    hidden: int = 256


class Student(nn.Module):
    """An action for what is seen.

    The eye is trained first, to find objects and arm in pictures, and then the estimate: from where the arm is seen,
    and where it knows to be, where the objects are, although the camera is never quite where it should be. Both then
    stay as they are, so that what they say can be kept in place of pictures. Estimates are averaged over time, the more
    slowly the less sure the eye is, which also bridges moments in which the arm hides an object.
    """

    def __init__(self, spec: StudentSpec) -> None:
        """Build the networks."""
        super().__init__()
        self.spec = spec
        self.eye = None if spec.image_size_px is None else Eye(spec.landmarks)
        size = spec.vector_size + (0 if self.eye is None else NUMBERS * spec.landmarks)
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("scale", torch.ones(size))
        self.estimate: nn.Module | None = None
        if self.eye is not None:
            self.estimate = _layers(size, spec.hidden, 3 * spec.objects)
        known = spec.vector_size + (0 if self.eye is None else 3 * spec.objects)
        self.head = _layers(known, spec.hidden, spec.action_size)

    def standardise(self, vectors: NDArray[Any]) -> None:
        """Take mean and spread from vectors (N, V)."""
        self.mean.copy_(torch.as_tensor(vectors.mean(axis=0)))  # type: ignore[operator]
        self.scale.copy_(torch.as_tensor(1.0 / np.maximum(vectors.std(axis=0), 1e-3)))  # type: ignore[operator]

    @torch.no_grad()
    def see(self, observation: Mapping[str, NDArray[Any]]) -> Tensor:
        """Return `observation`, `desired_goal` and what the eye says of `image_main`, side by side, (N, V)."""
        device = next(self.parameters()).device
        parts = [torch.as_tensor(np.atleast_2d(observation[n]), device=device) for n in ("observation", "desired_goal")]
        if self.eye is not None:
            pictures = observation["image_main"]
            pictures = np.ascontiguousarray(pictures[None] if pictures.ndim == 3 else pictures)
            images = torch.as_tensor(pictures, device=device).permute(0, 3, 1, 2)
            parts.append(self.eye.points(images.contiguous(memory_format=torch.channels_last)))
        return torch.cat(parts, dim=1)

    def places(self, seen: Tensor) -> Tensor:
        """Return where the objects are, (N, 3 O) metres, by one look (N, V)."""
        assert self.estimate is not None
        found: Tensor = self.estimate(self._standard(seen))
        return found

    @torch.no_grad()
    def remember(self, seen: Tensor, before: Tensor | None) -> Tensor | None:
        """Return where the objects are, (N, 3 O), by a look (N, V) and what was known before; None without an eye."""
        if self.eye is None:
            return None
        now = self.places(seen)
        if before is None:
            return now
        objects = self.spec.objects
        sure = seen[:, self.spec.vector_size :].reshape(-1, self.spec.landmarks, NUMBERS)[:, :objects, 2:]
        step: Tensor = _GAIN * sure * (now - before).reshape(-1, objects, 3)
        return before + step.reshape(-1, 3 * objects)

    def forward(self, seen: Tensor, places: Tensor | None) -> Tensor:
        """Return actions (N, A) for looks (N, V) and where the objects are, (N, 3 O)."""
        known = self._standard(seen)[:, : self.spec.vector_size]
        if places is not None:
            known = torch.cat([known, _PER_METRE * places], dim=1)
        actions: Tensor = self.head(known)
        return actions

    def _standard(self, seen: Tensor) -> Tensor:
        standard: Tensor = (seen - self.mean) * self.scale  # type: ignore[operator]
        return standard


def _layers(inputs: int, hidden: int, outputs: int) -> nn.Module:
    return nn.Sequential(
        nn.Linear(inputs, hidden),
        nn.LayerNorm(hidden),
        nn.ReLU(),
        nn.Linear(hidden, hidden),
        nn.ReLU(),
        nn.Linear(hidden, hidden),
        nn.ReLU(),
        nn.Linear(hidden, outputs),
    )


class StudentPolicy:
    """A student as a policy with Stable-Baselines3's `predict`; its state is where the objects are."""

    def __init__(self, student: Student) -> None:
        """Keep the network."""
        self.student = student.eval()

    @torch.no_grad()
    def predict(
        self,
        observation: Mapping[str, NDArray[Any]],
        state: tuple[NDArray[Any], ...] | None = None,
        episode_start: NDArray[Any] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[np.float32], tuple[NDArray[Any], ...] | None]:
        """Return actions for one observation or a batch, and the state for the next call."""
        seen = self.student.see(observation)
        places = remembered(self.student, seen, state, episode_start)
        actions: NDArray[np.float32] = self.student(seen, places).clamp(-1, 1).cpu().numpy()
        after = None if places is None else (places.cpu().numpy(),)
        return (actions[0] if observation["observation"].ndim == 1 else actions), after


def remembered(
    student: Student, seen: Tensor, state: tuple[NDArray[Any], ...] | None, episode_start: NDArray[Any] | None
) -> Tensor | None:
    """Return where the objects are, (N, 3 O), by a look and the state of a policy; forgotten where episodes start."""
    if state is None:
        return student.remember(seen, None)
    before = torch.as_tensor(state[0], device=seen.device)
    places = student.remember(seen, before)
    if places is not None and episode_start is not None and np.any(episode_start):
        fresh = torch.as_tensor(np.asarray(episode_start, np.bool_), device=seen.device)[:, None]
        places = torch.where(fresh, student.places(seen), places)
    return places
