"""Read photographs from disk, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.errors import InputError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")


def read_image(path: Path) -> tuple[NDArray[np.uint8], str | None]:
    """Return a picture as uint8 (H, W, 3) RGB, and a note when it had to be converted.

    Raises:
        InputError: the file is missing, no image, or cut off.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read image {path}: {error.strerror}") from None
    if _cut_off(data):
        raise InputError(f"image {path} is cut off: the file ends before the picture does; copy it again")
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
    except cv2.error:  # a header that promises more pixels than OpenCV reads
        pixels = None
    if pixels is None:
        raise InputError(f"image {path} must be a picture that OpenCV can read (JPEG, PNG, BMP), got something else")
    notes = []
    if pixels.dtype == np.uint16:
        pixels = (pixels / 257).astype(np.uint8)
        notes.append("16 bits to 8")
    if pixels.ndim == 2:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR)
        notes.append("grey to three channels")
    elif pixels.shape[2] == 4:
        pixels = pixels[..., :3]
        notes.append("fourth channel dropped")
    if pixels.dtype != np.uint8:
        raise InputError(f"image {path} must have 8 or 16 bits a channel, got {pixels.dtype}")
    return np.ascontiguousarray(pixels[..., ::-1]), ", ".join(notes) or None


def _cut_off(data: bytes) -> bool:
    """Return whether a JPEG or PNG lacks its end; libjpeg fills the rest with grey and says nothing."""
    if data.startswith(b"\xff\xd8"):
        return b"\xff\xd9" not in data[-4096:]
    if data.startswith(b"\x89PNG"):
        return b"IEND" not in data[-64:]
    return False


def resize(picture: NDArray[np.uint8], width_px: int, height_px: int) -> NDArray[np.uint8]:
    """Return the picture at another size, averaging over pixel areas when it shrinks."""
    if picture.shape[1] == width_px and picture.shape[0] == height_px:
        return picture
    smaller = width_px < picture.shape[1]
    method = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (width_px, height_px), interpolation=method), np.uint8)
