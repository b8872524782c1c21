"""A frame is judged by a camera that did not see it, and by how sure the model is."""

from __future__ import annotations

from typing import Any

import numpy as np

from calibration.extrinsics import CameraPrior
from calibration.world import CameraParams
from sim2real.adaptation.guards.checks.mislabelled import label_residuals, sure_frames

PRIOR = CameraPrior(0.02, 0.02, 0.04)


def test_who_is_sure() -> None:
    confidence = np.array([[0.9, 0.8], [0.9, 0.3], [0.7, 0.9], [0.8, 0.8]])
    assert sure_frames(confidence, None, 200.0).tolist() == [True, False, True, True]
    assert sure_frames(confidence, np.array([0.5, 0.5, 5.0, 3.9]), 200.0).tolist() == [True, False, False, True]


def test_the_camera_may_be_wrong_and_still_one_label_stands_out(station: Any) -> None:
    cube = station("cube_on_table")
    true = cube.view.resized(*cube.rig.input_size_px)
    known = true.moved(CameraParams(shift_m=(0.02, -0.02, 0.01), tilt_rad=(0.02, -0.02, 0.01), focal_scale=1.03))
    points = np.stack([f.keypoints_world for f in cube.frames])
    apart = np.linalg.norm(known.project(points.reshape(-1, 3)) - cube.seen_px[:, 0], axis=1)
    assert apart.min() > 2.0
    sure = np.ones(10, np.bool_)
    clean = label_residuals(known, PRIOR, points, cube.seen_px, sure, 0.01)
    assert not clean.doubted.any()
    assert np.median(clean.distance_px) < 1.5
    points[6, 0, 1] += 0.3
    found = label_residuals(known, PRIOR, points, cube.seen_px, sure, 0.01)
    assert np.flatnonzero(found.doubted).tolist() == [6]
    # Left out, the wrong label does not pull the camera that judges the others.
    assert np.allclose(np.delete(found.distance_px, 6), np.delete(clean.distance_px, 6), atol=0.5)


def test_frames_that_are_not_sure_are_not_judged(station: Any) -> None:
    cube = station("cube_on_table")
    small = cube.view.resized(*cube.rig.input_size_px)
    points = np.stack([f.keypoints_world for f in cube.frames])
    points[6, 0, 1] += 0.3
    found = label_residuals(small, PRIOR, points, cube.seen_px, np.arange(10) != 6, 0.01)
    assert not found.doubted.any()
    assert found.distance_px[6] > found.limit_px[6]
    nobody = label_residuals(small, PRIOR, points, cube.seen_px, np.zeros(10, np.bool_), 0.01)
    assert not nobody.doubted.any()
    assert nobody.view == small
