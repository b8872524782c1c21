"""Folders of real photographs with labels.csv."""

from __future__ import annotations

import csv
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibration.errors import InputError
from calibration.lifting import keypoints_of_label
from calibration.rig import Rig
from sim2real.images import read_image, resize
from sim2real.quality import colour_faults

LABELS = "labels.csv"
_ASPECT_TOLERANCE = 0.01


@dataclass(frozen=True, eq=False)
class RealFrame:
    """One labelled photograph.

    Attributes:
        file: as in labels.csv.
        sha256: of the file.
        picture: uint8 (H, W, 3) at the size that the model sees.
        point_m: label point (3,) in the label's frame.
        joints: measured joint positions, when the rig's joints have columns.
        keypoints_world: (K, 3) in the world, metres.
        visible: how much of the target is seen, as labels.csv says; "full" when it says nothing.
        group: rows of one group are never divided between fitting and scoring.
        fault: what is wrong with the picture, None when nothing is.
    """

    file: str
    sha256: str
    picture: NDArray[np.uint8]
    point_m: NDArray[np.float64]
    joints: dict[str, float] | None
    keypoints_world: NDArray[np.float64]
    visible: str
    group: str
    fault: str | None


@dataclass(frozen=True, eq=False)
class RealData:
    """The photographs of a folder.

    Attributes:
        folder: where they are.
        frames: usable ones, in the order of labels.csv.
        left_out: files without a visible target, with the reason.
        faulty: files with a picture fault, with the reason; not among `frames`.
        faulty_frames: those frames, to be scored apart.
        unlabelled: every picture at the size of the rig's camera; no label belongs to it.
        notes: what was converted on the way.
        files: names of `unlabelled`.
    """

    folder: Path
    frames: tuple[RealFrame, ...]
    left_out: tuple[tuple[str, str], ...]
    faulty: tuple[tuple[str, str], ...]
    faulty_frames: tuple[RealFrame, ...]
    unlabelled: tuple[NDArray[np.uint8], ...]
    notes: tuple[str, ...]
    files: tuple[str, ...]


def load_real(folder: Path, rig: Rig) -> RealData:
    """Return the photographs and labels of a folder.

    Raises:
        InputError: a missing folder, file or column, a label that is no number, a picture of no use.
    """
    data = rig.data
    rows = read_rows(folder, rig, [data.image_column, *(rig.label.point_columns or rig.label.columns)])
    pictures: list[NDArray[np.uint8]] = []
    notes: list[str] = []
    hashes: list[str] = []
    lines: dict[str, int] = {}
    for line, row in rows:
        name = row[data.image_column]
        if name in lines:
            raise InputError(f"{folder / LABELS} line {line}: {name} has a row already, line {lines[name]}")
        lines[name] = line
        path = folder / name
        if not path.is_file():
            raise InputError(
                f"{folder / LABELS} line {line}: {data.image_column} must be an image, found no file {path}"
            )
        picture, note = read_image(path)
        picture, resized = to_camera_size(picture, rig, path)
        notes.extend(f"{name}: {n}" for n in (note, resized) if n)
        pictures.append(picture)
        hashes.append(hashlib.sha256(path.read_bytes()).hexdigest())
    faults = colour_faults(pictures)
    frames, left_out, faulty, faulty_frames = [], [], [], []
    for (line, row), picture, digest, fault in zip(rows, pictures, hashes, faults, strict=True):
        name = row[data.image_column]
        visible = row[data.visible_column] if data.visible_column in row and data.visible_column else "full"
        if visible in data.hidden_values:
            left_out.append((name, "no visible target"))
            continue
        frame = _frame(folder, rig, row, line, picture, digest, visible, fault)
        if fault is not None:
            faulty.append((name, fault))
            faulty_frames.append(frame)
        else:
            frames.append(frame)
    return RealData(
        folder,
        tuple(frames),
        tuple(left_out),
        tuple(faulty),
        tuple(faulty_frames),
        tuple(pictures),
        tuple(notes),
        tuple(lines),
    )


def check_folder(folder: Path) -> None:
    """Raise InputError where there is no folder."""
    if not folder.is_dir():
        what = "a file" if folder.exists() else "nothing"
        raise InputError(f"real data must be a folder with images and {LABELS}, found {what} at {folder}")


def read_rows(folder: Path, rig: Rig, needed: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """Return the lines of labels.csv with their numbers, by column.

    Raises:
        InputError: no folder, no file, one of the needed columns is missing, or there is no row.
    """
    check_folder(folder)
    path = folder / LABELS
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            header = [name.strip() for name in reader.fieldnames or []]
            reader.fieldnames = header
            rows = [(reader.line_num, {k: (v or "").strip() for k, v in row.items() if k}) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"cannot read {path}: {reason}") from None
    for column in needed:
        if column not in header:
            raise InputError(
                f"{path} needs column '{column}' for rig {rig.name}, found {', '.join(header) or 'no header'}"
            )
    if not rows:
        raise InputError(f"{path} must have at least one row, found none")
    return rows


def _frame(
    folder: Path,
    rig: Rig,
    row: dict[str, str],
    line: int,
    picture: NDArray[np.uint8],
    digest: str,
    visible: str,
    fault: str | None,
) -> RealFrame:
    columns = rig.label.point_columns or rig.label.columns
    point = np.array([_number(folder, row, c, line) for c in columns])
    joints: dict[str, float] | None = None
    if rig.label.lift == "joints" and all(j.column in row for j in rig.joints):
        joints = {j.name: _number(folder, row, str(j.column), line) for j in rig.joints}
    small = resize(picture, *rig.input_size_px)
    group = row.get(rig.data.group_column or "", "")
    keypoints = keypoints_of_label(rig, point, joints)
    name = row[rig.data.image_column]
    return RealFrame(name, digest, small, point, joints, keypoints, visible, group, fault)


def _number(folder: Path, row: dict[str, str], column: str, line: int) -> float:
    try:
        value = float(row[column])
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{folder / LABELS} line {line}: {column} must be a number, got '{row[column]}'")
    return value


def to_camera_size(picture: NDArray[np.uint8], rig: Rig, path: Path) -> tuple[NDArray[np.uint8], str | None]:
    """Return a picture at the size of the rig's camera, and a note when it had another.

    Raises:
        InputError: its sides have another ratio.
    """
    width, height = rig.camera.image_size_px
    h, w = picture.shape[:2]
    if (w, h) == (width, height):
        return picture, None
    if abs(w / h - width / height) > _ASPECT_TOLERANCE * width / height:
        raise InputError(
            f"image {path} must be {width}x{height} like the camera of rig {rig.name}, or a multiple of it, got {w}x{h}"
        )
    return resize(picture, width, height), f"resized from {w}x{h} to {width}x{height}"


def stack_pictures(frames: Sequence[RealFrame]) -> NDArray[np.uint8]:
    """Return the pictures (N, H, W, 3) of frames."""
    return np.stack([f.picture for f in frames])
