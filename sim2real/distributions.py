"""Values that can be sampled, printed, compared and written to a file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

Number = float | tuple[float, ...]


def _element(value: Number, k: int) -> float:
    return value[k] if isinstance(value, tuple) else value


@dataclass(frozen=True)
class Fixed:
    """Always the same value."""

    value: Any

    def sample(self, rng: np.random.Generator, k: int) -> Any:
        """Return the value; `k` is the element of a vector that is drawn."""
        return self.value[k] if isinstance(self.value, tuple) else self.value

    def __str__(self) -> str:
        """Return `fixed 0.3`."""
        return f"fixed {_text(self.value)}"


@dataclass(frozen=True)
class Uniform:
    """Uniform between `low` and `high`; with `step`, rounded to whole multiples of it."""

    low: Number
    high: Number
    step: float = 0.0

    def __post_init__(self) -> None:
        """Check the order."""
        _check_order("uniform", self.low, self.high)

    def sample(self, rng: np.random.Generator, k: int) -> float:
        """Return a draw; `k` is the element of a vector that is drawn."""
        low, high = _element(self.low, k), _element(self.high, k)
        value = float(rng.uniform(low, high)) if high > low else float(low)
        return round(value / self.step) * self.step if self.step else value

    def __str__(self) -> str:
        """Return `uniform 0.1 to 0.9`."""
        step = f" in steps of {self.step:g}" if self.step else ""
        return f"uniform {_text(self.low)} to {_text(self.high)}{step}"


@dataclass(frozen=True)
class LogUniform:
    """Uniform in the logarithm between two positive numbers."""

    low: float
    high: float

    def __post_init__(self) -> None:
        """Check the order and the sign."""
        _check_order("loguniform", self.low, self.high)
        if self.low <= 0:
            raise ValueError(f"loguniform needs low above 0, got {self.low:g}")

    def sample(self, rng: np.random.Generator, k: int) -> float:
        """Return a draw."""
        return float(math.exp(rng.uniform(math.log(self.low), math.log(self.high))))

    def __str__(self) -> str:
        """Return `log-uniform 0.1 to 10`."""
        return f"log-uniform {self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Normal:
    """Gaussian, cut at `limit` standard deviations."""

    mean: Number
    std: Number
    limit: float = 2.5

    def __post_init__(self) -> None:
        """Check the widths."""
        stds = self.std if isinstance(self.std, tuple) else (self.std,)
        if min(stds) < 0 or self.limit <= 0:
            raise ValueError(f"normal needs std of 0 or more and limit above 0, got {self.std}, {self.limit:g}")

    def sample(self, rng: np.random.Generator, k: int) -> float:
        """Return a draw; what falls outside the limit is drawn again."""
        while True:
            z = float(rng.standard_normal())
            if abs(z) <= self.limit:
                return _element(self.mean, k) + _element(self.std, k) * z

    def __str__(self) -> str:
        """Return `normal 0 +- 0.02`."""
        return f"normal {_text(self.mean)} +- {_text(self.std)}"


@dataclass(frozen=True)
class Choice:
    """One of several values, equally likely unless weighted."""

    options: tuple[Any, ...]
    weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Check the counts."""
        if not self.options:
            raise ValueError("choice needs at least one option")
        if self.weights and (len(self.weights) != len(self.options) or min(self.weights) < 0 or not sum(self.weights)):
            raise ValueError(f"choice needs one weight of 0 or more for each option, got {self.weights}")

    def sample(self, rng: np.random.Generator, k: int) -> Any:
        """Return a draw."""
        if not self.weights:
            return self.options[int(rng.integers(len(self.options)))]
        total = np.cumsum(self.weights)
        return self.options[int(np.searchsorted(total, rng.random() * total[-1], side="right"))]

    def __str__(self) -> str:
        """Return `one of 8: a, b, c, ...`."""
        shown = ", ".join(_text(o) for o in self.options[:4]) + (", ..." if len(self.options) > 4 else "")
        return f"one of {len(self.options)}: {shown}"


Distribution = Fixed | Uniform | LogUniform | Normal | Choice

BY_NAME: dict[str, type[Any]] = {
    "fixed": Fixed,
    "uniform": Uniform,
    "loguniform": LogUniform,
    "normal": Normal,
    "choice": Choice,
}


def _check_order(name: str, low: Number, high: Number) -> None:
    lows = low if isinstance(low, tuple) else (low,)
    highs = high if isinstance(high, tuple) else (high,)
    if len(lows) != len(highs) or any(a > b for a, b in zip(lows, highs, strict=True)):
        raise ValueError(f"{name} needs low not above high, got {_text(low)} and {_text(high)}")


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_text(v) for v in value) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)
