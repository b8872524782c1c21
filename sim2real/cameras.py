"""Which camera lifts keypoints to labels: the rig's own, one aligned on photographs, one refitted on labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from calibration.alignment import align_camera
from calibration.extrinsics import CameraFit, CameraPrior, fit_camera
from calibration.rig import Rig
from calibration.view import CameraView
from policies.averaging import predict_over_views
from policies.perception import PerceptionModel
from sim2real.realdata import RealFrame, stack_pictures

# How far the camera may be from an aligned one: the alignment's own intervals do not know how true the body's size is.
ALIGNED_PRIOR = CameraPrior(position_std_m=0.01, rotation_std_rad=0.01, focal_std=0.015)
# Spread of a network's keypoints, in pixels of its input.
_KEYPOINT_STD_PX = 0.5


def aligned_camera(rig: Rig, pictures: Sequence[NDArray[np.uint8]]) -> CameraFit:
    """Return the camera aligned on unlabelled photographs."""
    return align_camera(rig, pictures)


def refitted_camera(
    model: PerceptionModel,
    rig: Rig,
    start: CameraView,
    start_is_aligned: bool,
    frames: Sequence[RealFrame],
    device: torch.device,
) -> CameraFit:
    """Return the camera that best brings the labels of frames onto the keypoints that the model finds in them.

    Args:
        model: its weights are not changed.
        rig: the station.
        start: the camera known before, at the size of the photographs.
        start_is_aligned: whether `start` was aligned on photographs, or is the rig's own.
        frames: labelled.
        device: where the model is.
    """
    small = start.resized(*rig.input_size_px)
    pixels = predict_over_views(model, stack_pictures(frames), device).keypoints_px
    assert pixels is not None, "a regression head has no keypoints to refit a camera on"
    prior = CameraPrior(rig.camera.position_std_m, rig.camera.rotation_std_rad, rig.camera.focal_std)
    fit = fit_to_keypoints(rig, small, ALIGNED_PRIOR if start_is_aligned else prior, frames, pixels)
    width, height = rig.camera.image_size_px
    view = CameraView(fit.view.intrinsics.resized(width, height), fit.view.world_from_camera)
    return replace(fit, view=view)


def fit_to_keypoints(
    rig: Rig, small: CameraView, prior: CameraPrior, frames: Sequence[RealFrame], pixels: NDArray[np.float64]
) -> CameraFit:
    """Return the camera that best brings the labels of frames onto keypoints (N, K, 2) found in them.

    Args:
        rig: the station; how true its labels are counts as well as how sharp keypoints are.
        small: the camera known before, at the size that the model sees.
        prior: how well it is known.
        frames: labelled.
        pixels: of their keypoints, at that size.
    """
    points = np.stack([f.keypoints_world for f in frames])
    depth = small.world_from_camera.inverse().apply(points)[..., 2]
    label_px = rig.label.std_m * small.intrinsics.fx_px / np.maximum(depth, 1e-3)
    std = np.sqrt(_KEYPOINT_STD_PX**2 + label_px**2)
    return fit_camera(small, prior, points.reshape(-1, 3), pixels.reshape(-1, 2), std.ravel())
