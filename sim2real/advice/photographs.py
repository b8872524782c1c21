"""The photographs that advice is about: labelled ones to use, others to compare with and to label next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibration.errors import InputError
from calibration.rig import Rig
from sim2real.images import resize
from sim2real.labelled_photographs import report_data, training_pool
from sim2real.quality import colour_faults
from sim2real.realdata import LABELS, RealFrame, load_real
from sim2real.splits import choose_frames
from sim2real.unlabelled import load_photographs


@dataclass(frozen=True, eq=False)
class Photographs:
    """Photographs of a station.

    Attributes:
        files: names.
        pictures: uint8 (N, H, W, 3) at the size that the model sees; without colour faults.
        labelled: the frames whose labels are read.
        may_label: files that may be proposed for labelling.
        split: how the fitting side was found, for people.
    """

    files: tuple[str, ...]
    pictures: NDArray[np.uint8]
    labelled: tuple[RealFrame, ...]
    may_label: frozenset[str]
    split: str


def find_photographs(rig: Rig, folder: Path, unlabelled: Path | None, count: int, seed: int) -> Photographs:
    """Return the photographs of a folder and of another one without labels.

    Only the `count` frames drawn from the fitting side of the split give their labels. Not proposed for labelling
    are those frames, the held-out side, and photographs that labels.csv calls empty of the target.

    Args:
        rig: the station.
        folder: with labels.csv where `count` is above 0.
        unlabelled: with more photographs; None: there are no more.
        count: labelled frames to use.
        seed: which.

    Raises:
        InputError: bad folders or files, fewer usable labelled frames, or fewer than two usable photographs.
    """
    if count < 0:
        raise InputError(f"frames must be 0 or more, got {count}")
    if folder.is_dir() and (count or (folder / LABELS).is_file()):
        data = load_real(folder, rig)
        report_data(data)
        pool, split = training_pool(rig, data, count)
        labelled = choose_frames(pool, count, seed, "advice")
        files, pictures, rule = list(data.files), list(data.unlabelled), split.rule
        closed = {f.file for f in labelled} | set(split.test) | {name for name, _ in data.left_out}
    else:
        found = load_photographs(folder, rig)
        files, pictures = [p.file for p in found], [p.picture for p in found]
        labelled, rule, closed = [], "none: there are no labels", set()
    usable = _usable(files, pictures)
    if unlabelled is not None:
        more = load_photographs(unlabelled, rig)
        usable |= _usable([str(unlabelled / p.file) for p in more], [p.picture for p in more])
    if len(usable) < 2:
        raise InputError(f"advice needs 2 or more photographs without colour faults in {folder}, found {len(usable)}")
    small = np.stack([resize(p, *rig.input_size_px) for p in usable.values()])
    return Photographs(tuple(usable), small, tuple(labelled), frozenset(set(usable) - closed), rule)


def _usable(files: Sequence[str], pictures: Sequence[NDArray[np.uint8]]) -> dict[str, NDArray[np.uint8]]:
    faults = colour_faults(pictures)
    return {f: p for f, p, fault in zip(files, pictures, faults, strict=True) if fault is None}
