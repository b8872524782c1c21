"""Frames with truth and prediction for the page: small JPEG pictures and positions in pixels."""

from __future__ import annotations

import base64
import os.path
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from sim2real.report_data import Prediction

TILE_WIDTH_PX = 320
SHEET_WIDTH_PX = 1200
JPEG_QUALITY = 80
# More tiles than this per method would make the page too large to mail.
MOST_TILES = 40


@dataclass(frozen=True)
class Picture:
    """A picture as a data URL with the size of the original."""

    url: str
    width_px: int
    height_px: int


@dataclass(frozen=True)
class Tile:
    """One frame with every prediction that a method made on it; errors in the unit of the file.

    `error` is the mean over the runs that measured one, `worst` their largest; positions are pixels of the
    original picture.
    """

    file: str
    error: float | None
    worst: float | None
    runs: int
    clipped: bool
    picture: Picture | None
    truth_px: tuple[float, float] | None
    predictions_px: tuple[tuple[float, float], ...]
    outside: int

    @property
    def stroke(self) -> float:
        """Size of one displayed pixel in pixels of the original."""
        return self.picture.width_px / TILE_WIDTH_PX if self.picture else 1.0

    @property
    def arm(self) -> float:
        """Half the size of a cross in pixels of the original; many crosses are drawn small."""
        many = len(self.predictions_px)
        return self.stroke * (5.0 if many == 1 else 3.5 if many <= 5 else 2.5)


def worst_first(predictions: Sequence[Prediction]) -> list[list[Prediction]]:
    """Return the predictions by file, the largest mean error first, unmeasured files last."""
    groups: dict[str, list[Prediction]] = {}
    for item in predictions:
        groups.setdefault(item.file, []).append(item)

    def order(group: list[Prediction]) -> tuple[bool, float, str]:
        error = mean_error(group)
        return error is None, -(error or 0.0), group[0].file

    return sorted(groups.values(), key=order)


def mean_error(group: Sequence[Prediction]) -> float | None:
    """Return the mean error of the predictions that have one; None where none has."""
    errors = [item.error for item in group if item.error is not None]
    return sum(errors) / len(errors) if errors else None


def make_tile(group: Sequence[Prediction], images: Path | None) -> Tile:
    """Return the tile of one file.

    Args:
        group: all predictions of one method on one file.
        images: folder that the file's name is relative to; None draws no picture.
    """
    first = group[0]
    picture = load_picture(images, first.file, TILE_WIDTH_PX)
    errors = [item.error for item in group if item.error is not None]
    spots = tuple(item.prediction_px for item in group if item.prediction_px is not None)
    return Tile(
        file=first.file,
        error=mean_error(group),
        worst=max(errors, default=None),
        runs=len(group),
        clipped=first.visible == "clipped",
        picture=picture,
        truth_px=next((item.truth_px for item in group if item.truth_px is not None), None),
        predictions_px=spots,
        outside=sum(not _inside(spot, picture) for spot in spots) if picture else 0,
    )


def load_picture(folder: Path | None, file: str, width_px: int) -> Picture | None:
    """Return a picture at most `width_px` wide; None if missing, unreadable or outside the folder."""
    if folder is None or Path(file).is_absolute() or os.path.normpath(file).startswith(os.pardir):
        return None
    path = folder / file
    if not path.is_file():
        return None
    pixels = cv2.imdecode(np.fromfile(path, dtype=np.uint8), cv2.IMREAD_COLOR) if path.stat().st_size else None
    return None if pixels is None else encode(pixels, width_px)


def encode(bgr: cv2.typing.MatLike, width_px: int) -> Picture:
    """Return the picture as a JPEG data URL, made smaller where it is wider than `width_px`."""
    height, width = bgr.shape[:2]
    small = bgr
    if width > width_px:
        size = (width_px, max(1, round(height * width_px / width)))
        small = cv2.resize(bgr, size, interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return Picture("data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode("ascii"), width, height)


def _inside(spot: tuple[float, float], picture: Picture) -> bool:
    # Pixel (0, 0) is the centre of the top-left pixel, so the picture reaches from -0.5 to size - 0.5.
    return -0.5 <= spot[0] <= picture.width_px - 0.5 and -0.5 <= spot[1] <= picture.height_px - 0.5
