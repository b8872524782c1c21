"""Draws that depend on each other: a Gaussian copula, and one draw for several paths."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from sim2real.quantiles import Float, turned

# The largest double below 1, and as much above 0: a quantile at 0 or 1 may be infinite.
_EDGE = 2.0**-53


@dataclass(frozen=True)
class Correlation:
    """Scalars that vary together.

    Attributes:
        name: of the group's stream of draws.
        targets: channels' targets, or `target[k]` for an element of a vector. When targets have a wildcard, all have,
            and each body, joint or lamp has a group of its own.
        matrix: correlations of the Gaussian variables behind the draws, 1 on the diagonal.
    """

    name: str
    targets: tuple[str, ...]
    matrix: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        """Check that a copula with this matrix exists."""
        if len(self.targets) < 2 or len(set(self.targets)) != len(self.targets):
            raise ValueError(f"correlation '{self.name}' needs two or more different targets, got {list(self.targets)}")
        count = len(self.targets)
        if len(self.matrix) != count or any(len(row) != count for row in self.matrix):
            raise ValueError(f"correlation '{self.name}' needs a matrix of {count} rows of {count}")
        matrix = np.array(self.matrix, np.float64)
        if not np.allclose(matrix, matrix.T) or not np.allclose(np.diag(matrix), 1.0):
            raise ValueError(f"correlation '{self.name}' needs a symmetric matrix with 1 on its diagonal")
        smallest = float(np.linalg.eigvalsh(matrix)[0])
        if smallest <= 1e-9:
            raise ValueError(
                f"correlation '{self.name}' needs a positive definite matrix, its smallest eigenvalue is "
                f"{smallest:.3g}; no variables have these correlations"
            )

    def factor(self) -> Float:
        """Return the lower triangular L with L @ L.T = matrix."""
        return np.asarray(np.linalg.cholesky(np.array(self.matrix, np.float64)))


@dataclass(frozen=True)
class Shared:
    """Paths that take the same draw: each puts the same uniform numbers into its own distribution.

    Attributes:
        name: of the common stream of draws.
        targets: channels' targets; a wildcard stands for all of its paths.
    """

    name: str
    targets: tuple[str, ...]

    def __post_init__(self) -> None:
        """Check that something is shared."""
        if not self.targets:
            raise ValueError(f"shared '{self.name}' needs targets")


def correlated(u: Float, factor: Float) -> Float:
    """Return uniform numbers (M, N) with a Gaussian copula, from independent ones (M, N).

    Nelsen, "An introduction to copulas", 2nd edition 2006, section 2.9: normal quantiles, made to correlate by the
    Cholesky factor, and their cumulative probabilities.
    """
    mixed = special.ndtr(turned(factor, list(special.ndtri(u))))
    return np.ascontiguousarray(np.clip(mixed, _EDGE, 1.0 - _EDGE).T)
