"""Episodes of several environments that act together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.arm.group import ArmGroup


@dataclass(frozen=True, eq=False)
class Reached:
    """When the goals of some episodes were reached.

    Attributes:
        steps: (N,) until then; the horizon where it was not reached.
        reached: (N,) whether it was.
    """

    steps: NDArray[np.int64]
    reached: NDArray[np.bool_]

    @property
    def solved(self) -> int:
        """In how many the goal was reached."""
        return int(self.reached.sum())


def play(group: ArmGroup, policy: Any, seeds: Sequence[int], sees_state: bool = False) -> Reached:
    """Let a policy act in one episode for each seed, until all of those that run together have reached their goals.

    Args:
        group: environments.
        policy: acts, with Stable-Baselines3's `predict`.
        seeds: a multiple of the group's number.
        sees_state: give the policy the true state, whatever the environments show.
    """
    state, count = None, len(group.envs)
    steps, reached_all = np.full(len(seeds), group.envs[0].task.horizon, np.int64), np.zeros(len(seeds), np.bool_)
    at = -count
    for number, reached in episodes(group, seeds, until_reached=True):
        first = number == 0
        at += count if first else 0
        seen = group.true_observation() if sees_state else group.observe()
        actions, state = policy.predict(seen, None if first else state, np.full(count, first))
        group.step(np.clip(actions, -1.0, 1.0), look=False)
        now = group.successes()
        steps[at : at + count][now & ~reached] = number + 1
        reached |= now
        reached_all[at : at + count] = reached
    return Reached(steps, reached_all)


def episodes(
    group: ArmGroup, seeds: Sequence[int], until_reached: bool = False
) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    """Begin the episodes, a group at a time, and yield before every step.

    It is the number of the step in its episode, and an array to note in who is done.

    Args:
        group: environments.
        seeds: a multiple of the group's number.
        until_reached: end a group's episodes when all are done; else at the horizon.
    """
    for start in range(0, len(seeds), len(group.envs)):
        group.begin(seeds[start : start + len(group.envs)], look=False)
        reached = np.zeros(len(group.envs), np.bool_)
        for k in range(group.envs[0].task.horizon):
            yield k, reached
            if until_reached and reached.all():
                break
