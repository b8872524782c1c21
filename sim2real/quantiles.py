"""What distributions have in common: the interface, checks of their parameters, and how they are printed."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import special

Number = float | tuple[float, ...]
Float = NDArray[np.float64]


class Distribution(Protocol):
    """What can be drawn."""

    def quantile(self, u: Float) -> NDArray[Any]:
        """Return the values (..., K) at the cumulative probabilities `u` (..., K); K is 1 for a scalar.

        Raises:
            ValueError: a vector parameter that has not K elements.
        """
        ...


def cut_normal(u: Float, low: Float | float, high: Float | float) -> Float:
    """Return the quantiles of the standard normal cut at `low` and `high`.

    In the upper half it is mirrored, since there the cumulative probability is too close to 1 for a double.
    """
    low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
    mirrored = low > 0
    a, b = np.where(mirrored, -high, low), np.where(mirrored, -low, high)
    below, above = special.ndtr(a), special.ndtr(b)
    z = special.ndtri(below + np.where(mirrored, 1 - u, u) * (above - below))
    return np.asarray(np.clip(np.where(mirrored, -z, z), low, high))


def turned(matrix: Float, vectors: list[Float]) -> Float:
    """Return matrix (M, J) times vectors, given by their J elements of any shape (...), as (..., M).

    Not as a matrix product: its last bits would depend on how many vectors there are.
    """
    rows = [sum((m * v for m, v in zip(row[1:], vectors[1:], strict=True)), row[0] * vectors[0]) for row in matrix]
    return np.stack(rows, axis=-1)


def row(name: str, value: Number, u: Float) -> Float:
    """Return a parameter as an array that is broadcast along the elements of `u`."""
    if isinstance(value, tuple):
        check_length(name, value, u)
    return np.asarray(value, np.float64)


def table(values: tuple[Any, ...]) -> NDArray[Any]:
    """Return the values as an array, of floats when all are numbers."""
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    table: NDArray[Any] = np.empty(len(values), np.float64 if numbers else object)
    table[:] = values
    return table


def check_length(name: str, values: tuple[Any, ...], u: Float) -> None:
    """Raise ValueError when a vector parameter has not one element for each of `u`."""
    if len(values) != u.shape[-1]:
        raise ValueError(f"{name} needs {u.shape[-1]} elements, got {len(values)}")


def check_order(name: str, low: Number, high: Number) -> None:
    """Raise ValueError when some low is above its high."""
    lows = low if isinstance(low, tuple) else (low,)
    highs = high if isinstance(high, tuple) else (high,)
    if len(lows) != len(highs) or any(a > b for a, b in zip(lows, highs, strict=True)):
        raise ValueError(f"{name} needs low not above high, got {text(low)} and {text(high)}")


def check(name: str, needs: str, value: Number, holds: bool) -> None:
    """Raise ValueError that says what a distribution needs, unless it holds."""
    if not holds:
        raise ValueError(f"{name} needs {needs}, got {text(value)}")


def smallest(value: Number) -> float:
    """Return the smallest element."""
    return min(value) if isinstance(value, tuple) else value


def text(value: object) -> str:
    """Return a value for people: `0.3`, `[0, 1]`."""
    if isinstance(value, tuple):
        return "[" + ", ".join(text(v) for v in value) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)
