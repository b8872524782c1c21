"""What training on labelled photographs starts from: the frames that may be fitted, and a camera."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from calibration.errors import InputError
from calibration.rig import Rig
from calibration.view import CameraView
from policies.checkpoint import ModelCard
from sim2real.cameras import aligned_camera
from sim2real.realdata import RealData, RealFrame
from sim2real.splits import Split, split_frames

logger = logging.getLogger(__name__)


def report_data(data: RealData) -> None:
    """Log what was converted, left out or found faulty."""
    for note in data.notes[:5]:
        logger.warning("converted %s", note)
    if len(data.notes) > 5:
        logger.warning("converted %d more images", len(data.notes) - 5)
    for file, reason in data.left_out:
        logger.info("left out %s: %s", file, reason)
    for file, reason in data.faulty:
        logger.warning("faulty, neither trained on nor scored: %s (%s)", file, reason)


def training_pool(
    rig: Rig, data: RealData, count: int, test_groups: Sequence[str] = ()
) -> tuple[list[RealFrame], Split]:
    """Return the frames that may be fitted, and the split.

    It is the fitting side of the rig's own split where that has enough frames, else all usable frames; with groups that
    are named to be held out, always the other ones.

    Raises:
        InputError: groups that do not exist, or that leave nothing to fit.
    """
    frames = list(data.frames)
    if len(frames) >= 2:
        split = split_frames(rig, frames, test_groups)
        pool = [f for f in frames if f.file in split.train]
        if len(pool) >= count or test_groups:
            return pool, split
    names, hashes = tuple(f.file for f in frames), tuple(f.sha256 for f in frames)
    return frames, Split("all usable frames may be fitted, none is held out", names, (), hashes, "")


def start_camera(card: ModelCard, data: RealData) -> tuple[CameraView, bool]:
    """Return the camera to start from, and whether it was aligned on the unlabelled photographs."""
    if card.rig.alignment_body is None:
        return card.camera, False
    try:
        return aligned_camera(card.rig, data.unlabelled).view, True
    except InputError as error:
        logger.warning("camera not aligned: %s", error)
        return card.camera, False
