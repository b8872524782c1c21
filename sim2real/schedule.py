"""When draws are renewed within an episode, and how strong randomization is over the course of training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from calibration.world import WorldParams
from sim2real.draws import Draws
from sim2real.randomization import EVERY, Channel, RandomizationSpec, noise_seeds, plan
from sim2real.world_columns import worlds_from_columns

# An interval that ends on a step must not be cut short by rounding: times are sums of steps.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Curriculum:
    """A strength that rises linearly from `start` in episode 0 to `end` in episode `episodes`, and stays there."""

    start: float = 0.0
    end: float = 1.0
    episodes: int = 1000

    def __post_init__(self) -> None:
        """Check the range."""
        if not (0.0 <= self.start <= 1.0 and 0.0 <= self.end <= 1.0 and self.episodes > 0):
            raise ValueError(
                f"curriculum needs start and end between 0 and 1 and episodes above 0, got {self.start:g}, "
                f"{self.end:g}, {self.episodes}"
            )

    def at(self, episode: int) -> float:
        """Return the strength in an episode."""
        share = min(1.0, episode / self.episodes)
        return self.start + (self.end - self.start) * share


@dataclass(frozen=True, eq=False)
class _Clock:
    """Channels that are renewed together, and when."""

    channel: Channel
    draws: Draws

    def slot(self, step: int, time_s: float, frame: int) -> int:
        """Return how many renewals there have been since the episode began."""
        c = self.channel
        if c.every == "interval":
            if c.interval_steps is not None:
                return step // c.interval_steps
            return math.floor(time_s / (c.interval_s or 1.0) + _ROUNDING)
        return {"episode": 0, "step": step, "frame": frame}[c.every]


class ScheduledSampler:
    """Draws the world of each moment of each episode; a function of seed, episode, step, time and frame alone.

    At the first moment of an episode it is the world that `WorldSampler` draws for the number of the episode.
    """

    def __init__(
        self, spec: RandomizationSpec, nominal: WorldParams, seed: int, strength: float | Curriculum = 1.0
    ) -> None:
        """Resolve the targets.

        Args:
            spec: its channels say how often they are renewed.
            nominal: what the draws are relative to.
            seed: any integer.
            strength: 1 for the draws, 0 for the nominal world, in between for part of the way; or a curriculum.

        Raises:
            InputError: as for WorldSampler.
            ValueError: a strength outside 0 to 1.
        """
        if not isinstance(strength, Curriculum) and not 0.0 <= strength <= 1.0:
            raise ValueError(f"strength must be between 0 and 1, got {strength:g}")
        self.nominal = nominal
        self.seed = seed
        self._strength = strength
        planned = plan(spec, nominal)
        kinds = {(c.every, c.interval_s, c.interval_steps): c for c in planned.owners}
        self._clocks = [
            _Clock(channel, Draws(*planned.of(EVERY, channel)))
            for _, channel in sorted(kinds.items(), key=lambda item: EVERY.index(item[0][0]))
        ]
        self._kept: dict[int, tuple[tuple[int, int], Mapping[str, Sequence[Any]]]] = {}

    def strength(self, episode: int) -> float:
        """Return how strong randomization is in an episode, 0 to 1."""
        return self._strength.at(episode) if isinstance(self._strength, Curriculum) else self._strength

    def world(self, episode: int, step: int = 0, time_s: float = 0.0, frame: int | None = None) -> WorldParams:
        """Return the world of a moment; the nominal one is unchanged.

        Args:
            episode: 0 or more.
            step: of control, since the episode began.
            time_s: since the episode began; read by channels with an interval in seconds.
            frame: pictures taken since the episode began; as many as steps when left out.
        """
        picture = step if frame is None else frame
        index = np.array([episode], np.uint64)
        columns: dict[str, Sequence[Any]] = {}
        for k, clock in enumerate(self._clocks):
            now = (episode, clock.slot(step, time_s, picture))
            if k not in self._kept or self._kept[k][0] != now:
                slots = np.array([now[1]], np.uint64)
                drawn = clock.draws.columns(self.seed, index, slots, self.strength(episode))
                self._kept[k] = (now, drawn)
            columns.update(self._kept[k][1])
        noise = noise_seeds(self.seed, index, np.array([picture], np.uint64))
        return worlds_from_columns(self.nominal, columns, noise)[0]

    def restore(self) -> WorldParams:
        """Return the nominal world."""
        return self.nominal
