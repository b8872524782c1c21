"""How steady predictions are when a picture changes a little."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Pictures = NDArray[np.uint8]
Array = NDArray[np.float64]

# Shift right and down as shares of the width, turn in degrees, zoom, brightness.
_VIEWS = (
    (0.03, 0.0, 0.0, 1.0, 1.0),
    (-0.03, 0.02, 0.0, 1.0, 1.0),
    (0.0, -0.03, 3.0, 1.0, 1.0),
    (0.0, 0.0, -3.0, 1.04, 1.0),
    (0.0, 0.0, 0.0, 1.0, 0.85),
    (0.0, 0.0, 0.0, 0.96, 1.15),
)


def view_disagreement(keypoints: Callable[[Pictures], Array], pictures: Pictures) -> Array:
    """Return how far keypoints move (N,) when pictures are shifted, turned, zoomed or lit a little, pixels.

    It is the median over the views of the largest keypoint's distance, after the view is undone: a label-free sign of
    how sure a model is.

    Args:
        keypoints: a model, from pictures uint8 (N, H, W, 3) to keypoints (N, K, 2).
        pictures: uint8 (N, H, W, 3).
    """
    pictures = np.asarray(pictures)
    if not len(pictures):
        return np.zeros(0)
    height, width = pictures.shape[1:3]
    base = np.asarray(keypoints(pictures), dtype=np.float64)
    distances = []
    for right, down, degrees, zoom, gain in _VIEWS:
        matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, zoom)
        matrix[:, 2] += np.array([right, down]) * width
        changed = np.stack(
            [
                np.clip(
                    cv2.warpAffine(p, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101).astype(np.float64)
                    * gain,
                    0,
                    255,
                ).astype(np.uint8)
                for p in pictures
            ]
        )
        moved = base @ matrix[:, :2].T + matrix[:, 2]
        distances.append(np.linalg.norm(np.asarray(keypoints(changed)) - moved, axis=2).max(axis=1))
    return np.asarray(np.median(distances, axis=0))
