"""Pictures with captions, put together to a sheet; text is written with OpenCV's own font, which has ASCII only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.errors import InputError
from calibration.records import write_bytes

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]

PAPER: Colour = (24, 26, 30)
INK: Colour = (236, 236, 236)
SOFT_INK: Colour = (176, 180, 188)
RULE: Colour = (110, 114, 122)
GAP_PX = 6
LINE_PX = 24
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_TEXT = 0.5


def text_size(words: str, scale: float = _TEXT) -> tuple[int, int]:
    """Return width and height of a line of text, pixels."""
    (width, height), below = cv2.getTextSize(_ascii(words), _FONT, scale, 1)
    return width, height + below


def write(
    picture: Picture, words: str, left: int, base: int, colour: Colour = INK, scale: float = _TEXT, halo: bool = True
) -> None:
    """Write a line into a picture; `base` is the row on which letters stand. A halo keeps it legible on anything."""
    if halo:
        cv2.putText(picture, _ascii(words), (left, base), _FONT, scale, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(picture, _ascii(words), (left, base), _FONT, scale, colour, 1, cv2.LINE_AA)


def shortened(words: str, width_px: int) -> str:
    """Return the text, without its middle where it is wider than this."""
    if text_size(words)[0] <= width_px:
        return words
    keep = len(words)
    while keep > 4 and text_size(_without_middle(words, keep))[0] > width_px:
        keep -= 1
    return _without_middle(words, keep)


def lines_of_text(lines: Sequence[tuple[str, Colour]], width_px: int, rule: bool = False) -> Picture:
    """Return a strip (n * LINE_PX, width, 3) with these lines, if asked below a rule; long lines lose their middle."""
    strip = np.full((LINE_PX * len(lines), width_px, 3), PAPER, np.uint8)
    strip[0] = RULE if rule else PAPER
    for k, (words, colour) in enumerate(lines):
        write(strip, shortened(words, width_px - 12), 6, LINE_PX * k + LINE_PX - 8, colour, halo=False)
    return strip


def captioned(picture: Picture, caption: str) -> Picture:
    """Return the picture below a line of text."""
    return np.vstack([lines_of_text([(caption, SOFT_INK)], picture.shape[1]), picture])


def fitted(picture: Picture, width_px: int, height_px: int) -> Picture:
    """Return the picture at another size, smooth."""
    if picture.shape[:2] == (height_px, width_px):
        return np.array(picture, np.uint8)
    method = cv2.INTER_AREA if width_px < picture.shape[1] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (width_px, height_px), interpolation=method), np.uint8)


def sheet(rows: Sequence[Sequence[Picture]]) -> Picture:
    """Return rows of pictures, with gaps between them; pictures of a row have one height."""
    widths = [sum(p.shape[1] for p in row) + GAP_PX * (len(row) - 1) for row in rows]
    heights = [row[0].shape[0] for row in rows]
    page = np.full((sum(heights) + GAP_PX * (len(rows) + 1), max(widths) + 2 * GAP_PX, 3), PAPER, np.uint8)
    top = GAP_PX
    for row, height in zip(rows, heights, strict=True):
        left = GAP_PX
        for picture in row:
            page[top : top + height, left : left + picture.shape[1]] = picture
            left += picture.shape[1] + GAP_PX
        top += height + GAP_PX
    return page


def save_png(picture: Picture, out: Path) -> None:
    """Write a picture, whole or not at all.

    Raises:
        InputError: the file cannot be written.
    """
    done, data = cv2.imencode(".png", picture[..., ::-1])
    assert done
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(out, data.tobytes())
    except OSError as error:
        raise InputError(f"cannot write {out}: {error.strerror or error}") from None


def _ascii(words: str) -> str:
    return words.encode("ascii", "replace").decode("ascii")


def _without_middle(words: str, keep: int) -> str:
    if keep >= len(words):
        return words
    return f"{words[: (keep + 1) // 2]}...{words[len(words) - keep // 2 :]}"
