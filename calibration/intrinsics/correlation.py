"""How many independent observations the points of a view are worth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from calibration.boards.detect import BoardView

Float = NDArray[np.float64]

# Neighbours are points nearer than so many times the median distance of nearest points.
_NEAR = 1.6


def inflation(views: Sequence[BoardView], residuals: Sequence[Float], fitted_per_view: float) -> float:
    """Return by how much the variance of a fit must grow because errors of neighbouring points are alike; 1 or more.

    Errors of a lens model that is not quite right, or of a board that is not quite flat, are smooth: many points do not
    average them away. From the correlation of the residuals of neighbours follows the length over which they are alike
    (exponential model), and from that the effective number of points of a view, N^2 / sum of all correlations
    (Bartlett's formula, in the plane). Independent errors give 1.

    Args:
        views: of the board.
        residuals: of each, (N, 2) pixels.
        fitted_per_view: numbers that were fitted for each view; a fit makes residuals of neighbours slightly unlike.
    """
    near, whole, pairs, points = 0.0, 0.0, 0, 0
    distances = []
    for view, residual in zip(views, residuals, strict=True):
        apart = np.linalg.norm(view.points_m[:, None] - view.points_m[None], axis=2)
        np.fill_diagonal(apart, np.inf)
        gap = float(np.median(apart.min(axis=1)))
        one, other = np.nonzero(np.triu(apart < _NEAR * gap))
        # Errors far out would decide alone.
        size = np.linalg.norm(residual, axis=1, keepdims=True)
        calm = residual * np.minimum(1.0, 3.0 * np.median(size) / np.maximum(size, 1e-12))
        near += float((calm[one] * calm[other]).sum())
        whole += float((calm**2).sum())
        pairs, points = pairs + len(one), points + len(residual)
        np.fill_diagonal(apart, 0.0)
        distances.append(apart / gap)
    if pairs == 0 or whole <= 0.0:
        return 1.0
    per_view = points / len(residuals)
    # Of independent errors after a fit of P numbers to 2 N of them, pairs correlate by about -P / (2 N)^2 each.
    expected = -fitted_per_view / (2 * per_view) / max(2 * per_view - 1, 1)
    correlation = (near / pairs) / (whole / points) - expected
    # Twice the standard error of a correlation of independent pairs.
    if correlation < 2.0 / np.sqrt(2 * pairs):
        return 1.0
    length = -1.0 / np.log(min(correlation, 0.95))
    return float(np.mean([np.exp(-d / length).sum() / len(d) for d in distances]))
