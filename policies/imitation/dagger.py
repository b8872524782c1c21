"""DAgger (Ross et al. 2011): the student acts, the teacher labels what it saw, the student learns from all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from calibration.world import WorldParams
from envs.arm.group import ArmGroup
from policies.imitation.demonstrations import Demonstrations, Round
from policies.imitation.student import Student, StudentPolicy

# Noise on the teacher's own actions: in the first round, which shows the student how to come back, and while pictures
# for the eye are drawn, which is to find the objects wherever the student may bring the arm.
_ACTION_NOISE, _EYE_NOISE = 0.2, 0.4


@dataclass(frozen=True)
class LearnSettings:
    """How a student is fitted to demonstrations.

    Attributes:
        updates: steps of AdamW.
        batch_size: demonstrations in each.
        learning_rate: at the beginning; it falls to zero by a cosine.
    """

    updates: int
    batch_size: int
    learning_rate: float


def draw_pictures(
    group: ArmGroup,
    teacher: Any,
    seeds: Sequence[int],
    rng: np.random.Generator,
    worlds: Callable[[np.random.Generator, int], Sequence[WorldParams]] | None,
) -> Round:
    """Return `images` with the `pixels` of the objects, (N, O, 2), of one episode for each seed.

    Args:
        group: environments; as many seeds as it has are run at a time.
        teacher: acts, with noise.
        seeds: a multiple of the group's number.
        rng: for the noise and the worlds.
        worlds: draws that many worlds. Each picture is drawn in a world of its own, so that there are as many looks as
            steps instead of as many as episodes.
    """
    images, pixels = [], []
    for _ in _episodes(group, seeds):
        found, places = group.labelled(None if worlds is None else worlds(rng, len(group.envs)))
        images.append(found)
        pixels.append(places)
        group.step(_noisy(_wanted(group, teacher), _EYE_NOISE, rng), look=False)
    return {"images": np.concatenate(images), "pixels": np.concatenate(pixels)}


def gather(
    group: ArmGroup, teacher: Any, student: Student, acts: bool, seeds: Sequence[int], rng: np.random.Generator
) -> tuple[Round, int]:
    """Return what happened in one episode for each seed, and in how many the goal was reached.

    Args:
        group: environments; as many seeds as it has are run at a time.
        teacher: labels every step.
        student: sees.
        acts: whether the student acts; if not, the teacher does, with noise.
        seeds: a multiple of the group's number.
        rng: for the noise.
    """
    vectors, actions = [], []
    policy, solved = StudentPolicy(student), 0
    for reached in _episodes(group, seeds):
        wanted = _wanted(group, teacher)
        seen = student.vectors_of(group.observe())
        vectors.append(seen.cpu().numpy())
        actions.append(wanted)
        group.step(policy.act(seen) if acts else _noisy(wanted, _ACTION_NOISE, rng), look=False)
        now = group.successes()
        solved += int((now & ~reached).sum())
        reached |= now
    return {"vectors": np.concatenate(vectors), "actions": np.concatenate(actions)}, solved


def count_solved(group: ArmGroup, act: Callable[[], Any], seeds: Sequence[int]) -> int:
    """Return in how many episodes the goal is reached.

    Args:
        group: environments.
        act: returns the actions of all for the present state.
        seeds: a multiple of the group's number.
    """
    solved = 0
    for reached in _episodes(group, seeds):
        group.step(act(), look=False)
        now = group.successes()
        solved += int((now & ~reached).sum())
        reached |= now
    return solved


def learn(
    student: Student,
    data: Demonstrations,
    settings: LearnSettings,
    seed: int,
    device: torch.device,
    step: Callable[[int, float], None] | None = None,
) -> None:
    """Fit the student to `actions` for `vectors`: Huber loss, AdamW.

    Args:
        student: is changed.
        data: of all rounds.
        settings: how.
        seed: of the batches.
        device: where the student is.
        step: is told the number of updates made and the loss.
    """
    vectors, actions = data.every("vectors").to(device), data.every("actions").to(device)
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(student.head.parameters(), lr=settings.learning_rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.updates)
    for k in range(settings.updates):
        chosen = torch.randint(len(vectors), (settings.batch_size,), generator=generator).to(device)
        loss = F.smooth_l1_loss(student(vectors[chosen]), actions[chosen], beta=0.1)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(student.head.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step is not None:
            step(k + 1, float(loss.detach()))


def _episodes(group: ArmGroup, seeds: Sequence[int]) -> Iterator[NDArray[np.bool_]]:
    """Begin the episodes, a group at a time, and yield before every step, with an array to note who is done."""
    for start in range(0, len(seeds), len(group.envs)):
        group.begin(seeds[start : start + len(group.envs)], look=False)
        reached = np.zeros(len(group.envs), np.bool_)
        for _ in range(group.envs[0].task.horizon):
            yield reached


def _wanted(group: ArmGroup, teacher: Any) -> NDArray[np.float32]:
    actions: NDArray[np.float32] = np.clip(teacher.predict(group.true_observation())[0], -1.0, 1.0).astype(np.float32)
    return actions


def _noisy(actions: NDArray[np.float32], noise: float, rng: np.random.Generator) -> NDArray[np.float64]:
    return np.clip(actions + noise * rng.standard_normal(actions.shape), -1.0, 1.0)
