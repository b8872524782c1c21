"""Checks of what metrics are given."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def rows(values: ArrayLike, name: str, fewest: int = 1) -> Floats:
    """Return values as float64 (N, D); a vector is one column.

    Args:
        values: (N, D) or (N,).
        name: for the message.
        fewest: how many rows are needed.

    Raises:
        ValueError: another shape, fewer rows, or a value that is not finite.
    """
    table = np.asarray(values, dtype=np.float64)
    table = table[:, None] if table.ndim == 1 else table
    if table.ndim != 2 or table.shape[1] == 0:
        raise ValueError(f"{name} must be (N, D), got shape {np.shape(values)}")
    if len(table) < fewest:
        raise ValueError(f"{name} must have {fewest} or more rows, got {len(table)}")
    if not np.isfinite(table).all():
        raise ValueError(f"{name} must be finite, got NaN or infinity")
    return table


def two_samples(first: ArrayLike, second: ArrayLike, fewest: int = 2) -> tuple[Floats, Floats]:
    """Return two sets of features (N, D) and (M, D) as float64.

    Raises:
        ValueError: as of `rows`, or different numbers of columns.
    """
    a, b = rows(first, "first features", fewest), rows(second, "second features", fewest)
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"both sets must have the same columns, got {a.shape[1]} and {b.shape[1]}")
    return a, b


def paired(features: ArrayLike, labels: ArrayLike, fewest: int = 2) -> tuple[Floats, Floats]:
    """Return features (N, D) and labels (N, L) as float64.

    Raises:
        ValueError: as of `rows`, or different numbers of rows.
    """
    f, y = rows(features, "features", fewest), rows(labels, "labels", fewest)
    if len(f) != len(y):
        raise ValueError(f"features and labels must have as many rows, got {len(f)} and {len(y)}")
    return f, y
