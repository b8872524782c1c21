"""A policy that sees the state behind an eye that finds it in pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.tasks import Task
from policies.imitation.student import Student, remembered

# Numbers of an object in an observation: position, roll-pitch-yaw, velocity, angular velocity.
_OF_OBJECT = 12


def believed(
    observation: Mapping[str, NDArray[Any]], places: NDArray[np.float32], task: Task
) -> dict[str, NDArray[np.float32]]:
    """Return the observation of the state as it is if the objects stand, upright and still, at places (N, 3 O)."""
    robot = np.atleast_2d(observation["observation"])
    count = places.shape[1] // 3
    objects = np.zeros((len(robot), count, _OF_OBJECT), np.float32)
    objects[:, :, :3] = places.reshape(-1, count, 3)
    pairs = zip(robot[:, :3], objects[:, :, :3], strict=True)
    return {
        "observation": np.concatenate([robot, objects.reshape(len(robot), -1)], axis=1, dtype=np.float32),
        "achieved_goal": np.array([task.achieved(tool, o) for tool, o in pairs], np.float32),
        "desired_goal": np.atleast_2d(observation["desired_goal"]),
    }


class SeeThenAct:
    """Puts where the eye finds the objects into the observation that the other policy knows.

    Objects are taken to stand upright and still; a policy that needs more than their places is not helped by this.
    """

    def __init__(self, student: Student, policy: Any, task: Task) -> None:
        """Put together.

        Args:
            student: has the eye; its own head is not used.
            policy: acts on the state, with Stable-Baselines3's `predict`.
            task: knows what is compared with the goal.
        """
        self.student, self.policy, self.task = student.eval(), policy, task

    def predict(
        self,
        observation: Mapping[str, NDArray[Any]],
        state: tuple[NDArray[Any], ...] | None = None,
        episode_start: NDArray[Any] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[np.float32], tuple[NDArray[Any], ...] | None]:
        """Return actions for one observation with pictures or a batch, and the state for the next call."""
        seen = self.student.see(observation)
        found = remembered(self.student, seen, state, episode_start)
        assert found is not None
        places = found.cpu().numpy()
        known = believed(observation, places, self.task)
        actions, _ = self.policy.predict(known, None, None, deterministic)
        return (actions[0] if observation["observation"].ndim == 1 else actions), (places,)
