"""A folder of pictures with labels.csv in the columns that a rig declares, as for photographs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.camera import CameraIntrinsics
from calibration.errors import InputError
from calibration.rig import Rig
from calibration.world import WorldParams
from envs.labels import FrameLabels
from sim2real.datasets.files import write_lines, write_picture
from sim2real.realdata import LABELS

# Frames are independent of each other, so that any groups will do; they are dealt out in turn.
_GROUPS = 9
_WHOLE, _PARTLY = 0.8, 0.3
_ASPECT_TOLERANCE = 0.01


class FolderWriter:
    """Writes `images/` and labels.csv; `sim2real.realdata.load_real` reads them."""

    def __init__(self, out: Path, rig: Rig) -> None:
        """Keep where to write; the folder exists."""
        self._out = out
        self._rig = rig

    def camera(self, camera: CameraIntrinsics) -> CameraIntrinsics:
        """Return the camera itself.

        Raises:
            InputError: a picture of another shape than the rig's camera, which could not be read as its photograph.
        """
        width, height = self._rig.camera.image_size_px
        if abs(camera.width_px * height / (camera.height_px * width) - 1) > _ASPECT_TOLERANCE:
            raise InputError(
                f"--size must have the shape {width}:{height} of the camera of rig {self._rig.name} in this format, "
                f"got {camera.width_px} x {camera.height_px}; choose another --size or --format"
            )
        return camera

    def world(self, world: WorldParams) -> WorldParams:
        """Return the world itself."""
        return world

    def prepare(self, camera: CameraIntrinsics) -> None:
        """Make the folder of the pictures."""
        (self._out / "images").mkdir(exist_ok=True)

    def add(self, number: int, rgb: NDArray[np.uint8], labels: FrameLabels) -> dict[str, Any]:
        """Write the picture and return its row."""
        name = f"images/{number:06d}.png"
        write_picture(self._out / name, rgb)
        rig = self._rig
        values: dict[str, str] = {rig.data.image_column: name}
        if rig.data.group_column:
            values[rig.data.group_column] = str(number % _GROUPS)
        columns = rig.label.point_columns or rig.label.columns
        values |= {c: repr(float(v)) for c, v in zip(columns, labels.point_m, strict=True)}
        values |= {j.column: repr(labels.joints[j.name]) for j in rig.joints if j.column}
        if rig.data.visible_column:
            values[rig.data.visible_column] = self._seen(labels)
        return values

    def finish(self, entries: Iterable[dict[str, Any]]) -> None:
        """Write labels.csv; a folder with it is complete."""
        write_lines(self._out / LABELS, _table(entries))

    def _seen(self, labels: FrameLabels) -> str:
        """Return how much of the bodies of all keypoints is seen, in the words of the rig."""
        inside = labels.view.intrinsics.contains(labels.keypoints_px)
        share = float(np.where(inside, labels.visible, 0.0).min())
        if share > _WHOLE:
            return "full"
        return "clipped" if share > _PARTLY else next(iter(self._rig.data.hidden_values), "none")


def _table(entries: Iterable[dict[str, Any]]) -> Iterator[str]:
    for number, row in enumerate(entries):
        if number == 0:
            yield _line(row)
        yield _line(row.values())


def _line(values: Iterable[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(values)
    return text.getvalue()
