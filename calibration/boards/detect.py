"""Find a board in photographs; what cannot be used is kept with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.boards.board import CODED, Board, dictionary_names
from calibration.boards.circles import find_circles
from calibration.errors import InputError

Float = NDArray[np.float64]
Picture = NDArray[np.uint8]

# Of a board whose points have names, this many must be seen; four give a pose, but nothing to check it by.
FEWEST_POINTS = 6
# Points of which all lie on one line give no pose: the second moment across the line, over that along it.
_FLATTEST = 0.01


@dataclass(frozen=True, eq=False)
class BoardView:
    """A board in one photograph.

    Attributes:
        name: file of the photograph.
        size_px: width and height.
        ids: (N,), rows of `Board.points`.
        points_m: (N, 3), in the frame of the board.
        pixels: (N, 2); pixel (0, 0) is the centre of the top-left one.
    """

    name: str
    size_px: tuple[int, int]
    ids: NDArray[np.int64]
    points_m: Float
    pixels: Float


@dataclass(frozen=True, eq=False)
class Detection:
    """What was found in some photographs.

    Attributes:
        board: that was looked for.
        views: where it was found.
        rejected: (name, reason) of the other photographs.
    """

    board: Board
    views: tuple[BoardView, ...]
    rejected: tuple[tuple[str, str], ...]


def detect(board: Board, pictures: Sequence[tuple[str, Picture]]) -> Detection:
    """Return where the board is in photographs, each (name, uint8 (H, W, 3) RGB).

    Raises:
        InputError: there are none, their sizes differ, or the board is in none of them; it names another board
            that is.
    """
    if not pictures:
        raise InputError("photographs of a board are needed, got none")
    sizes = [(p.shape[1], p.shape[0]) for _, p in pictures]
    for (name, _), size in zip(pictures, sizes, strict=True):
        if size != sizes[0]:
            raise InputError(
                f"photographs of one camera must have one size, got {sizes[0][0]} x {sizes[0][1]} in {pictures[0][0]} "
                f"and {size[0]} x {size[1]} in {name}; calibrate them apart"
            )
    points = board.points()
    views, rejected = [], []
    for (name, picture), size in zip(pictures, sizes, strict=True):
        found = find(board, _grey(picture))
        if isinstance(found, str):
            rejected.append((name, found))
            continue
        ids, pixels = found
        views.append(BoardView(name, size, ids, points[ids], pixels))
    if not views:
        other = _other_board(board, [_grey(p) for _, p in pictures[:3]])
        seen = f"; they show {other}: correct the board's file" if other else "; is it sharp, whole and evenly lit?"
        raise InputError(f"board ({board}) must be in the photographs, got {len(pictures)} without it{seen}")
    return Detection(board, tuple(views), tuple(rejected))


def find(board: Board, grey: Picture, thorough: bool = True) -> tuple[NDArray[np.int64], Float] | str:
    """Return ids (N,) and pixels (N, 2) of the board's points in a grey picture; or why there are none, in words.

    Args:
        board: that is looked for.
        grey: uint8 (H, W).
        thorough: also look for a chessboard that is hard to see, which takes a second where there is none.
    """
    if board.kind in CODED:
        ids, seen = _coded(board, grey)
        if len(ids) == 0:
            return "no board found"
        if len(ids) < FEWEST_POINTS:
            return f"{len(ids)} of {len(board.points())} points found, {FEWEST_POINTS} are needed"
        if _is_line(board.points()[ids][:, :2]):
            return f"the {len(ids)} points found lie on one line"
        return ids, seen
    pixels = _corners(board, grey, thorough) if board.kind == "chessboard" else find_circles(grey, board)
    if pixels is None:
        return "no board found, or not all of it in the picture"
    return np.arange(len(pixels)), pixels


def _grey(picture: Picture) -> Picture:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)


def _corners(board: Board, grey: Picture, thorough: bool) -> Float | None:
    size = (board.columns, board.rows)
    if thorough:
        flags = cv2.CALIB_CB_ACCURACY | cv2.CALIB_CB_EXHAUSTIVE | cv2.CALIB_CB_NORMALIZE_IMAGE
        found, corners = cv2.findChessboardCornersSB(grey, size, flags=flags)
    else:
        flags = cv2.CALIB_CB_ADAPTIVE_THRESH | cv2.CALIB_CB_FAST_CHECK
        found, corners = cv2.findChessboardCorners(grey, size, flags=flags)
    if not found:
        return None
    rough = np.asarray(corners, np.float32).reshape(board.rows, board.columns, 2)
    gap = min(np.linalg.norm(np.diff(rough, axis=axis), axis=-1).min() for axis in (0, 1))
    # The finder's own corners are off by tenths of a pixel; gradients tell better where they are (Foerstner 1987).
    reach = max(2, int(0.35 * gap))
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_MAX_ITER, 40, 1e-3)
    fine = cv2.cornerSubPix(grey, rough.reshape(-1, 1, 2), (reach, reach), (-1, -1), stop)
    pixels = np.asarray(fine, np.float64).reshape(rough.shape)
    across, down = pixels[0, -1] - pixels[0, 0], pixels[-1, 0] - pixels[0, 0]
    # With x right and y down in the picture, x to y turns clockwise, or the board is seen in a mirror.
    if across[0] * down[1] - across[1] * down[0] < 0:
        pixels = pixels[:, ::-1]
    # The board begins with a black square, where its two ends differ.
    if board.has_one_orientation and _outside(grey, pixels) > _outside(grey, pixels[::-1, ::-1]):
        pixels = pixels[::-1, ::-1]
    return np.ascontiguousarray(pixels).reshape(-1, 2)


def _outside(grey: Picture, grid: Float) -> float:
    """Return the brightness of the square before the first corner of a grid (R, C, 2)."""
    x, y = np.round(grid[0, 0] + 0.5 * (grid[0, 0] - grid[1, 1])).astype(int).tolist()
    return float(grey[min(max(y, 0), grey.shape[0] - 1), min(max(x, 0), grey.shape[1] - 1)])


def _coded(board: Board, grey: Picture) -> tuple[NDArray[np.int64], Float]:
    nothing = np.zeros(0, np.int64), np.zeros((0, 2))
    if board.kind == "charuco":
        corners, names, _, _ = _loose(cv2.aruco.CharucoDetector(board.charuco()).detectBoard(grey))
        if names is None:
            return nothing
        return np.asarray(names, np.int64).ravel(), np.asarray(corners, np.float64).reshape(-1, 2)
    settings = cv2.aruco.DetectorParameters()
    settings.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
    grid = board.tag_grid()
    found, tags, _ = _loose(cv2.aruco.ArucoDetector(grid.getDictionary(), settings).detectMarkers(grey))
    known = {int(tag): k for k, tag in enumerate(np.asarray(grid.getIds()).ravel())}
    ids: list[int] = []
    quads = []
    for tag, quad in zip(np.asarray(() if tags is None else tags, np.int64).ravel().tolist(), found, strict=True):
        if tag in known:
            ids.extend(4 * known[tag] + k for k in range(4))
            quads.append(np.asarray(quad, np.float64).reshape(4, 2))
    return (np.array(ids, np.int64), np.concatenate(quads)) if quads else nothing


def _loose(found: Any) -> Any:
    """Return what OpenCV found, which may be None where its stubs promise arrays."""
    return found


def _is_line(points: Float) -> bool:
    spread = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    return bool(spread[-1] < _FLATTEST**0.5 * spread[0])


def _other_board(board: Board, greys: Sequence[Picture]) -> str | None:
    """Return a name for the board that is in one of the pictures in place of the declared one."""
    for other in _alternatives(board):
        for grey in greys:
            if not isinstance(find(other, grey, thorough=False), str):
                return str(other) if other.kind not in CODED else f"markers of {other.dictionary}"
    return None


def _alternatives(board: Board) -> list[Board]:
    if board.kind in CODED:
        others = [replace(board, dictionary=name) for name in dictionary_names() if name != board.dictionary]
        return [*others, Board("chessboard", max(board.columns - 1, 3), max(board.rows - 1, 3), board.spacing_m)]
    sizes = [
        (c, r)
        for c, r in product(range(board.columns - 3, board.columns + 4), range(board.rows - 3, board.rows + 4))
        if c >= 3 and r >= 3 and (c, r) != (board.columns, board.rows)
    ]
    sizes.sort(key=lambda s: -s[0] * s[1])
    if (turned := (board.rows, board.columns)) in sizes:
        sizes.insert(0, turned)
    return [replace(board, columns=c, rows=r) for c, r in sizes]
