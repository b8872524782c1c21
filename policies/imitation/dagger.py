"""DAgger (Ross et al. 2011): the student acts, the teacher labels what it saw, the student learns from all of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from calibration.world import WorldParams
from envs.arm.group import ArmGroup
from policies.imitation.demonstrations import Demonstrations, Round
from policies.imitation.student import Student, vectors_of

# Noise on the teacher's own actions in the first round, which shows the student how to come back.
_ACTION_NOISE = 0.2
# Pictures are shifted by up to this many pixels each way (Kostrikov et al. 2021).
_SHIFT_PX = 4


@dataclass(frozen=True)
class LearnSettings:
    """How a student is fitted to demonstrations.

    Attributes:
        updates: steps of Adam.
        batch_size: demonstrations in each.
        learning_rate: at the beginning; it falls to zero by a cosine.
    """

    updates: int
    batch_size: int
    learning_rate: float


def gather(
    group: ArmGroup,
    teacher: Any,
    student: Any,
    seeds: Sequence[int],
    rng: np.random.Generator,
    worlds: Callable[[np.random.Generator, int], Sequence[WorldParams]] | None = None,
) -> tuple[Round, int]:
    """Return what happened in one episode for each seed, and in how many the goal was reached.

    Args:
        group: environments; as many seeds as it has are run at a time.
        teacher: labels every step, and acts, with noise, where there is no student.
        student: acts, or None.
        seeds: a multiple of the group's number.
        rng: for the noise and the worlds.
        worlds: draws that many worlds. Pictures are kept not as the student saw them, but each drawn again in a world
            of its own, so that what is learned from has as many looks as steps instead of as many as episodes.
    """
    found: dict[str, list[Any]] = {"vectors": [], "actions": [], "objects": [], "images": []}
    solved, size = 0, len(group.envs)
    pixels = group.envs[0].observation_kind != "state"
    look = student is not None or worlds is None
    for start in range(0, len(seeds), len(group.envs)):
        seen = group.begin(seeds[start : start + len(group.envs)], look)
        reached = np.zeros(size, np.bool_)
        for _ in range(group.envs[0].task.horizon):
            wanted = np.clip(teacher.predict(group.true_observation())[0], -1.0, 1.0).astype(np.float32)
            found["vectors"].append(vectors_of(seen if look else group.observe(pictures=False)))
            found["actions"].append(wanted)
            found["objects"].append(group.objects())
            if pixels:
                found["images"].append(seen["image_main"] if worlds is None else group.redrawn(worlds(rng, size)))
            if student is None:
                acted = np.clip(wanted + _ACTION_NOISE * rng.standard_normal(wanted.shape), -1.0, 1.0)
            else:
                acted = student.predict(seen)[0]
            seen = group.step(acted, look)
            reached |= group.successes()
        solved += int(reached.sum())
    return {name: np.concatenate(parts) for name, parts in found.items() if parts}, solved


def count_solved(group: ArmGroup, act: Callable[[], Any], seeds: Sequence[int]) -> int:
    """Return in how many episodes the goal is reached.

    Args:
        group: environments.
        act: returns the actions of all for the present state.
        seeds: a multiple of the group's number.
    """
    solved = 0
    for start in range(0, len(seeds), len(group.envs)):
        group.begin(seeds[start : start + len(group.envs)], look=False)
        reached = np.zeros(len(group.envs), np.bool_)
        for _ in range(group.envs[0].task.horizon):
            group.step(act(), look=False)
            reached |= group.successes()
        solved += int(reached.sum())
    return solved


def learn(
    student: Student,
    data: Demonstrations,
    settings: LearnSettings,
    seed: int,
    device: torch.device,
    step: Callable[[int, float], None] | None = None,
) -> None:
    """Fit the student: Huber loss on actions and, with pictures, on where the objects are.

    Args:
        student: is changed.
        data: of all rounds.
        settings: how.
        seed: of batches and shifts.
        device: where the student is.
        step: is told the number of updates made and the loss.
    """
    vectors, actions, objects = data.every("vectors"), data.every("actions"), data.every("objects")
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(student.parameters(), lr=settings.learning_rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.updates)
    student.train()
    for k in range(settings.updates):
        chosen = torch.randint(len(vectors), (settings.batch_size,), generator=generator)
        pictures = None if student.eye is None else _shifted(data.images(chosen), generator).to(device)
        found, places = student(vectors[chosen].to(device), pictures)
        loss = F.smooth_l1_loss(found, actions[chosen].to(device), beta=0.1)
        if places is not None:
            loss = loss + 10.0 * F.smooth_l1_loss(places, objects[chosen].to(device), beta=0.02)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step is not None:
            step(k + 1, float(loss.detach()))
    student.eval()


def _shifted(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return pictures (N, 3, H, W) moved by whole pixels, the border repeated; one shift for the batch."""
    height, width = images.shape[2:]
    x, y = torch.randint(0, 2 * _SHIFT_PX + 1, (2,), generator=generator).tolist()
    padded = F.pad(images.float(), (_SHIFT_PX,) * 4, mode="replicate")
    return padded[:, :, y : y + height, x : x + width].to(torch.uint8)
