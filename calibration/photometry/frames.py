"""Frames of one station, read and checked, and their means over small blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.errors import InputError

Picture = NDArray[np.uint8]
Array = NDArray[np.float64]
Float = NDArray[np.float32]
Frames = Path | Sequence[Picture]

BLOCK = 8
_ENDINGS = (".jpg", ".jpeg", ".png", ".bmp")
# Above this level of a smoothed picture a pixel may be clipped.
_BRIGHTEST = 240


@dataclass(frozen=True)
class FrameSet:
    """Checked frames.

    Attributes:
        pictures: uint8 (H, W, 3) RGB, all of one size.
        names: of the files, or "frame 0", "frame 1" and so on.
        source: the folder, or "N frames in memory".
    """

    pictures: tuple[Picture, ...]
    names: tuple[str, ...]
    source: str


@dataclass(frozen=True)
class Blocks:
    """Frames by blocks of 8 x 8 pixels.

    Attributes:
        mean: (N, h, w, 3), grey levels.
        is_clean: (N, h, w), whether no pixel of the block is near white in any channel.
    """

    mean: Float
    is_clean: NDArray[np.bool_]


def frame_set(frames: Frames, fewest: int, purpose: str) -> FrameSet:
    """Return the frames of a folder, in the order of their names, or of a list, checked.

    Args:
        frames: a folder of jpg, png or bmp files, or pictures uint8 (H, W, 3) RGB.
        fewest: how many are needed.
        purpose: what for, as the message says it.

    Raises:
        InputError: no folder, a file that is no picture, no frames, too few, not uint8 RGB, different or tiny sizes.
    """
    if isinstance(frames, Path):
        names, pictures = _read(frames)
        source = str(frames)
    else:
        pictures = list(frames)
        names = [f"frame {k}" for k in range(len(pictures))]
        source = f"{len(pictures)} frames in memory"
    if not pictures:
        raise InputError(f"frames must hold pictures, got none ({source}); give a folder of jpg or png files or a list")
    for name, picture in zip(names, pictures, strict=True):
        _check(name, picture, names[0], pictures[0], source)
    if len(pictures) < fewest:
        missing = fewest - len(pictures)
        raise InputError(
            f"frames must be {fewest} or more for {purpose}, got {len(pictures)} ({source}); add {missing} more"
        )
    return FrameSet(tuple(pictures), tuple(names), source)


def blocks_of(pictures: Sequence[Picture]) -> Blocks:
    """Return the means of pictures over blocks of 8 x 8 pixels; what is left over at the right and below is cut."""
    means, clean = [], []
    for picture in pictures:
        tiles = in_blocks(picture)
        means.append(tiles.mean(axis=(1, 3), dtype=np.float32))
        # Smoothed, so that noise does not choose which pixels count.
        clean.append(in_blocks(cv2.blur(picture, (5, 5))).max(axis=(1, 3, 4)) < _BRIGHTEST)
    return Blocks(np.stack(means), np.stack(clean))


def in_blocks(picture: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return a picture (H, W, ...) as blocks (h, 8, w, 8, ...)."""
    h, w = picture.shape[0] // BLOCK, picture.shape[1] // BLOCK
    return picture[: h * BLOCK, : w * BLOCK].reshape(h, BLOCK, w, BLOCK, *picture.shape[2:])


def block_mean(plane: NDArray[np.floating]) -> Float:
    """Return the means (h, w, ...) of a picture (H, W, ...) over blocks."""
    return np.asarray(in_blocks(plane).mean(axis=(1, 3)), np.float32)


def _read(folder: Path) -> tuple[list[str], list[Picture]]:
    if not folder.is_dir():
        raise InputError(f"frames must be a folder of pictures, got {folder}; check the path")
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in _ENDINGS)
    pictures: list[Picture] = []
    for file in files:
        data = np.frombuffer(file.read_bytes(), np.uint8)
        picture = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
        if picture is None:
            raise InputError(f"frames must be pictures, got something else in {file}; replace or remove the file")
        is_colour = picture.ndim == 3 and picture.shape[2] == 3
        # Whatever is not 8-bit RGB is told apart by the check that follows.
        pictures.append(cast(Picture, cv2.cvtColor(picture, cv2.COLOR_BGR2RGB) if is_colour else picture))
    return [file.name for file in files], pictures


def _check(name: str, picture: object, first_name: str, first: Picture, source: str) -> None:
    if not isinstance(picture, np.ndarray) or picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        got = f"{picture.dtype} {picture.shape}" if isinstance(picture, np.ndarray) else type(picture).__name__
        raise InputError(f"frames must be uint8 (H, W, 3) RGB, got {got} in {name} ({source}); convert it first")
    if picture.shape != first.shape:
        raise InputError(
            f"frames must have one size, got {_size(picture)} in {name} and {_size(first)} in {first_name} ({source}); "
            "keep the frames of one camera"
        )
    if min(picture.shape[:2]) < 4 * BLOCK:
        raise InputError(
            f"frames must be {4 * BLOCK} x {4 * BLOCK} pixels or larger, got {_size(picture)} in {name} ({source}); "
            "give them at the size the camera delivers"
        )


def _size(picture: Picture) -> str:
    return f"{picture.shape[1]} x {picture.shape[0]}"
