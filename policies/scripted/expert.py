"""What experts have in common: reading observations, going somewhere."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.arm.control import TOOL_STEP_M
from envs.tasks import Task

Float = NDArray[np.float64]


class Expert(ABC):
    """A policy without memory: the same observation gives the same action, so that it can be imitated."""

    def __init__(self, task: Task) -> None:
        """Keep the task."""
        self.task = task

    @abstractmethod
    def act(self, vector: Float, goal: Float) -> Float:
        """Return the action for one observation vector and goal."""

    def predict(
        self,
        observation: Mapping[str, NDArray[Any]],
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[np.float32], Any]:
        """Return actions for one observation or a batch of them, in the form of Stable-Baselines3."""
        vectors = np.asarray(observation["observation"], np.float64)
        goals = np.asarray(observation["desired_goal"], np.float64)
        if vectors.ndim == 1:
            return self.act(vectors, goals).astype(np.float32), state
        actions = [self.act(v, g) for v, g in zip(vectors, goals, strict=True)]
        return np.array(actions, np.float32), state

    def object_at(self, vector: Float, number: int = 0) -> Float:
        """Return where an object is, (3,)."""
        start = (7 if self.task.uses_gripper else 6) + 12 * number
        return vector[start : start + 3]

    def object_velocity(self, vector: Float, number: int = 0) -> Float:
        """Return an object's velocity, (3,)."""
        start = (7 if self.task.uses_gripper else 6) + 12 * number + 6
        return vector[start : start + 3]


def towards(tool: Float, target: Float, fastest: float = 1.0, gain: float = 1.0) -> Float:
    """Return the part of an action (3,) that brings the tool to a point, at most at a share of full speed.

    Args:
        tool: where it is, metres.
        target: where it is to be.
        fastest: largest element of the action.
        gain: share of the way that is asked for in one step.
    """
    step = gain * (target - tool) / TOOL_STEP_M
    longest = float(np.abs(step).max())
    return step * (fastest / longest) if longest > fastest else step


def straight_down(tool: Float, target: Float, fastest: float) -> Float:
    """Return the part of an action (3,) that corrects x and y in full while z moves at a share of full speed."""
    step = (target - tool) / TOOL_STEP_M
    return np.array([np.clip(step[0], -1, 1), np.clip(step[1], -1, 1), np.clip(step[2], -fastest, fastest)])


def raised(point: Float, height_m: float) -> Float:
    """Return the point that much higher."""
    return np.array([point[0], point[1], point[2] + height_m])
