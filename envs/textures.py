"""Procedural textures, textures from image files, and skies, by name."""

from __future__ import annotations

import zlib
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.errors import InputError
from envs.texture_kinds import MAKERS, SIZE_PX

Picture = NDArray[np.uint8]

KINDS = tuple(MAKERS)
SKY = "sky"
_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")


def texture_picture(name: str, size_px: int = SIZE_PX) -> Picture:
    """Return the texture (size_px, size_px, 3) RGB of a name, read-only; the same name gives the same picture.

    Args:
        name: "KIND:NUMBER", such as "planks:3", or "file:PATH" for an image file, of which the square in the middle is
            taken.
        size_px: width and height.

    Raises:
        InputError: a file that cannot be read.
        ValueError: an unknown kind; a sky is one, since it has no picture.
    """
    kind, _, rest = name.partition(":")
    if kind == "file":
        return _from_file(rest, _changed(rest), size_px)
    if kind not in KINDS or not rest.isdigit():
        raise ValueError(f"texture must be 'KIND:NUMBER' with KIND one of {', '.join(KINDS)}, got '{name}'")
    return _procedural(name, size_px)


def background_picture(name: str, width: int, height: int) -> Picture:
    """Return the picture (height, width, 3) RGB that a background texture shows behind everything.

    Of an image file it is the largest part in the middle with this ratio of sides, so a photograph taken by the camera
    that is drawn is seen whole and in place. Other textures are stretched.

    Raises:
        InputError: a file that cannot be read.
    """
    kind, _, path = name.partition(":")
    if kind == "file":
        return _photograph(path, _changed(path), width, height)
    return np.asarray(cv2.resize(texture_picture(name), (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def texture_files(folder: Path) -> list[str]:
    """Return texture names for the images of a folder, sorted."""
    found = sorted(p for p in folder.iterdir() if p.suffix.lower() in _SUFFIXES)
    return [f"file:{p.resolve()}" for p in found]


def is_sky(name: str) -> bool:
    """Return whether the name is that of a sky."""
    kind, _, rest = name.partition(":")
    return kind == SKY and rest.isdigit()


@lru_cache(maxsize=1024)
def sky_colours(name: str) -> NDArray[np.float64]:
    """Return the colours (4, 3), 0 to 1, of zenith, horizon, ground and sun glow of "sky:NUMBER"; read-only.

    Even numbers are rooms, with a ceiling, walls and a floor of indoor colours and a weak glow; odd ones are skies,
    from overcast to clear, at noon or in the evening.

    Raises:
        ValueError: the name of no sky.
    """
    if not is_sky(name):
        raise ValueError(f"sky must be 'sky:NUMBER', got '{name}'")
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    colours = _room(rng) if int(name.partition(":")[2]) % 2 == 0 else _outdoors(rng)
    colours = np.clip(colours, 0.0, 1.0)
    colours.flags.writeable = False
    return colours


def _room(rng: np.random.Generator) -> NDArray[np.float64]:
    warmth = rng.normal(0.0, 0.05) * np.array([1.0, 0.1, -1.0])
    wall = rng.uniform(0.25, 0.85) + warmth + rng.normal(0.0, 0.04, 3)
    ceiling = np.maximum(wall, rng.uniform(0.55, 0.95)) + warmth
    floor = rng.uniform(0.1, 0.6) + rng.uniform(0.0, 0.12) * np.array([1.0, 0.3, -0.8])
    glow = rng.uniform(0.05, 0.4) * (np.array([1.0, 0.95, 0.85]) + warmth)
    return np.stack([ceiling, wall, floor, glow])


def _outdoors(rng: np.random.Generator) -> NDArray[np.float64]:
    clear, low_sun, light = rng.uniform(0.0, 1.0), rng.uniform(0.0, 1.0) ** 2, rng.uniform(0.55, 1.0)
    grey = np.array([0.75, 0.78, 0.8])
    zenith = (1 - clear) * grey + clear * np.array([0.2, 0.42, 0.82])
    pale = (1 - clear) * grey + clear * np.array([0.78, 0.87, 0.97])
    evening = np.array([0.98, 0.68, 0.42])
    horizon = (1 - low_sun * clear) * pale + low_sun * clear * evening
    grounds = np.array([[0.3, 0.38, 0.18], [0.45, 0.38, 0.3], [0.4, 0.4, 0.4], [0.72, 0.66, 0.52]])
    ground = grounds[rng.integers(len(grounds))] * rng.uniform(0.6, 1.2)
    sun = (1 - low_sun) * np.array([1.0, 0.97, 0.9]) + low_sun * np.array([1.0, 0.72, 0.4])
    return np.stack([zenith * light, horizon * light, ground * light, sun * (0.2 + 0.8 * clear)])


def _changed(path: str) -> int:
    try:
        return Path(path).stat().st_mtime_ns
    except OSError:
        raise InputError(f"texture must be an image file, got {path}") from None


@lru_cache(maxsize=256)
def _from_file(path: str, changed: int, size_px: int) -> Picture:
    """Return the square in the middle of an image file; `changed` makes a file that was replaced be read again."""
    return _resized(_middle(path, 1.0), size_px)


@lru_cache(maxsize=64)
def _photograph(path: str, changed: int, width: int, height: int) -> Picture:
    picture = _middle(path, width / height)
    method = cv2.INTER_AREA if width < picture.shape[1] else cv2.INTER_CUBIC
    picture = np.asarray(cv2.resize(picture, (width, height), interpolation=method), np.uint8)
    picture.flags.writeable = False
    return picture


def _middle(path: str, ratio: float) -> Picture:
    """Return the largest part of an image file, around its middle, whose width is `ratio` times its height."""
    picture = cv2.imread(path, cv2.IMREAD_COLOR)
    if picture is None:
        raise InputError(f"texture must be an image file, got {path}")
    height, width = picture.shape[:2]
    w, h = min(width, round(height * ratio)), min(height, round(width / ratio))
    top, left = (height - h) // 2, (width - w) // 2
    return np.ascontiguousarray(picture[top : top + h, left : left + w, ::-1])


@lru_cache(maxsize=256)
def _procedural(name: str, size_px: int) -> Picture:
    kind, _, _ = name.partition(":")
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    return _resized(np.clip(MAKERS[kind](rng) * 255.0, 0, 255).astype(np.uint8), size_px)


def _resized(picture: NDArray[np.uint8], size_px: int) -> Picture:
    if picture.shape[:2] != (size_px, size_px):
        method = cv2.INTER_AREA if size_px < picture.shape[0] else cv2.INTER_CUBIC
        picture = cv2.resize(np.ascontiguousarray(picture), (size_px, size_px), interpolation=method).astype(np.uint8)
    picture = np.ascontiguousarray(picture)
    picture.flags.writeable = False
    return picture
