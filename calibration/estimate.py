"""A measured number with its interval, count and unit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist


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

    @classmethod
    def of_normal(
        cls,
        value: float,
        std: float,
        count: int,
        unit: str,
        method: str,
        confidence: float = 0.95,
        widening: float = 1.0,
    ) -> Estimate:
        """Return the estimate of a normal error with this standard deviation.

        Args:
            value: best value.
            std: standard deviation of its error.
            count: observations that it rests on.
            unit: SI name.
            method: how value and standard deviation were obtained.
            confidence: of the interval.
            widening: factor on the interval, such as the ratio of Student's quantile to the normal one.
        """
        half = NormalDist().inv_cdf(0.5 + confidence / 2) * std * widening
        return cls(value, value - half, value + half, confidence, count, unit, method)

    def std(self) -> float:
        """Return the standard deviation of a normal error with this interval."""
        return (self.high - self.low) / (2 * NormalDist().inv_cdf(0.5 + self.confidence / 2))

    def __str__(self) -> str:
        """Return `0.021 m [0.018, 0.025], 20 observations`."""
        return f"{self.value:.4g} {self.unit} [{self.low:.4g}, {self.high:.4g}], {self.count} observations"
