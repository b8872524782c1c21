"""What the commands about boards share: detection, and pictures of what was found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.boards.board import read_board
from calibration.boards.detect import BoardView, Detection, detect
from calibration.calibration_record import Finding
from sim2real.calibrate.inputs import read_pictures
from sim2real.calibrate.page import Shown

Float = NDArray[np.float64]
Pictures = Sequence[tuple[str, NDArray[np.uint8]]]
# Pictures on a page.
_MOST = 6


def find_board(board: Path, real: Path) -> tuple[Detection, Pictures]:
    """Return where the board of a file is in the photographs of a folder."""
    pictures = read_pictures(real)
    return detect(read_board(board), pictures), pictures


def rejected(detection: Detection) -> list[Finding]:
    """Return the photographs that could not be used, with the reason."""
    return [Finding("note", f"{name} is not used: {why}") for name, why in detection.rejected]


def drawn(views: Sequence[BoardView], predicted: Sequence[Float], pictures: Pictures) -> list[Shown]:
    """Return photographs with found points (green) and predicted ones (magenta)."""
    named = dict(pictures)
    shown = []
    step = max(1, -(-len(views) // _MOST))
    for view, points in list(zip(views, predicted, strict=True))[::step]:
        picture = named[view.name].copy()
        size = max(3, picture.shape[1] // 200)
        for (x, y), (u, v) in zip(view.pixels, points, strict=True):
            cv2.circle(picture, (round(x), round(y)), size, (0, 190, 90), max(1, size // 3), cv2.LINE_AA)
            if np.isfinite(u + v):
                at = (round(float(u)), round(float(v)))
                cv2.drawMarker(picture, at, (215, 0, 140), cv2.MARKER_CROSS, size * 2, max(1, size // 3))
        shown.append(
            Shown(picture, f"{view.name}: found (green circles) and where the fit puts the points (magenta crosses)")
        )
    return shown
