"""What procedural textures show: the makers of each kind."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

SIZE_PX = 128
Colours = NDArray[np.float64]


def _colour(rng: np.random.Generator, low: float = 0.1) -> Colours:
    """Return a colour that is mostly muted, as surfaces are."""
    grey = rng.uniform(low, 1.0)
    return np.asarray(np.clip(grey + rng.normal(0.0, 0.12, 3), 0.0, 1.0))


def _value_noise(rng: np.random.Generator, coarse: int) -> Colours:
    """Return smooth noise (SIZE, SIZE) in 0 to 1: octaves of random grids, each half as strong."""
    total = np.zeros((SIZE_PX, SIZE_PX))
    cells, strength, weight = coarse, 1.0, 0.0
    while cells <= SIZE_PX:
        grid = rng.random((cells, cells)).astype(np.float32)
        total += strength * cv2.resize(grid, (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_CUBIC)
        weight += strength
        cells, strength = cells * 2, strength * 0.55
    return np.asarray(np.clip(total / weight, 0.0, 1.0))


def _mix(share: Colours, a: Colours, b: Colours) -> Colours:
    return np.asarray(share[..., None] * a + (1.0 - share[..., None]) * b)


def _noise(rng: np.random.Generator) -> Colours:
    return _mix(_value_noise(rng, int(rng.choice([2, 4, 8, 16]))), _colour(rng), _colour(rng))


def _gradient(rng: np.random.Generator) -> Colours:
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[0:SIZE_PX, 0:SIZE_PX] / (SIZE_PX - 1) - 0.5
    share = np.clip(0.5 + (x * np.cos(angle) + y * np.sin(angle)) * rng.uniform(0.5, 1.4), 0, 1)
    return _mix(share, _colour(rng), _colour(rng))


def _checker(rng: np.random.Generator) -> Colours:
    period_x, period_y = rng.integers(4, 40, 2)
    y, x = np.mgrid[0:SIZE_PX, 0:SIZE_PX]
    share = ((x // period_x + y // period_y) % 2).astype(np.float64)
    return _mix(share, _colour(rng), _colour(rng))


def _planks(rng: np.random.Generator) -> Colours:
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


def _marks(rng: np.random.Generator) -> Colours:
    base = _mix(_value_noise(rng, 4), _colour(rng), _colour(rng))
    return _add_marks(rng, base * 0.5 + _colour(rng, 0.3) * 0.5, int(rng.integers(8, 60)))


def _clutter(rng: np.random.Generator) -> Colours:
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


def _print(rng: np.random.Generator) -> Colours:
    """Return a nearly plain light surface with a seam and a little print on it, as on a carton."""
    picture = np.full((SIZE_PX, SIZE_PX, 3), 1.0) - 0.12 * _value_noise(rng, 4)[..., None]
    for _ in range(int(rng.integers(1, 4))):
        at, width = int(rng.integers(0, SIZE_PX)), int(rng.integers(1, 5))
        strip = picture[at : at + width] if rng.random() < 0.5 else picture[:, at : at + width]
        strip *= rng.uniform(0.3, 0.9)
    return _add_marks(rng, picture, int(rng.integers(0, 8)))


def _add_marks(rng: np.random.Generator, picture: Colours, count: int) -> Colours:
    """Draw small flat marks: tape, stickers, scratches."""
    for _ in range(count):
        centre = tuple(int(v) for v in rng.integers(0, SIZE_PX, 2))
        grey = float(rng.choice([0.03, 0.1, 0.9, 1.0, rng.random()]))
        colour = (grey, grey, grey) if rng.random() < 0.7 else tuple(float(v) for v in rng.random(3))
        size = (int(rng.integers(1, 7)), int(rng.integers(1, 7)))
        cv2.fillPoly(picture, [cv2.boxPoints((centre, size, float(rng.uniform(0, 90)))).astype(np.int32)], colour)
    return picture


def _grid(size: int = SIZE_PX) -> tuple[Colours, Colours]:
    """Return x and y (size, size) of the texels' centres, 0 to 1."""
    y, x = (np.mgrid[0:size, 0:size] + 0.5) / size
    return x, y


def _waves(phase: Colours, softness: float) -> Colours:
    """Return a square wave 0 to 1 of period 1 whose edges are `softness` wide."""
    distance = 0.25 - np.abs((phase % 1.0) - 0.5)
    return np.asarray(np.clip(0.5 + distance / max(softness, 1e-6), 0.0, 1.0))


def _stripes(rng: np.random.Generator) -> Colours:
    """Return stripes at any angle, sharp or soft."""
    x, y = _grid()
    angle, count = rng.uniform(0, np.pi), rng.uniform(2.0, 16.0)
    phase = (x * np.cos(angle) + y * np.sin(angle)) * count + rng.random()
    return _mix(_waves(phase, count / SIZE_PX * rng.choice([1.0, 2.0, 12.0])), _colour(rng), _colour(rng))


def _dots(rng: np.random.Generator) -> Colours:
    """Return dots on a square or hexagonal grid."""
    x, y = _grid()
    count = int(rng.integers(3, 14))
    row = np.floor(y * count)
    shift = 0.5 * (row % 2) if rng.random() < 0.5 else np.zeros_like(x)
    across, along = (x * count + shift) % 1.0 - 0.5, (y * count) % 1.0 - 0.5
    inside = rng.uniform(0.15, 0.42) - np.hypot(across, along)
    return _mix(np.clip(0.5 + inside * SIZE_PX / count, 0.0, 1.0), _colour(rng), _colour(rng))


def _bricks(rng: np.random.Generator) -> Colours:
    """Return bricks or tiles in courses, each with its own shade, and joints between them."""
    x, y = _grid()
    rows, columns = int(rng.integers(3, 14)), int(rng.integers(2, 8))
    course = np.floor(y * rows)
    along = x * columns + rng.choice([0.0, 0.5]) * (course % 2)
    shade = rng.uniform(-0.12, 0.12, (rows, columns + 1))[course.astype(int), np.floor(along).astype(int) % columns]
    edge = np.minimum(
        np.minimum(along % 1.0, 1.0 - along % 1.0) / columns, np.minimum(y * rows % 1.0, 1.0 - y * rows % 1.0) / rows
    )
    joint = np.clip((edge * SIZE_PX - rng.uniform(0.4, 2.0)) + 0.5, 0.0, 1.0)
    brick = _colour(rng) + shade[..., None] + 0.15 * (_value_noise(rng, 8)[..., None] - 0.5)
    return np.asarray(joint[..., None] * brick + (1.0 - joint[..., None]) * _colour(rng, 0.3))


def _wood(rng: np.random.Generator) -> Colours:
    """Return the rings of a cut trunk, bent by noise (Perlin 1985)."""
    x, y = _grid()
    bend = rng.uniform(0.05, 0.3) * (_value_noise(rng, 2) - 0.5)
    radius = np.hypot((x - rng.uniform(-2.0, 0.5)) * rng.uniform(0.1, 0.5), y - rng.uniform(-0.5, 1.5)) + bend
    rings = (radius * rng.uniform(8.0, 30.0)) % 1.0
    dark = np.clip(np.array([0.45, 0.28, 0.14]) + rng.normal(0.0, 0.06, 3), 0, 1)
    pale = np.clip(np.array([0.82, 0.62, 0.4]) + rng.normal(0.0, 0.08, 3), 0, 1)
    picture = _mix(rings**2, dark, pale) + 0.08 * (_value_noise(rng, 32)[..., None] - 0.5)
    return picture if rng.random() < 0.5 else np.ascontiguousarray(picture.transpose(1, 0, 2))


def _marble(rng: np.random.Generator) -> Colours:
    """Return veins: ridges of noise whose places are bent by other noise (Perlin 1985)."""
    x, y = _grid()
    angle = rng.uniform(0, np.pi)
    bend = rng.uniform(1.0, 4.0) * _value_noise(rng, 3)
    ridge = np.abs(np.sin(np.pi * ((x * np.cos(angle) + y * np.sin(angle)) * rng.uniform(1.0, 4.0) + bend)))
    return _mix(ridge ** rng.uniform(0.3, 1.5), _colour(rng, 0.6), _colour(rng, 0.0))


def _brushed(rng: np.random.Generator) -> Colours:
    """Return brushed metal: fine streaks along one direction, and a wide sheen."""
    streaks = cv2.resize(rng.standard_normal((SIZE_PX, 3)), (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_LINEAR)
    sheen = 0.12 * np.sin(2 * np.pi * (_grid()[0] * rng.uniform(0.5, 1.5) + rng.random()))
    grey = rng.uniform(0.4, 0.85) + rng.uniform(0.02, 0.08) * streaks + sheen
    picture = np.asarray(grey[..., None] * (1.0 + rng.normal(0.0, 0.03, 3)))
    return picture if rng.random() < 0.5 else np.ascontiguousarray(picture.transpose(1, 0, 2))


def _fabric(rng: np.random.Generator) -> Colours:
    """Return a plain weave: threads that pass over and under each other."""
    x, y = _grid()
    count = int(rng.integers(8, 30))
    over = (np.floor(x * count) + np.floor(y * count)) % 2
    warp, weft = np.sin(np.pi * (x * count % 1.0)), np.sin(np.pi * (y * count % 1.0))
    shade = 0.55 + 0.45 * np.where(over > 0, warp, weft)
    threads = _mix(over, _colour(rng), _colour(rng))
    return np.asarray(threads * shade[..., None] + 0.1 * (_value_noise(rng, 32)[..., None] - 0.5))


MAKERS: dict[str, Callable[[np.random.Generator], Colours]] = {
    "noise": _noise,
    "gradient": _gradient,
    "checker": _checker,
    "planks": _planks,
    "marks": _marks,
    "clutter": _clutter,
    "print": _print,
    "stripes": _stripes,
    "dots": _dots,
    "bricks": _bricks,
    "wood": _wood,
    "marble": _marble,
    "brushed": _brushed,
    "fabric": _fabric,
}
