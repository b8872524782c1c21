"""A calibration board, described in a short file."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from calibration.errors import InputError
from calibration.records import from_plain

Kind = Literal["chessboard", "charuco", "circles", "asymmetric_circles", "apriltags"]
# Boards of which every point can be told from every other one, so that a part of them is enough.
CODED: tuple[Kind, ...] = ("charuco", "apriltags")
# Larger than this, a square is meant in millimetres.
_LARGEST_M = 1.0


@dataclass(frozen=True)
class Board:
    """What is printed on a board.

    The frame of a board: origin in its first point, x along a row, y along a column, z into the board (OpenCV's).

    Attributes:
        kind: "chessboard", "charuco", "circles" (a square grid), "asymmetric_circles" or "apriltags" (a grid of them).
        columns: inner corners of a chessboard along a row; squares of a charuco board; circles or tags along a row.
        rows: the same along a column.
        spacing_m: side of a square, distance of neighbouring circles, or side of a tag. In an asymmetric grid, the
            distance of neighbouring rows; in a row, circles are two spacings apart, and every other row is shifted by
            one.
        marker_m: side of the markers of a charuco board; of apriltags, the gap between two of them.
        dictionary: of markers, by OpenCV's name.
        large_dot: of circles, whether the one in the corner that is the origin is larger than the others. Without it,
            a square grid looks the same from four sides.
        legacy: whether a charuco board with an even number of rows begins with a marker, as OpenCV before 4.6 drew it.
    """

    kind: Kind
    columns: int
    rows: int
    spacing_m: float
    marker_m: float = 0.0
    dictionary: str = "DICT_6X6_250"
    large_dot: bool = False
    legacy: bool = False

    def __post_init__(self) -> None:
        """Check that it can be printed and found."""
        if self.kind not in get_args(Kind):
            raise ValueError(f"kind must be one of {', '.join(get_args(Kind))}, got '{self.kind}'")
        smallest = 1 if self.kind == "apriltags" else 3
        if self.columns < smallest or self.rows < smallest:
            raise ValueError(f"columns and rows must be {smallest} or more, got {self.columns} x {self.rows}")
        if not 0.0 < self.spacing_m <= _LARGEST_M:
            raise ValueError(
                f"spacing_m must lie between 0 and {_LARGEST_M:g} m, got {self.spacing_m:g}; is it in millimetres?"
            )
        if self.kind in CODED:
            if self.dictionary not in dictionary_names():
                raise ValueError(f"dictionary must be one of {', '.join(dictionary_names())}, got '{self.dictionary}'")
            if not self.marker_m > 0 or (self.kind == "charuco" and self.marker_m >= self.spacing_m):
                raise ValueError(f"marker_m must be above 0, for charuco below spacing_m, got {self.marker_m:g}")

    @property
    def has_one_orientation(self) -> bool:
        """Whether it looks different after every turn."""
        if self.kind == "chessboard":
            return (self.columns + self.rows) % 2 == 1
        return self.kind != "circles" or self.large_dot

    def points(self) -> NDArray[np.float64]:
        """Return all points (P, 3) in the frame of the board, metres."""
        if self.kind == "charuco":
            return np.asarray(self.charuco().getChessboardCorners(), np.float64)
        if self.kind == "apriltags":
            corners = np.asarray(self.tag_grid().getObjPoints(), np.float64)
            return corners.reshape(-1, 3)
        row, column = np.divmod(np.arange(self.rows * self.columns), self.columns)
        x = 2 * column + row % 2 if self.kind == "asymmetric_circles" else column
        return np.column_stack([x, row, np.zeros(len(row))]) * self.spacing_m

    def charuco(self) -> cv2.aruco.CharucoBoard:
        """Return OpenCV's charuco board."""
        size = (self.columns, self.rows)
        board = cv2.aruco.CharucoBoard(size, self.spacing_m, self.marker_m, _dictionary(self.dictionary))
        board.setLegacyPattern(self.legacy)
        return board

    def tag_grid(self) -> cv2.aruco.GridBoard:
        """Return OpenCV's grid of markers."""
        size = (self.columns, self.rows)
        return cv2.aruco.GridBoard(size, self.spacing_m, self.marker_m, _dictionary(self.dictionary))

    def __str__(self) -> str:
        """Return what a person would call it."""
        unit = {"charuco": "squares", "chessboard": "inner corners", "apriltags": "tags"}.get(self.kind, "circles")
        name = self.kind.replace("_", " ")
        return f"{name} of {self.columns} x {self.rows} {unit}, {self.spacing_m * 1e3:g} mm"


def dictionary_names() -> list[str]:
    """Return OpenCV's names of dictionaries of markers."""
    return sorted(name for name in dir(cv2.aruco) if name.startswith("DICT_"))


def _dictionary(name: str) -> cv2.aruco.Dictionary:
    return cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, name))


# Names that files of other tools use for the same.
_OTHER_NAMES = {
    "type": "kind",
    "squares_x": "columns",
    "squares_y": "rows",
    "cols": "columns",
    "square_m": "spacing_m",
}
_OTHER_KINDS = {
    "modified_circle_grid": ("circles", True),
    "circle_grid": ("circles", False),
    "aprilgrid": ("apriltags", False),
}


def read_board(path: Path) -> Board:
    """Return the board of a TOML file, or of a flat YAML file with the names of other tools.

    Raises:
        InputError: no such file, not TOML or YAML, or a value that cannot be.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"board must be a TOML file, got {path}: {error.strerror}") from None
    if path.suffix in (".yaml", ".yml"):
        try:
            return from_plain(Board, _renamed(yaml.safe_load(text), path), str(path))
        except yaml.YAMLError as error:
            raise InputError(f"{path} must be YAML: {' '.join(str(error).split())}") from None
    try:
        return from_plain(Board, tomllib.loads(text), str(path))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} must be TOML: {error}") from None


def _renamed(data: Any, path: Path) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise InputError(f"{path} must hold names and values, got {type(data).__name__}")
    found = {_OTHER_NAMES.get(str(k), str(k)): v for k, v in data.items() if k not in ("note", "layout")}
    if found.get("kind") in _OTHER_KINDS:
        found["kind"], found["large_dot"] = _OTHER_KINDS[found["kind"]]
    if isinstance(found.get("dictionary"), str):
        # "DICT_6X6_250 (OpenCV id 10)" names it twice.
        found["dictionary"] = found["dictionary"].split()[0]
    return found
