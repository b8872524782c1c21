"""Photographs without their labels: what label-free adaptation may see."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibration.errors import InputError
from calibration.rig import Rig
from sim2real.images import IMAGE_SUFFIXES, read_image, resize
from sim2real.quality import colour_faults
from sim2real.realdata import LABELS, check_folder, read_rows, to_camera_size


@dataclass(frozen=True, eq=False)
class Photograph:
    """One photograph; nothing here comes from a label.

    Attributes:
        file: its name below the folder.
        sha256: of the file.
        picture: uint8 (H, W, 3) at the size of the rig's camera.
        group: photographs of one group are never divided between fitting and scoring.
        fault: what is wrong with its colours, None when nothing is.
    """

    file: str
    sha256: str
    picture: NDArray[np.uint8]
    group: str
    fault: str | None


def load_photographs(folder: Path, rig: Rig) -> list[Photograph]:
    """Return the photographs of a folder, in the order of labels.csv where there is one, else by name.

    Of labels.csv only the columns of image, group and visibility are read, and photographs whose target is out of the
    picture are left out, as they are wherever labels are used.

    Raises:
        InputError: no such folder, no photographs, or a picture of no use.
    """
    names = _named(folder, rig) if (folder / LABELS).is_file() else _found(folder)
    pictures, digests = [], []
    for name, _ in names:
        pictures.append(to_camera_size(read_image(folder / name)[0], rig, folder / name)[0])
        digests.append(hashlib.sha256((folder / name).read_bytes()).hexdigest())
    faults = colour_faults(pictures)
    return [
        Photograph(name, digest, picture, group, fault)
        for (name, group), digest, picture, fault in zip(names, digests, pictures, faults, strict=True)
    ]


def model_pictures(rig: Rig, photographs: Sequence[Photograph]) -> NDArray[np.uint8]:
    """Return the photographs (N, H, W, 3) at the size that the model sees."""
    return np.stack([resize(p.picture, *rig.input_size_px) for p in photographs])


def _named(folder: Path, rig: Rig) -> list[tuple[str, str]]:
    data = rig.data
    found: dict[str, str] = {}
    for line, row in read_rows(folder, rig, [data.image_column]):
        name = row[data.image_column]
        if not (folder / name).is_file():
            raise InputError(
                f"{folder / LABELS} line {line}: {data.image_column} must be an image, found no file {folder / name}"
            )
        if row.get(data.visible_column or "", "") not in data.hidden_values:
            found[name] = row.get(data.group_column or "", "")
    return list(found.items())


def _found(folder: Path) -> list[tuple[str, str]]:
    check_folder(folder)
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
    if not paths:
        raise InputError(f"folder {folder} must hold photographs ({', '.join(IMAGE_SUFFIXES)}), found none")
    return [(str(p.relative_to(folder)), "") for p in paths]
