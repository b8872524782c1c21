"""A baseline without learning: what differs from the empty station is the object."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.alignment import median_picture
from calibration.lifting import label_values, lift
from calibration.rig import Rig
from calibration.view import CameraView
from sim2real.realdata import RealFrame
from sim2real.scoring import FrameScore


def background_subtraction(
    rig: Rig, view: CameraView, frames: Sequence[RealFrame], all_pictures: Sequence[NDArray[np.uint8]]
) -> list[FrameScore]:
    """Return scores of the centre of the largest blob that differs from the median picture.

    Only for rigs with one keypoint and a fixed camera. The threshold is Otsu's (1979) on the colour difference.

    Args:
        rig: the station.
        view: camera at the size of the photographs.
        frames: to be scored.
        all_pictures: unlabelled photographs (H, W, 3) whose median shows the empty station.
    """
    width, height = rig.input_size_px
    empty = cv2.resize(median_picture(all_pictures), (width, height), interpolation=cv2.INTER_AREA)
    small = view.resized(width, height)
    scores = []
    for frame in frames:
        pixel = _blob_centre(frame.picture, np.asarray(empty, np.uint8))
        truth, found = label_values(rig, frame.point_m), label_values(rig, lift(rig, small, pixel[None]))
        scale = rig.camera.image_size_px[0] / width
        in_photo = (pixel + 0.5) * scale - 0.5
        true_px = (small.project(frame.keypoints_world)[0] + 0.5) * scale - 0.5
        scores.append(
            FrameScore(
                frame.file,
                tuple(float(v) for v in truth),
                tuple(float(v) for v in found),
                float(np.linalg.norm(truth - found)),
                (float(true_px[0]), float(true_px[1])),
                (float(in_photo[0]), float(in_photo[1])),
                None,
                frame.visible,
                {},
            )
        )
    return scores


def _blob_centre(picture: NDArray[np.uint8], empty: NDArray[np.uint8]) -> NDArray[np.float64]:
    lab, lab_empty = (cv2.cvtColor(p, cv2.COLOR_RGB2LAB).astype(np.float32) for p in (picture, empty))
    # Auto exposure changes the whole picture: compare after matching the medians.
    lab -= np.median(lab - lab_empty, axis=(0, 1))
    difference = np.clip(np.linalg.norm(lab - lab_empty, axis=2), 0, 255).astype(np.uint8)
    difference = cv2.GaussianBlur(difference, (0, 0), 1.0)
    _, mask = cv2.threshold(difference, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    _, _, stats, centres = cv2.connectedComponentsWithStats(mask)
    if len(stats) < 2:
        return np.array([(picture.shape[1] - 1) / 2, (picture.shape[0] - 1) / 2])
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    return np.asarray(centres[largest], np.float64)
