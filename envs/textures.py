"""Procedural textures and textures from image files, by name."""

from __future__ import annotations

import zlib
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.errors import InputError

Picture = NDArray[np.uint8]

SIZE_PX = 128
KINDS = ("noise", "gradient", "checker", "planks", "marks", "clutter", "print")


def texture_picture(name: str) -> Picture:
    """Return the texture (128, 128, 3) RGB of a name.

    Args:
        name: "KIND:NUMBER", such as "planks:3", or "file:PATH" for an image file.

    Raises:
        InputError: a file that cannot be read.
        ValueError: an unknown kind.
    """
    kind, _, rest = name.partition(":")
    if kind == "file":
        picture = cv2.imread(rest, cv2.IMREAD_COLOR)
        if picture is None:
            raise InputError(f"texture must be an image file, got {rest}")
        small = cv2.resize(picture, (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_AREA)
        return np.ascontiguousarray(small[..., ::-1]).astype(np.uint8)
    if kind not in KINDS or not rest.isdigit():
        raise ValueError(f"texture must be 'KIND:NUMBER' with KIND one of {', '.join(KINDS)}, got '{name}'")
    return _procedural(name)


def texture_files(folder: Path) -> list[str]:
    """Return texture names for the images of a folder, sorted."""
    found = sorted(p for p in folder.iterdir() if p.suffix.lower() in (".jpg", ".jpeg", ".png", ".bmp"))
    return [f"file:{p.resolve()}" for p in found]


@lru_cache(maxsize=256)
def _procedural(name: str) -> Picture:
    kind, _, _ = name.partition(":")
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    makers = {
        "noise": _noise,
        "gradient": _gradient,
        "checker": _checker,
        "planks": _planks,
        "marks": _marks,
        "clutter": _clutter,
        "print": _print,
    }
    picture = np.clip(makers[kind](rng) * 255.0, 0, 255).astype(np.uint8)
    picture.flags.writeable = False
    return picture


def _colour(rng: np.random.Generator, low: float = 0.1) -> NDArray[np.float64]:
    """Return a colour that is mostly muted, as surfaces are."""
    grey = rng.uniform(low, 1.0)
    return np.asarray(np.clip(grey + rng.normal(0.0, 0.12, 3), 0.0, 1.0))


def _value_noise(rng: np.random.Generator, coarse: int) -> NDArray[np.float64]:
    """Return smooth noise (SIZE, SIZE) in 0 to 1: octaves of random grids, each half as strong."""
    total = np.zeros((SIZE_PX, SIZE_PX))
    cells, strength, weight = coarse, 1.0, 0.0
    while cells <= SIZE_PX:
        grid = rng.random((cells, cells)).astype(np.float32)
        total += strength * cv2.resize(grid, (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_CUBIC)
        weight += strength
        cells, strength = cells * 2, strength * 0.55
    return np.asarray(np.clip(total / weight, 0.0, 1.0))


def _mix(share: NDArray[np.float64], a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(share[..., None] * a + (1.0 - share[..., None]) * b)


def _noise(rng: np.random.Generator) -> NDArray[np.float64]:
    return _mix(_value_noise(rng, int(rng.choice([2, 4, 8, 16]))), _colour(rng), _colour(rng))


def _gradient(rng: np.random.Generator) -> NDArray[np.float64]:
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[0:SIZE_PX, 0:SIZE_PX] / (SIZE_PX - 1) - 0.5
    share = np.clip(0.5 + (x * np.cos(angle) + y * np.sin(angle)) * rng.uniform(0.5, 1.4), 0, 1)
    return _mix(share, _colour(rng), _colour(rng))


def _checker(rng: np.random.Generator) -> NDArray[np.float64]:
    period_x, period_y = rng.integers(4, 40, 2)
    y, x = np.mgrid[0:SIZE_PX, 0:SIZE_PX]
    share = ((x // period_x + y // period_y) % 2).astype(np.float64)
    return _mix(share, _colour(rng), _colour(rng))


def _planks(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return boards with their own shade, grain along them and dark joints."""
    board = np.clip(np.array([0.75, 0.6, 0.42]) + rng.normal(0.0, 0.12, 3), 0, 1)
    width = int(rng.integers(5, 24))
    grain = cv2.resize(rng.random((SIZE_PX, 8)).astype(np.float32), (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_LINEAR)
    rows = np.arange(SIZE_PX) // width
    shade = rng.uniform(-0.12, 0.12, int(rows.max()) + 1)[rows][:, None] + 0.12 * (grain - 0.5)
    shade = shade + 0.15 * (_value_noise(rng, 2) - 0.5)
    shade[np.arange(SIZE_PX) % width == 0] -= rng.uniform(0.0, 0.2)
    picture = np.asarray(board + shade[..., None])
    if rng.random() < 0.5:
        picture = picture.transpose(1, 0, 2)
    return _add_marks(rng, np.ascontiguousarray(picture), int(rng.integers(0, 30)))


def _marks(rng: np.random.Generator) -> NDArray[np.float64]:
    base = _mix(_value_noise(rng, 4), _colour(rng), _colour(rng))
    return _add_marks(rng, base * 0.5 + _colour(rng, 0.3) * 0.5, int(rng.integers(8, 60)))


def _clutter(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return overlapping patches of all sizes, as a room out of focus."""
    picture = _mix(_value_noise(rng, 2), _colour(rng), _colour(rng))
    for _ in range(int(rng.integers(10, 40))):
        centre = tuple(int(v) for v in rng.integers(0, SIZE_PX, 2))
        colour = tuple(float(v) for v in rng.random(3))
        size = (int(rng.integers(2, 50)), int(rng.integers(2, 50)))
        box = cv2.boxPoints((centre, size, float(rng.uniform(0, 180)))).astype(np.int32)
        if rng.random() < 0.7:
            cv2.fillPoly(picture, [box], colour)
        else:
            cv2.ellipse(picture, centre, (size[0] // 2 + 1, size[1] // 2 + 1), 0, 0, 360, colour, -1)
    return picture


def _print(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a nearly plain light surface with a seam and a little print on it, as on a carton."""
    picture = np.full((SIZE_PX, SIZE_PX, 3), 1.0) - 0.12 * _value_noise(rng, 4)[..., None]
    for _ in range(int(rng.integers(1, 4))):
        at, width = int(rng.integers(0, SIZE_PX)), int(rng.integers(1, 5))
        strip = picture[at : at + width] if rng.random() < 0.5 else picture[:, at : at + width]
        strip *= rng.uniform(0.3, 0.9)
    return _add_marks(rng, picture, int(rng.integers(0, 8)))


def _add_marks(rng: np.random.Generator, picture: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Draw small flat marks: tape, stickers, scratches."""
    for _ in range(count):
        centre = tuple(int(v) for v in rng.integers(0, SIZE_PX, 2))
        grey = float(rng.choice([0.03, 0.1, 0.9, 1.0, rng.random()]))
        colour = (grey, grey, grey) if rng.random() < 0.7 else tuple(float(v) for v in rng.random(3))
        size = (int(rng.integers(1, 7)), int(rng.integers(1, 7)))
        cv2.fillPoly(picture, [cv2.boxPoints((centre, size, float(rng.uniform(0, 90)))).astype(np.int32)], colour)
    return picture
