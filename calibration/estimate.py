"""A measured number with its interval, count and unit."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """A number and how well it is known.

    Attributes:
        value: best value, in `unit`.
        low: lower end of the interval.
        high: upper end of the interval.
        confidence: probability that the interval is meant to cover, such as 0.95.
        count: how many independent observations it rests on.
        unit: SI name, such as "m" or "rad"; "1" for a ratio.
        method: how value and interval were obtained.
    """

    value: float
    low: float
    high: float
    confidence: float
    count: int
    unit: str
    method: str

    def __post_init__(self) -> None:
        """Check that the interval is one and holds the value."""
        if not all(math.isfinite(v) for v in (self.value, self.low, self.high)):
            raise ValueError(f"estimate must be finite, got {self.value} [{self.low}, {self.high}]")
        if not self.low <= self.value <= self.high:
            raise ValueError(f"interval must hold the value, got {self.value} [{self.low}, {self.high}]")
        if not 0.0 < self.confidence < 1.0:
            raise ValueError(f"confidence must lie between 0 and 1, got {self.confidence}")

    def __str__(self) -> str:
        """Return `0.021 m [0.018, 0.025], 20 observations`."""
        return f"{self.value:.4g} {self.unit} [{self.low:.4g}, {self.high:.4g}], {self.count} observations"
