"""A wrapper whose episodes follow from a seed and their number, so that interrupted training can go on exactly."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np


class NumberedEpisodes(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Resets episode k with a seed that is a function of the run's seed and k.

    Attributes:
        episode: number of the present episode, from 0; -1 before the first.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], seed: int, first: int = 0) -> None:
        """Begin with episode `first` at the next reset."""
        super().__init__(env)
        self._seed = seed
        self.episode = first - 1

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin the next episode; a given seed is not used."""
        self.episode += 1
        return self.env.reset(seed=episode_seed(self._seed, self.episode), options=options)

    def compute_reward(self, achieved_goal: Any, desired_goal: Any, info: Any) -> Any:
        """Return the rewards of goals, as hindsight replay needs them."""
        return self.env.unwrapped.compute_reward(achieved_goal, desired_goal, info)  # type: ignore[attr-defined]


def episode_seed(seed: int, episode: int) -> int:
    """Return the seed of one episode of a run."""
    return int(np.random.SeedSequence([seed, episode]).generate_state(1)[0] >> 1)
