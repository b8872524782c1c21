"""Pendulums that differ from a nominal one."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from calibration.pendulum import PendulumLink, PendulumRig


@dataclass
class SpreadRigs:
    """Draws a pendulum: each value of each link has a factor of its own.

    Attributes:
        nominal: whose values are multiplied.
        spread: factors are log-uniform from 1 / (1 + spread) to 1 + spread; lengths stay.
        strength: share of that way, on the logarithmic scale, that the factors of the next episodes go; 0 to 1.
    """

    nominal: PendulumRig
    spread: float
    strength: float = 1.0

    def __post_init__(self) -> None:
        """Check the spread."""
        if self.spread < 0:
            raise ValueError(f"spread must be 0 or more, got {self.spread:g}")

    def __call__(self, rng: np.random.Generator) -> PendulumRig:
        """Return the next pendulum."""
        return dataclasses.replace(self.nominal, links=tuple(self._drawn(link, rng) for link in self.nominal.links))

    def _drawn(self, link: PendulumLink, rng: np.random.Generator) -> PendulumLink:
        names = [f.name for f in dataclasses.fields(link) if f.name != "length_m"]
        factors = np.exp(rng.uniform(-1.0, 1.0, len(names)) * np.log1p(self.spread) * self.strength)
        values = {name: getattr(link, name) * float(k) for name, k in zip(names, factors, strict=True)}
        return dataclasses.replace(link, **values)
