"""Pendulums that differ from a nominal one."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from calibration.pendulum import PendulumLink, PendulumRig


@dataclass(frozen=True)
class SpreadRigs:
    """Draws a pendulum: each value of each link has a factor of its own.

    Attributes:
        nominal: whose values are multiplied.
        spread: factors are log-uniform from 1 / (1 + spread) to 1 + spread; lengths stay.
    """

    nominal: PendulumRig
    spread: float

    def __post_init__(self) -> None:
        """Check the spread."""
        if self.spread < 0:
            raise ValueError(f"spread must be 0 or more, got {self.spread:g}")

    def __call__(self, rng: np.random.Generator) -> PendulumRig:
        """Return the next pendulum."""
        return dataclasses.replace(self.nominal, links=tuple(self._drawn(link, rng) for link in self.nominal.links))

    def _drawn(self, link: PendulumLink, rng: np.random.Generator) -> PendulumLink:
        names = [f.name for f in dataclasses.fields(link) if f.name != "length_m"]
        factors = np.exp(rng.uniform(-1.0, 1.0, len(names)) * np.log1p(self.spread))
        values = {name: getattr(link, name) * float(k) for name, k in zip(names, factors, strict=True)}
        return dataclasses.replace(link, **values)
