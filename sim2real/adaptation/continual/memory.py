"""Labelled frames of earlier stations that are kept and mixed in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calibration.rig import Rig
from calibration.view import CameraView
from sim2real.adaptation.fine_tuning.frames import real_batch
from sim2real.advice.active_learning.selection import pick_frames
from sim2real.realdata import RealFrame
from sim2real.stream import Batch


@dataclass(frozen=True, eq=False)
class Kept:
    """Frames of one station, and the camera that took them.

    Attributes:
        view: the station's camera at the size of the photographs; it gives the pixels of the labels.
        frames: labelled.
    """

    view: CameraView
    frames: tuple[RealFrame, ...]


def frames_to_keep(frames: Sequence[RealFrame], count: int) -> tuple[RealFrame, ...]:
    """Return the frames to keep of those that were fitted, in their own order: they cover the labels.

    Greedy k-centre of the label points (Gonzalez 1985), so that the corners of the workspace stay. Fewer than `count`
    where labels repeat.
    """
    if count == 0:
        return ()
    points = np.stack([f.point_m for f in frames])
    picks = pick_frames(points, np.zeros(len(frames)), (), count, 0.0)
    return tuple(frames[k] for k in sorted(p.index for p in picks))


def with_memory(rig: Rig, view: CameraView, frames: Sequence[RealFrame], memory: Sequence[Kept]) -> Batch:
    """Return this station's frames and the kept ones of earlier stations, each with the pixels of its own camera.

    Fine-tuning draws every labelled frame equally often, as in experience replay (Chaudhry et al. 2019, "On tiny
    episodic memories in continual learning") with a memory as large as its share.
    """
    kept = [real_batch(rig, k.view, k.frames) for k in memory if k.frames]
    return Batch.joined([real_batch(rig, view, frames), *kept])
