"""Film strips of a few episodes at a station: what it looked like when the policy failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from calibration.errors import InputError
from envs.standin.station import Station
from policies.evaluation import run_episodes
from sim2real.environments import make_held_out
from sim2real.gap.policies.playing.actors import Actor
from sim2real.gap.policies.playing.pieces import Episodes
from sim2real.policy_configs import PolicyGapConfig

Picture = NDArray[np.uint8]
_FAILED, _SUCCEEDED = 3, 1
# Pictures of a strip: the first, the last, and as many between.
_FRAMES = 5
# Steps from one moving picture to the next.
_STRIDE = 2


@dataclass(frozen=True, eq=False)
class Strip:
    """One episode in pictures.

    Attributes:
        seed: of the episode.
        success: how it ended.
        steps: of it.
        distances_m: from the goal before each step and at the end, (steps + 1,).
        shown: numbers of the steps before which the pictures are; the last one is the end.
        pictures: (H, W, 3), the station's camera with the goal marked.
        moving: the same of every second step and of the end; empty where none are wanted.
        moving_step_s: from one of them to the next.
    """

    seed: int
    success: bool
    steps: int
    distances_m: tuple[float, ...]
    shown: tuple[int, ...]
    pictures: tuple[Picture, ...]
    moving: tuple[Picture, ...]
    moving_step_s: float


def chosen_episodes(episodes: Episodes) -> list[int]:
    """Return the numbers of the first failed episodes and of the first longest way to success."""
    reached = episodes.succeeded()
    failed = np.flatnonzero(~reached)[:_FAILED].tolist()
    steps = np.where(reached, episodes.steps, -1)
    best = [int(np.argmax(steps))] if reached.any() else []
    return [*failed, *best[:_SUCCEEDED]]


def film(config: PolicyGapConfig, one: Actor, station: Station, episodes: Episodes) -> list[Strip]:
    """Return strips of episodes that failed, up to three, and of one that succeeded; each is run once more.

    Args:
        config: names environment, rig and first seed, and says whether pictures move.
        one: the policy.
        station: of the held-out simulation.
        episodes: of the policy there.

    Raises:
        InputError: an episode that ends otherwise than it did, since policy or code have changed.
    """
    numbers = chosen_episodes(episodes)
    if not numbers:
        return []
    env = make_held_out(config.env, station, config.rig, render_mode="rgb_array", **one.kwargs)
    try:
        return [_strip(one, env, k, episodes, config.video) for k in numbers]
    finally:
        env.close()


class _Watched(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Keeps distances from the goal, and pictures of some steps by their number."""

    def __init__(self, env: Any, wanted: set[int]) -> None:
        super().__init__(env)
        self.wanted = wanted
        self.distances_m: list[float] = []
        self.pictures: dict[int, Picture] = {}

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        found = super().reset(**kwargs)
        self._look()
        return found

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        found = super().step(action)
        self._look()
        return found

    def _look(self) -> None:
        world: Any = self.unwrapped
        number = len(self.distances_m)
        if number in self.wanted:
            self.pictures[number] = np.asarray(self.render(), np.uint8)
        self.distances_m.append(float(world.task.distance(world.achieved_goal(), world.goal)))


def _strip(one: Actor, env: Any, number: int, episodes: Episodes, video: bool) -> Strip:
    steps = episodes.steps[number]
    shown = sorted({round(x) for x in np.linspace(0, steps, _FRAMES)})
    moving = sorted({*range(0, steps, _STRIDE), steps}) if video else []
    watched = _Watched(env, {*shown, *moving})
    (record,) = run_episodes(one.make(watched, number), watched, [episodes.seeds[number]])
    if (record.steps, record.success) != (steps, episodes.success[number]):
        raise InputError(
            f"episode {record.seed} at {episodes.place} must end after {steps} steps as it did, got {record.steps}; "
            "measure again with a new --out"
        )
    return Strip(
        record.seed,
        record.success,
        steps,
        tuple(watched.distances_m),
        tuple(shown),
        tuple(watched.pictures[k] for k in shown),
        tuple(watched.pictures[k] for k in moving),
        _STRIDE / float(env.metadata["render_fps"]),
    )
