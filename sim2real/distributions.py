"""Values that can be drawn, printed, compared and written to a file.

A distribution is its quantile function, the inverse of its cumulative one: a uniform number between 0 and 1 goes in, a
draw comes out (Devroye, "Non-uniform random variate generation", 1986, section 2.1). So draws can be vectorised, shared
and correlated without touching what is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from sim2real.directions import Direction, Temperature
from sim2real.discrete import Bernoulli, Choice, Fixed
from sim2real.quantiles import Distribution, Float, Number, check, check_order, cut_normal, row, smallest, text

__all__ = [
    "BY_NAME",
    "Bernoulli",
    "Beta",
    "Choice",
    "Direction",
    "Distribution",
    "Fixed",
    "LogNormal",
    "LogUniform",
    "Normal",
    "Temperature",
    "Triangular",
    "TruncatedNormal",
    "Uniform",
]


@dataclass(frozen=True)
class Uniform:
    """Uniform between `low` and `high`; with `step`, rounded to whole multiples of it."""

    low: Number
    high: Number
    step: float = 0.0

    def __post_init__(self) -> None:
        """Check the order."""
        check_order("uniform", self.low, self.high)
        if self.step < 0:
            raise ValueError(f"uniform needs step of 0 or more, got {self.step:g}")

    def quantile(self, u: Float) -> Float:
        """Return the values at `u` (..., K)."""
        low, high = row("uniform", self.low, u), row("uniform", self.high, u)
        values = low + (high - low) * u
        return np.asarray(np.round(values / self.step) * self.step) if self.step else values

    def __str__(self) -> str:
        """Return `uniform 0.1 to 0.9`."""
        step = f" in steps of {self.step:g}" if self.step else ""
        return f"uniform {text(self.low)} to {text(self.high)}{step}"


@dataclass(frozen=True)
class LogUniform:
    """Uniform in the logarithm between two positive numbers."""

    low: Number
    high: Number

    def __post_init__(self) -> None:
        """Check the order and the sign."""
        check_order("loguniform", self.low, self.high)
        check("loguniform", "low above 0", self.low, smallest(self.low) > 0)

    def quantile(self, u: Float) -> Float:
        """Return the values at `u` (..., K)."""
        low, high = np.log(row("loguniform", self.low, u)), np.log(row("loguniform", self.high, u))
        return np.asarray(np.exp(low + (high - low) * u))

    def __str__(self) -> str:
        """Return `log-uniform 0.1 to 10`."""
        return f"log-uniform {text(self.low)} to {text(self.high)}"


@dataclass(frozen=True)
class Normal:
    """Gaussian, cut at `limit` standard deviations."""

    mean: Number
    std: Number
    limit: float = 2.5

    def __post_init__(self) -> None:
        """Check the widths."""
        if smallest(self.std) < 0 or self.limit <= 0:
            raise ValueError(f"normal needs std of 0 or more and limit above 0, got {self.std}, {self.limit:g}")

    def quantile(self, u: Float) -> Float:
        """Return the values at `u` (..., K)."""
        z = cut_normal(u, -self.limit, self.limit)
        return np.asarray(row("normal", self.mean, u) + row("normal", self.std, u) * z)

    def __str__(self) -> str:
        """Return `normal 0 +- 0.02`."""
        return f"normal {text(self.mean)} +- {text(self.std)}"


@dataclass(frozen=True)
class TruncatedNormal:
    """Gaussian of this mean and standard deviation before it was cut at `low` and `high`."""

    mean: Number
    std: Number
    low: Number
    high: Number

    def __post_init__(self) -> None:
        """Check the order and the width."""
        check_order("truncated_normal", self.low, self.high)
        check("truncated_normal", "std above 0", self.std, smallest(self.std) > 0)

    def quantile(self, u: Float) -> Float:
        """Return the values at `u` (..., K)."""
        mean, std, low, high = (row("truncated_normal", v, u) for v in (self.mean, self.std, self.low, self.high))
        values = mean + std * cut_normal(u, (low - mean) / std, (high - mean) / std)
        return np.asarray(np.clip(values, low, high))

    def __str__(self) -> str:
        """Return `normal 0 +- 0.02 within -0.01 to 0.05`."""
        return f"normal {text(self.mean)} +- {text(self.std)} within {text(self.low)} to {text(self.high)}"


@dataclass(frozen=True)
class LogNormal:
    """Gaussian in the logarithm, with standard deviation `sigma` there, cut at `limit` of them."""

    median: Number
    sigma: Number
    limit: float = 2.5

    def __post_init__(self) -> None:
        """Check signs."""
        check("lognormal", "median above 0", self.median, smallest(self.median) > 0)
        check("lognormal", "sigma of 0 or more", self.sigma, smallest(self.sigma) >= 0)
        check("lognormal", "limit above 0", self.limit, self.limit > 0)

    def quantile(self, u: Float) -> Float:
        """Return the values at `u` (..., K)."""
        z = cut_normal(u, -self.limit, self.limit)
        return np.asarray(row("lognormal", self.median, u) * np.exp(row("lognormal", self.sigma, u) * z))

    def __str__(self) -> str:
        """Return `log-normal 100, sigma 0.3`."""
        return f"log-normal {text(self.median)}, sigma {text(self.sigma)}"


@dataclass(frozen=True)
class Beta:
    """Beta distribution of shapes `a` and `b`, stretched from 0..1 to `low`..`high`."""

    a: float
    b: float
    low: Number = 0.0
    high: Number = 1.0

    def __post_init__(self) -> None:
        """Check signs and order."""
        check_order("beta", self.low, self.high)
        check("beta", "a and b above 0", (self.a, self.b), min(self.a, self.b) > 0)

    def quantile(self, u: Float) -> Float:
        """Return the values at `u` (..., K)."""
        low, high = row("beta", self.low, u), row("beta", self.high, u)
        return np.asarray(low + (high - low) * special.betaincinv(self.a, self.b, u))

    def __str__(self) -> str:
        """Return `beta(2, 5) on 0 to 1`."""
        return f"beta({self.a:g}, {self.b:g}) on {text(self.low)} to {text(self.high)}"


@dataclass(frozen=True)
class Triangular:
    """Density that rises linearly from `low` to `mode` and falls to `high`."""

    low: float
    mode: float
    high: float

    def __post_init__(self) -> None:
        """Check the order."""
        given = (self.low, self.mode, self.high)
        check("triangular", "low not above mode not above high", given, self.low <= self.mode <= self.high)

    def quantile(self, u: Float) -> Float:
        """Return the values at `u` (..., K)."""
        width, rise, fall = self.high - self.low, self.mode - self.low, self.high - self.mode
        left = self.low + np.sqrt(u * width * rise)
        right = self.high - np.sqrt((1 - u) * width * fall)
        return np.asarray(np.where(u * width < rise, left, right))

    def __str__(self) -> str:
        """Return `triangular 0 to 1 with its top at 0.2`."""
        return f"triangular {self.low:g} to {self.high:g} with its top at {self.mode:g}"


BY_NAME: dict[str, type[Any]] = {
    "fixed": Fixed,
    "uniform": Uniform,
    "loguniform": LogUniform,
    "normal": Normal,
    "truncated_normal": TruncatedNormal,
    "lognormal": LogNormal,
    "beta": Beta,
    "triangular": Triangular,
    "bernoulli": Bernoulli,
    "choice": Choice,
    "direction": Direction,
    "temperature": Temperature,
}
