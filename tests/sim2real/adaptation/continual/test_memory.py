"""Kept frames cover the labels, and keep the pixels of the camera that took them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.lifting import keypoints_of_label
from calibration.pose import Pose
from calibration.rig import Rig
from calibration.rig_file import load_rig
from calibration.view import CameraView
from sim2real.adaptation.continual.memory import Kept, frames_to_keep, with_memory
from sim2real.realdata import RealFrame


@pytest.fixture(scope="module")
def rig() -> Rig:
    return load_rig("cube_on_table")


def frame(rig: Rig, number: int, x: float, y: float) -> RealFrame:
    point: NDArray[np.float64] = np.array([x, y, 0.33])
    width, height = rig.input_size_px
    picture = np.full((height, width, 3), number, np.uint8)
    return RealFrame(
        str(number), str(number), picture, point, None, keypoints_of_label(rig, point, None), "full", "", None
    )


def test_corners_are_kept(rig: Rig) -> None:
    corners = [(-1.0, -0.5), (-1.0, 0.5), (-0.6, -0.5), (-0.6, 0.5)]
    crowd = [(-0.8 + 0.01 * k, 0.0) for k in range(6)]
    frames = [frame(rig, k, x, y) for k, (x, y) in enumerate(crowd[:3] + corners + crowd[3:])]
    assert {f.file for f in frames_to_keep(frames, 5)} > {"3", "4", "5", "6"}
    assert [int(f.file) for f in frames_to_keep(frames, 5)] == sorted(int(f.file) for f in frames_to_keep(frames, 5))
    assert frames_to_keep(frames, 0) == ()
    assert len(frames_to_keep(frames, 10)) == 10


def test_one_label_is_kept_once(rig: Rig) -> None:
    frames = [frame(rig, k, -0.8, 0.1) for k in range(3)] + [frame(rig, 3, -0.6, 0.1)]
    assert len(frames_to_keep(frames, 3)) == 2


def test_kept_frames_have_the_pixels_of_their_own_camera(rig: Rig) -> None:
    here = CameraView.of(rig)
    pose = here.world_from_camera
    x, y, z = pose.position_m
    there = CameraView(here.intrinsics, replace(pose, position_m=(x + 0.1, y, z)))
    assert isinstance(pose, Pose)
    frames = [frame(rig, k, -0.8, 0.1 * k) for k in range(3)]
    batch = with_memory(rig, here, frames, [Kept(there, (frames[0],)), Kept(there, ())])
    assert batch.rgb[:, 0, 0, 0].tolist() == [0, 1, 2, 0]
    small = there.resized(*rig.input_size_px)
    assert batch.keypoints_px[3] == pytest.approx(small.project(frames[0].keypoints_world))
    assert np.abs(batch.keypoints_px[3] - batch.keypoints_px[0]).max() > 1.0
