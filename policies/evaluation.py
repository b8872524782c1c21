"""Episodes of a policy, and the share of them that end well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from calibration.pendulum import PendulumRig
from calibration.world import WorldParams


@dataclass(frozen=True)
class EpisodeRecord:
    """One episode.

    Attributes:
        seed: from which it follows, together with its world.
        success: whether the goal was reached at its last step.
        ever: whether it was reached at any step.
        total: sum of the rewards.
        steps: of the episode.
        ending: why it ended: "time", or "terminated" by the environment.
        world: that was drawn for it, or the pendulum, where the environment tells.
    """

    seed: int
    success: bool
    ever: bool
    total: float
    steps: int
    ending: str
    world: WorldParams | PendulumRig | None = None


@dataclass(frozen=True)
class SuccessRate:
    """A share with its interval (Wilson 1927)."""

    value: float
    low: float
    high: float
    episodes: int
    confidence: float = 0.95

    def __str__(self) -> str:
        """Return it for people, in per cent."""
        low, high = 100 * self.low, 100 * self.high
        return f"{100 * self.value:.0f} % [{low:.0f}, {high:.0f}], {self.episodes} episodes"


def success_rate(successes: int, episodes: int, confidence: float = 0.95) -> SuccessRate:
    """Return the rate with Wilson's score interval.

    Raises:
        ValueError: no episode, or more successes than episodes.
    """
    if not 0 <= successes <= episodes or episodes == 0:
        raise ValueError(f"successes must lie between 0 and the episodes, got {successes} of {episodes}")
    z = float(norm.ppf(0.5 + confidence / 2))
    rate, share = successes / episodes, z * z / episodes
    middle = (rate + share / 2) / (1 + share)
    half = z / (1 + share) * float(np.sqrt(rate * (1 - rate) / episodes + share / (4 * episodes)))
    return SuccessRate(rate, max(middle - half, 0.0), min(middle + half, 1.0), episodes, confidence)


def run_episodes(
    policy: Any,
    env: gymnasium.Env[Any, Any],
    seeds: list[int],
    deterministic: bool = True,
    watch: Callable[[int, NDArray[np.uint8]], None] | None = None,
) -> list[EpisodeRecord]:
    """Return a record of one episode for each seed.

    Args:
        policy: what acts, with Stable-Baselines3's `predict`.
        env: with a limit of steps.
        seeds: of the episodes.
        deterministic: whether the policy takes its best action.
        watch: gets the number of the episode and the picture of each step, when the environment makes pictures.
    """
    records = []
    for number, seed in enumerate(seeds):
        observation, info = env.reset(seed=seed)
        state, start, total, steps, ever = None, np.ones(1, np.bool_), 0.0, 0, False
        while True:
            if watch is not None:
                picture: Any = env.render()
                watch(number, picture)
            action, state = policy.predict(observation, state, start, deterministic)
            observation, reward, terminated, truncated, info = env.step(action)
            total, steps, start = total + float(reward), steps + 1, np.zeros(1, np.bool_)
            ever = ever or bool(info.get("is_success", False))
            if terminated or truncated:
                break
        ending, world = "terminated" if terminated else "time", info.get("world", info.get("rig"))
        success = bool(info.get("is_success", False))
        records.append(EpisodeRecord(seed, success, ever, total, steps, ending, world))
    return records
