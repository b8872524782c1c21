"""A policy made worse in a stated way, so that policies of different quality are at hand."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Fault:
    """What is wrong with a policy; the default is nothing.

    Attributes:
        noise: standard deviation of what is added to each element of an action, as a share of a full one.
        gain: factor on actions.
        bias: added to the first element of every action.
        late_steps: actions come this many steps late; until then they are 0.
        lazy: share of the steps in which the action is 0.
    """

    noise: float = 0.0
    gain: float = 1.0
    bias: float = 0.0
    late_steps: int = 0
    lazy: float = 0.0


# Experts with these differ in success from nearly always to seldom, in tasks that take tens of steps.
FAULTS: dict[str, Fault] = {
    "expert": Fault(),
    "noise 0.4": Fault(noise=0.4),
    "noise 0.8": Fault(noise=0.8),
    "noise 1.4": Fault(noise=1.4),
    "gain 0.25": Fault(gain=0.25),
    "late 2": Fault(late_steps=2),
    "late 4": Fault(late_steps=4),
    "bias 0.5": Fault(bias=0.5),
    "lazy 0.5": Fault(lazy=0.5),
    "lazy 0.8": Fault(lazy=0.8),
}


class Degraded:
    """Acts as another policy with a fault. Episodes are numbered, and each has its own random numbers."""

    def __init__(self, policy: Any, fault: Fault, seed: int = 0, first: int = 0) -> None:
        """Put together.

        Args:
            policy: with Stable-Baselines3's `predict`, for one environment.
            fault: of it.
            seed: of noise and laziness; episode k of one object has the same as episode k of another.
            first: number of its first episode.
        """
        self.policy, self.fault, self.seed = policy, fault, seed
        self._episode = first - 1
        self._rng = np.random.default_rng(seed)
        self._waiting: deque[NDArray[np.float64]] = deque()

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = True
    ) -> tuple[NDArray[np.float32], Any]:
        """Return the action for one observation, and the state of the other policy."""
        if episode_start is None or bool(np.any(episode_start)):
            self._episode += 1
            self._rng = np.random.default_rng([self.seed, self._episode])
            self._waiting.clear()
        action, state = self.policy.predict(observation, state, episode_start, deterministic)
        f = self.fault
        changed = f.gain * np.asarray(action, np.float64)
        changed[0] += f.bias
        changed += f.noise * self._rng.standard_normal(changed.shape)
        if self._rng.random() < f.lazy:
            changed[:] = 0.0
        self._waiting.append(changed)
        late = self._waiting.popleft() if len(self._waiting) > f.late_steps else np.zeros_like(changed)
        return np.clip(late, -1.0, 1.0).astype(np.float32), state
