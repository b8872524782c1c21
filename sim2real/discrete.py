"""Distributions of switches, names and single values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim2real.quantiles import Float, check, check_length, table, text


@dataclass(frozen=True)
class Fixed:
    """Always the same value."""

    value: Any

    def quantile(self, u: Float) -> NDArray[Any]:
        """Return the value for every element; a tuple gives each element its own."""
        values = self.value if isinstance(self.value, tuple) else (self.value,) * u.shape[-1]
        check_length("fixed", values, u)
        return np.broadcast_to(table(values), u.shape)

    def __str__(self) -> str:
        """Return `fixed 0.3`."""
        return f"fixed {text(self.value)}"


@dataclass(frozen=True)
class Bernoulli:
    """True with probability `p`, else false."""

    p: float

    def __post_init__(self) -> None:
        """Check the probability."""
        check("bernoulli", "p between 0 and 1", self.p, 0.0 <= self.p <= 1.0)

    def quantile(self, u: Float) -> NDArray[Any]:
        """Return false below `1 - p`, true above."""
        return np.asarray(u > 1.0 - self.p, object)

    def __str__(self) -> str:
        """Return `true for 40 %`."""
        return f"true for {100 * self.p:g} %"


@dataclass(frozen=True)
class Choice:
    """One of several values, equally likely unless weighted; options that are vectors are chosen whole."""

    options: tuple[Any, ...]
    weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Check the counts."""
        if not self.options:
            raise ValueError("choice needs at least one option")
        if self.weights and (len(self.weights) != len(self.options) or min(self.weights) < 0 or not sum(self.weights)):
            raise ValueError(f"choice needs one weight of 0 or more for each option, got {self.weights}")

    def quantile(self, u: Float) -> NDArray[Any]:
        """Return the options that lie at `u` (..., K) when they are laid side by side by weight."""
        weights = np.asarray(self.weights or [1.0] * len(self.options))
        shares = np.cumsum(weights)
        last = int(np.flatnonzero(weights)[-1])
        chosen = np.minimum(np.searchsorted(shares / shares[-1], u, side="right"), last)
        if not isinstance(self.options[0], tuple):
            return np.asarray(table(self.options)[chosen])
        for option in self.options:
            check_length("choice", option, u)
        return np.asarray(np.array(self.options, float)[chosen[..., 0]])

    def __str__(self) -> str:
        """Return `one of 8: a, b, c, ...`."""
        shown = ", ".join(text(o) for o in self.options[:4]) + (", ..." if len(self.options) > 4 else "")
        return f"one of {len(self.options)}: {shown}"
