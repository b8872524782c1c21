"""Pretend stations: worlds with hidden values, drawn from a stated family, that stand in for hardware."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from calibration.errors import InputError
from calibration.rig import Rig
from calibration.world import WorldParams, with_values
from envs.standin.causes import CAUSES, drawn_values

Difficulty = Literal["mild", "medium", "hard"]
NAME = "held-out simulation"
# Largest size of each cause; those of one station are a fifth of it and more.
_LARGEST: dict[str, float] = {"mild": 0.3, "medium": 0.6, "hard": 1.0}
_LEAST_SHARE = 0.2


@dataclass(frozen=True)
class Station:
    """One pretend station; its hidden values follow from it, the rig and the nominal world.

    Every cause of the family has a random stream of its own, so that a new cause changes no other.

    Attributes:
        seed: of everything that is drawn.
        difficulty: how far its values are from nominal.
        causes: what alone is other, where it was planted; empty: everything of the family.
        size: of planted causes; 1 is what a station with no calibration may have.
        among: how far all other causes are from nominal, where some are planted; None: they are nominal.
    """

    seed: int = 0
    difficulty: Difficulty = "mild"
    causes: tuple[str, ...] = ()
    size: float = 1.0
    among: Difficulty | None = None

    def __post_init__(self) -> None:
        """Check that the family has this."""
        if self.seed < 0:
            raise InputError(f"station must be 0 or more, got {self.seed}")
        for what, value in (("difficulty", self.difficulty), ("among", self.among or "mild")):
            if value not in get_args(Difficulty):
                raise InputError(f"{what} must be one of {', '.join(get_args(Difficulty))}, got '{value}'")
        for name in self.causes:
            if name not in CAUSES:
                raise InputError(f"cause must be one of {', '.join(CAUSES)}, got '{name}'")
        if not self.size > 0:
            raise InputError(f"size of planted causes must be above 0, got {self.size:g}")

    @classmethod
    def planted(
        cls, causes: Sequence[str], size: float = 1.0, seed: int = 0, among: Difficulty | None = None
    ) -> Station:
        """Return a station at which these causes alone are other than nominal, or all others by a given difficulty.

        Raises:
            InputError: none is named, or one that the family does not have.
        """
        if not causes or isinstance(causes, str):
            raise InputError(f"causes must be a list of one or more of {', '.join(CAUSES)}, got {causes!r}")
        return cls(seed, causes=tuple(causes), size=size, among=among)

    @property
    def name(self) -> str:
        """What every output calls it."""
        what: str = self.difficulty
        if self.causes:
            others = "" if self.among is None else f", others {self.among}"
            what = " and ".join(self.causes) + f" planted, size {self.size:g}{others}"
        return f"{NAME} {self.seed} ({what})"

    def sizes(self) -> dict[str, float]:
        """Return the size of each cause by name; 0 for one that is nominal."""
        level = self.among if self.causes else self.difficulty
        largest = 0.0 if level is None else _LARGEST[level]
        drawn = {name: largest * float(self._rng(name, 0).uniform(_LEAST_SHARE, 1.0)) for name in CAUSES}
        return drawn | dict.fromkeys(self.causes, self.size)

    def _rng(self, cause: str, use: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, zlib.crc32(cause.encode()), use])

    def hidden(self, rig: Rig, nominal: WorldParams) -> dict[str, dict[str, Any]]:
        """Return what is other here, the truth that attribution is to find: for each cause, value by path of the world.

        Args:
            rig: the station as its file describes it.
            nominal: its world, with or without physical values. A cause that nothing in it can have is left out.
        """
        found = {}
        for name, size in self.sizes().items():
            values = drawn_values(CAUSES[name], self._rng(name, 1), size, rig, nominal)
            if values:
                found[name] = values
        return found

    def world(self, rig: Rig, nominal: WorldParams) -> WorldParams:
        """Return the nominal world with the hidden values."""
        values: dict[str, Any] = {}
        for own in self.hidden(rig, nominal).values():
            values |= own
        return with_values(nominal, values)


@dataclass(frozen=True)
class StationWorlds:
    """Gives every episode the station's world; only the noise of pictures is drawn anew."""

    world: WorldParams

    def __call__(self, rng: np.random.Generator) -> WorldParams:
        """Return the world of the next episode."""
        return dataclasses.replace(self.world, noise_seed=int(rng.integers(2**31)))
