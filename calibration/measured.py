"""Values of a world that calibration measured, and how well: the widths of their randomization."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Measured:
    """Scalars of a world with a joint normal error about the rig's nominal values.

    Attributes:
        source: what measured them, such as the file of a record.
        targets: paths in WorldParams, `path[k]` for an element of a vector.
        mean: what they are in the nominal world; of `camera.shift_m` and the like 0, since the rig has the pose itself.
        std: standard deviations, in the units of the paths.
        correlation: of the errors; empty when they are independent.
    """

    source: str
    targets: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    correlation: tuple[tuple[float, ...], ...] = ()

    def __post_init__(self) -> None:
        """Check the lengths."""
        count = len(self.targets)
        sizes = {len(self.mean), len(self.std), *([len(self.correlation)] if self.correlation else [])}
        if sizes != {count} or any(len(row) != count for row in self.correlation):
            raise ValueError(f"{count} targets need as many means, deviations and rows of correlation")


def measured(
    source: str, targets: tuple[str, ...], mean: tuple[float, ...], covariance: NDArray[np.float64]
) -> Measured:
    """Return scalars with this covariance of their errors (K, K), in the units of the targets."""
    std = np.sqrt(np.maximum(np.diag(covariance), 1e-24))
    matrix = covariance / np.outer(std, std)
    # A numerically singular matrix has no copula: a share of a millionth of independence is no loss.
    matrix = (1 - 1e-6) * 0.5 * (matrix + matrix.T) + 1e-6 * np.eye(len(std))
    np.fill_diagonal(matrix, 1.0)
    rows = tuple(tuple(float(v) for v in row) for row in matrix)
    return Measured(source, targets, mean, tuple(float(v) for v in std), rows)
