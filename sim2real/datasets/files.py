"""Files of a data set: pictures as PNG, logs that grow by whole lines, large files written line by line."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.records import write_text


def write_picture(path: Path, rgb: NDArray[np.uint8]) -> None:
    """Write a picture (H, W, 3) as PNG, whole or not at all."""
    _write(path, cv2.imencode(".png", np.ascontiguousarray(rgb[..., ::-1]))[1].tobytes())


def write_plane(path: Path, plane: NDArray[np.uint8] | NDArray[np.uint16]) -> None:
    """Write one plane (H, W) of 8 or 16 bits as PNG, whole or not at all."""
    _write(path, cv2.imencode(".png", plane)[1].tobytes())


def _write(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees all of it or none; it reaches the disk with the next `os.sync`.

    Waiting for the disk at each of a frame's files would take longer than to draw it.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write lines to a file, which appears when the last one is in it; they need not fit into memory."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            for line in lines:
                file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def remove_parts(folder: Path) -> None:
    """Remove the unfinished files that a killed process leaves anywhere in a folder."""
    for path in folder.rglob(".*.part"):
        path.unlink()


class JsonLines:
    """A log of one JSON value a line, as long as wanted; iterating reads it from the disk, again each time."""

    def __init__(self, path: Path) -> None:
        """Name the file; it need not exist yet."""
        self._path = path

    def append(self, value: Any) -> None:
        """Add a line."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(value, allow_nan=False) + "\n")

    def __iter__(self) -> Iterator[Any]:
        """Yield the values."""
        with self._path.open(encoding="utf-8") as file:
            for line in file:
                yield json.loads(line)


def whole_lines(path: Path) -> int:
    """Return how many whole lines a file has; 0 when there is none."""
    return path.read_bytes().count(b"\n") if path.is_file() else 0


def keep_lines(path: Path, count: int) -> None:
    """Cut a file after its first `count` lines; nothing happens when there is none."""
    if path.is_file():
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        write_text(path, "".join(lines[:count]))
