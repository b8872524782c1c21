"""Groups of values that may be other at the station than the rig file says, each as a map from a few free numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Float = NDArray[np.float64]
Values = dict[str, Any]


@dataclass(frozen=True)
class Part:
    """Some free numbers and the values of the world that they stand for.

    Attributes:
        size: how many numbers.
        values: maps numbers (size,), about standard normal before anything is known, to values by path of the world.
    """

    size: int
    values: Callable[[Float], Values]


@dataclass(frozen=True)
class Group:
    """Values that have one cause.

    Attributes:
        name: of the cause.
        parts: what it can change.
    """

    name: str
    parts: tuple[Part, ...]

    @property
    def size(self) -> int:
        """How many free numbers it has."""
        return sum(part.size for part in self.parts)

    def values(self, numbers: Float) -> Values:
        """Return the values by path for numbers (size,)."""
        found: Values = {}
        first = 0
        for part in self.parts:
            found |= part.values(numbers[first : first + part.size])
            first += part.size
        return found


def added(path: str, nominal: Any, scale: float) -> Part:
    """Return a part that adds `scale` times its numbers to a number or to each element of a tuple."""
    return _around(path, nominal, lambda base, u: base + scale * u)


def scaled(path: str, nominal: Any, scale: float) -> Part:
    """Return a part that multiplies a number, or each element of a tuple, by exp(`scale` times its number)."""
    return _around(path, nominal, lambda base, u: base * np.exp(scale * u))


def clipped(path: str, nominal: Any, scale: float, low: float, high: float) -> Part:
    """Return a part like `added` whose values stay within limits."""
    return _around(path, nominal, lambda base, u: np.clip(base + scale * u, low, high))


def size_of(path: str, scale: float) -> Part:
    """Return a part that sets a number of 0 or more, `scale` times the size of its number."""
    return Part(1, lambda u: {path: float(scale * abs(u[0]))})


def uniform(path: str, low: Sequence[float], high: Sequence[float]) -> Part:
    """Return a part that sets the elements of a tuple between limits, all equally likely."""
    a, b = np.asarray(low, np.float64), np.asarray(high, np.float64)
    return Part(len(a), lambda u: {path: tuple((a + ndtr(u) * (b - a)).tolist())})


def one_of(path: str, nominal: str, others: Sequence[str]) -> Part:
    """Return a part that chooses among names, the nominal one where its number is near 0."""
    half = len(others) // 2
    options = (*others[:half], nominal, *others[half:])

    def values(u: Float) -> Values:
        return {path: options[min(int(float(ndtr(u[0])) * len(options)), len(options) - 1)]}

    return Part(1, values)


def _around(path: str, nominal: Any, change: Callable[[Float, Float], Float]) -> Part:
    base = np.atleast_1d(np.asarray(nominal, np.float64))
    whole = isinstance(nominal, tuple)

    def values(u: Float) -> Values:
        changed = change(base, u).tolist()
        return {path: tuple(changed) if whole else changed[0]}

    return Part(len(base), values)
