"""Grids of dots: find them, to a fraction of a pixel, and from which side they are seen."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.boards.board import Board

Float = NDArray[np.float64]
Grey = NDArray[np.uint8]

# Areas of dots that are looked for, as shares of the picture.
_SMALLEST, _LARGEST = 2e-5, 0.02


def find_circles(grey: Grey, board: Board) -> Float | None:
    """Return the centres (P, 2) of all dots in the order of `board.points()`, pixels; None when they are not all found.

    The centroid of a dot's image is not quite the image of its centre; for a dot of radius r px seen at an angle the
    difference is about r^2 over the distance to the horizon's vanishing line (Heikkila 2000), far below a tenth of a
    pixel for dots of a few pixels.
    """
    detector = _blobs(grey)
    size = (board.columns, board.rows)
    kind = cv2.CALIB_CB_ASYMMETRIC_GRID if board.kind == "asymmetric_circles" else cv2.CALIB_CB_SYMMETRIC_GRID
    for clustering in (0, cv2.CALIB_CB_CLUSTERING):
        found, centres = cv2.findCirclesGrid(grey, size, flags=kind | clustering, blobDetector=detector)
        if found:
            refined, area = _refined(grey, np.asarray(centres, np.float64).reshape(-1, 2))
            return _ordered(refined, area, board)
    return None


def _blobs(grey: Grey) -> Any:
    # OpenCV's stubs do not know the detector's settings.
    opencv: Any = cv2
    settings = opencv.SimpleBlobDetector_Params()
    settings.minArea = max(10.0, _SMALLEST * grey.size)
    settings.maxArea = _LARGEST * grey.size
    settings.minDistBetweenBlobs = 3.0
    return opencv.SimpleBlobDetector_create(settings)


def _refined(grey: Grey, centres: Float) -> tuple[Float, Float]:
    """Return centroids of darkness around the dots (P, 2), and the area of each (P,), pixels."""
    gaps = np.linalg.norm(centres[:, None] - centres[None], axis=2)
    np.fill_diagonal(gaps, np.inf)
    refined, area = centres.copy(), np.zeros(len(centres))
    for k, gap in enumerate(gaps.min(axis=1).tolist()):
        reach = max(2, round(0.45 * gap))
        for _ in range(3):
            x, y = np.round(refined[k]).astype(int).tolist()
            left, top = max(x - reach, 0), max(y - reach, 0)
            patch = grey[top : y + reach + 1, left : x + reach + 1].astype(np.float64)
            if patch.size == 0:
                break
            paper, ink = np.percentile(patch, 90), patch.min()
            rows, columns = np.mgrid[0 : patch.shape[0], 0 : patch.shape[1]]
            round_it = np.hypot(columns + left - refined[k, 0], rows + top - refined[k, 1]) <= reach + 0.5
            dark = np.clip((paper - patch) / max(paper - ink, 1.0) - 0.25, 0.0, 1.0) * round_it
            weight = dark.sum()
            if weight <= 0:
                break
            refined[k] = left + (dark * columns).sum() / weight, top + (dark * rows).sum() / weight
            area[k] = weight
    return refined, area


def _ordered(centres: Float, area: Float, board: Board) -> Float:
    """Return the centres so that the first is the origin and the board is not seen in a mirror."""
    if board.kind == "asymmetric_circles":
        return centres
    grid = centres.reshape(board.rows, board.columns, 2)
    across, down = grid[0, -1] - grid[0, 0], grid[-1, 0] - grid[0, 0]
    # With x right and y down in the picture, x to y turns clockwise.
    if across[0] * down[1] - across[1] * down[0] < 0:
        grid, area = grid[:, ::-1], area.reshape(board.rows, board.columns)[:, ::-1].ravel()
    if board.large_dot:
        sizes = area.reshape(board.rows, board.columns)
        turns = 4 if board.rows == board.columns else 2
        step = 4 // turns
        # Perspective makes near dots larger too, so a corner's dot is compared with its neighbours.
        best = max(range(turns), key=lambda k: _stands_out(np.rot90(sizes, k * step)))
        grid = np.rot90(grid, best * step)
    return np.ascontiguousarray(grid).reshape(-1, 2)


def _stands_out(sizes: Float) -> float:
    return float(sizes[0, 0] / np.median(np.array([sizes[0, 1], sizes[1, 0], sizes[1, 1]])))
