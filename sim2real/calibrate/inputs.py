"""Photographs and poses of a folder, and new folders for what is found."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from calibration.errors import InputError
from sim2real.images import IMAGE_SUFFIXES, read_image

Float = NDArray[np.float64]
POSES = "poses.csv"
_COLUMNS = ("file", "x_m", "y_m", "z_m", "qx", "qy", "qz", "qw")
_UNIT = 0.02


def new_folder(path: Path) -> Path:
    """Return a new folder.

    Raises:
        InputError: it exists and holds something.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise InputError(f"--out must be a new folder, got {path}, which holds something already")
    path.mkdir(parents=True, exist_ok=True)
    return path


def read_pictures(folder: Path) -> list[tuple[str, NDArray[np.uint8]]]:
    """Return name and picture of every photograph of a folder, or of its folder `images`.

    Raises:
        InputError: no folder, or no photograph in it.
    """
    if not folder.is_dir():
        raise InputError(f"--real must be a folder with photographs, got {folder}")
    place = folder / "images" if (folder / "images").is_dir() else folder
    paths = sorted(p for p in place.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
    if not paths:
        raise InputError(f"folder {place} must hold photographs ({', '.join(IMAGE_SUFFIXES)}), found none")
    return [(p.relative_to(folder).as_posix(), read_image(p)[0]) for p in paths]


def read_poses(folder: Path) -> dict[str, Float]:
    """Return base_from_flange (4, 4) by file name, of poses.csv.

    Raises:
        InputError: the file or a column is missing, a value is no number, a quaternion is none, or a file has two rows.
    """
    path = folder / POSES
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; it has {','.join(_COLUMNS)}") from None
    if not rows:
        raise InputError(f"{path} must have a row for each photograph, found none")
    for column in _COLUMNS:
        if column not in rows[0]:
            raise InputError(f"{path} needs column '{column}', found {', '.join(map(str, rows[0]))}")
    poses: dict[str, Float] = {}
    for number, row in enumerate(rows, start=2):
        try:
            values = [float(row[c]) for c in _COLUMNS[1:]]
        except (TypeError, ValueError):
            values = [math.nan]
        if not all(map(math.isfinite, values)):
            raise InputError(f"{path} line {number}: a pose needs seven numbers, got {list(row.values())[1:]}")
        length = math.hypot(*values[3:])
        if abs(length - 1.0) > _UNIT:
            raise InputError(
                f"{path} line {number}: a quaternion has length 1, got {length:.3g} of {values[3:]}; are its "
                "columns qx qy qz qw?"
            )
        name = str(row["file"])
        if name in poses:
            raise InputError(f"{path} line {number}: {name} has a pose already")
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = Rotation.from_quat(values[3:]).as_matrix(), values[:3]
        poses[name] = pose
    return poses
