"""The sheet of photographs to label next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sim2real.advice.record import PickedFrame
from sim2real.preview.tiles import INK, SOFT_INK, fitted, lines_of_text, save_png, sheet

_COLUMNS = 4
_TILE_PX = 300
_RING = (255, 196, 0)


def write_picks(
    picks: Sequence[PickedFrame],
    pictures: Sequence[NDArray[np.uint8]],
    keypoints_px: Sequence[NDArray[np.float64]],
    out: Path,
) -> None:
    """Write a PNG of the photographs to label, best first, with rank and reasons; rings are the model's keypoints.

    Args:
        picks: one or more.
        pictures: uint8 (H, W, 3), one a pick.
        keypoints_px: (K, 2) in pixels of the picture, one a pick.
        out: file to write.

    Raises:
        InputError: the file cannot be written.
    """
    tiles = []
    for pick, picture, points in zip(picks, pictures, keypoints_px, strict=True):
        scale = _TILE_PX / picture.shape[1]
        tile = fitted(np.ascontiguousarray(picture), _TILE_PX, round(picture.shape[0] * scale))
        for x, y in (points + 0.5) * scale - 0.5:
            cv2.circle(tile, (round(float(x)), round(float(y))), 7, (0, 0, 0), 3, cv2.LINE_AA)
            cv2.circle(tile, (round(float(x)), round(float(y))), 7, _RING, 1, cv2.LINE_AA)
        reasons = [
            (f"{pick.rank}   {pick.file}", INK),
            (f"distance {pick.distance:.2f}, confidence {pick.confidence:.2f}", SOFT_INK),
        ]
        tiles.append(np.vstack([lines_of_text(reasons, _TILE_PX), tile]))
    page = sheet([tiles[k : k + _COLUMNS] for k in range(0, len(tiles), _COLUMNS)])
    heading = [
        ("label these next, in this order", INK),
        ("distance: to the nearest labelled or earlier one, of the largest", SOFT_INK),
        ("rings: what the model sees", SOFT_INK),
    ]
    save_png(np.vstack([lines_of_text(heading, page.shape[1]), page]), out)
