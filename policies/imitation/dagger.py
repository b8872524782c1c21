"""DAgger (Ross et al. 2011): the student acts, the teacher labels what it saw, the student learns from all of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from calibration.world import WorldParams
from envs.arm.group import ArmGroup
from policies.group_episodes import episodes
from policies.imitation.demonstrations import Demonstrations, Round
from policies.imitation.student import Student
from policies.see_then_act import believed

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
    """Return pictures with what is known of them, of one episode for each seed.

    They are `images` with the `pixels` of the landmarks, (N, L, 2), the robot's own `vectors` and the `objects`.

    Args:
        group: environments; as many seeds as it has are run at a time.
        teacher: acts, with noise.
        seeds: a multiple of the group's number.
        rng: for the noise and the worlds.
        worlds: draws that many worlds. Each picture is drawn in a world of its own, so that there are as many looks as
            steps instead of as many as episodes.
    """
    found: dict[str, list[NDArray[Any]]] = {"images": [], "pixels": [], "vectors": [], "objects": []}
    for _ in episodes(group, seeds):
        images, pixels = group.labelled(None if worlds is None else worlds(rng, len(group.envs)))
        known = group.observe(pictures=False)
        found["images"].append(images)
        found["pixels"].append(pixels)
        found["vectors"].append(np.concatenate([known["observation"], known["desired_goal"]], axis=1))
        found["objects"].append(group.objects())
        group.step(_noisy(_asked(teacher, group.true_observation()), _EYE_NOISE, rng), look=False)
    return {name: np.concatenate(parts) for name, parts in found.items()}


def gather(
    group: ArmGroup, teacher: Any, student: Student, acts: bool, seeds: Sequence[int], rng: np.random.Generator
) -> tuple[Round, int]:
    """Return what happened in one episode for each seed, and in how many the goal was reached.

    It is `seen`, the `places` that the student remembers, where it has an eye, and the teacher's `actions`. The teacher
    is asked about the state as the student has it, from its sensors or as it believes it to be: asked about the true
    one it demands what the student cannot know, now this and now that, and a student that learns the mean of it stands
    still.

    Args:
        group: environments; as many seeds as it has are run at a time.
        teacher: labels every step.
        student: sees.
        acts: whether the student acts; if not, the teacher does, with noise.
        seeds: a multiple of the group's number.
        rng: for the noise.
    """
    found: dict[str, list[NDArray[Any]]] = {"seen": [], "places": [], "actions": []}
    solved, places = 0, None
    for number, reached in episodes(group, seeds):
        observed = group.observe()
        seen = student.see(observed)
        places = student.remember(seen, None if number == 0 else places)
        found["seen"].append(seen.cpu().numpy())
        if places is None:
            wanted = _asked(teacher, observed)
        else:
            found["places"].append(places.cpu().numpy())
            wanted = _asked(teacher, believed(observed, places.cpu().numpy(), group.envs[0].task))
        found["actions"].append(wanted)
        with torch.no_grad():
            own = student(seen, places).clamp(-1, 1).cpu().numpy()
        group.step(own if acts else _noisy(wanted, _ACTION_NOISE, rng), look=False)
        now = group.successes()
        solved += int((now & ~reached).sum())
        reached |= now
    return {name: np.concatenate(parts) for name, parts in found.items() if parts}, solved


def learn(
    student: Student,
    data: Demonstrations,
    settings: LearnSettings,
    seed: int,
    device: torch.device,
    step: Callable[[int, float], None] | None = None,
) -> None:
    """Fit the student's head to the teacher's actions: Huber loss, AdamW. Eye and estimate stay as they are.

    Args:
        student: is changed.
        data: of all rounds.
        settings: how.
        seed: of the batches.
        device: where the student is.
        step: is told the number of updates made and the loss.
    """
    seen, actions = data.every("seen").to(device), data.every("actions").to(device)
    places = None if student.eye is None else data.every("places").to(device)

    def loss(chosen: torch.Tensor) -> torch.Tensor:
        found = student(seen[chosen], None if places is None else places[chosen])
        return F.smooth_l1_loss(found, actions[chosen], beta=0.1)

    _fit(student.head, loss, len(seen), settings, seed, device, step)


def learn_estimate(
    student: Student,
    data: Demonstrations,
    settings: LearnSettings,
    seed: int,
    device: torch.device,
    step: Callable[[int, float], None] | None = None,
) -> None:
    """Fit the estimate of where objects are to pictures that the eye has been trained on; arguments as of `learn`."""
    assert student.estimate is not None
    seen, objects = _looks(student, data, device), data.every("objects").to(device)
    student.standardise(seen.cpu().numpy())

    def loss(chosen: torch.Tensor) -> torch.Tensor:
        return F.smooth_l1_loss(student.places(seen[chosen]), objects[chosen], beta=0.01)

    _fit(student.estimate, loss, len(seen), settings, seed, device, step)


@torch.no_grad()
def place_errors(student: Student, data: Demonstrations, device: torch.device) -> torch.Tensor:
    """Return how far estimates by one look are off, metres, (N, O), for pictures that were not trained on."""
    missed = student.places(_looks(student, data, device)).cpu() - data.every("objects")
    errors: torch.Tensor = torch.linalg.norm(missed.reshape(len(missed), -1, 3), dim=2)
    return errors


@torch.no_grad()
def _looks(student: Student, data: Demonstrations, device: torch.device) -> torch.Tensor:
    """Return what the student sees, (N, V), of pictures with the robot's own vectors."""
    known, points = data.every("vectors"), []
    assert student.eye is not None
    for start in range(0, len(known), 256):
        images = data.images(torch.arange(start, min(start + 256, len(known)))).to(device)
        points.append(student.eye.points(images.contiguous(memory_format=torch.channels_last)))
    return torch.cat([known.to(device), torch.cat(points)], dim=1)


def _fit(
    part: nn.Module,
    loss_of: Callable[[torch.Tensor], torch.Tensor],
    count: int,
    settings: LearnSettings,
    seed: int,
    device: torch.device,
    step: Callable[[int, float], None] | None,
) -> None:
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(part.parameters(), lr=settings.learning_rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.updates)
    for k in range(settings.updates):
        loss = loss_of(torch.randint(count, (settings.batch_size,), generator=generator).to(device))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(part.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step is not None:
            step(k + 1, float(loss.detach()))


def _asked(teacher: Any, observation: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
    actions: NDArray[np.float32] = np.clip(teacher.predict(observation)[0], -1.0, 1.0).astype(np.float32)
    return actions


def _noisy(actions: NDArray[np.float32], noise: float, rng: np.random.Generator) -> NDArray[np.float64]:
    return np.clip(actions + noise * rng.standard_normal(actions.shape), -1.0, 1.0)
