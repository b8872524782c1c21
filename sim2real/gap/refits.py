"""Attribution on photographs: one group of the station's values at a time is refitted on labelled frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from calibration.extrinsics import CameraPrior
from calibration.lifting import label_values, lift
from calibration.rig import Rig
from calibration.view import CameraView
from policies.averaging import predict_over_views
from policies.perception import PerceptionModel
from sim2real.adaptation.image_level.histogram import match_histograms
from sim2real.cameras import fit_to_keypoints
from sim2real.gap.attribution import Attribution, attribute
from sim2real.realdata import RealFrame, stack_pictures

LIGHT = "light and colour"
GROUPS = ("camera direction", "camera position", "focal length", LIGHT)
_FIXED = 1e-6


def attribute_by_refits(
    model: PerceptionModel,
    rig: Rig,
    view: CameraView,
    fitting: Sequence[RealFrame],
    scored: Sequence[RealFrame],
    simulated: NDArray[np.uint8],
    device: torch.device,
) -> Attribution:
    """Return how much of the error on photographs each group of values explains.

    A group counts as the target's where it is as the rig file says, and as mended where it was refitted: direction,
    position and focal length of the camera on the labels of `fitting`, within the rig's own uncertainties (the others
    held fast), and light and colour by giving each photograph the histograms of a simulated frame, which is left out
    where the frames of `fitting` are seen worse that way. So the "gap" is the
    part of the error that these groups make together; what the network sees wrongly beside them is not in it.

    Args:
        model: pretrained; its weights stay.
        rig: the station.
        view: its camera, at the size of the photographs.
        fitting: labelled frames that refits may use.
        scored: other labelled frames, on which errors are measured.
        simulated: frames (N, H, W, 3) whose histograms are given.
        device: where the model is.
    """
    small = view.resized(*rig.input_size_px)
    seen: dict[bool, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
    for mended in (False, True):
        pair = []
        for frames in (fitting, scored):
            pictures = stack_pictures(frames)
            if mended:
                pictures = np.stack(
                    [match_histograms(p, simulated[k % len(simulated)]) for k, p in enumerate(pictures)]
                )
            pixels = predict_over_views(model, pictures, device).keypoints_px
            assert pixels is not None, "a regression head has no keypoints"
            pair.append(pixels)
        seen[mended] = pair[0], pair[1]

    # Histograms of simulation can also take away what the network knows photographs by; the fitting side says whether.
    of_fitting = [_errors(rig, small, fitting, seen[mended][0]).mean() for mended in (False, True)]
    groups = GROUPS if of_fitting[1] < of_fitting[0] else tuple(g for g in GROUPS if g != LIGHT)

    def errors(wrong: frozenset[str]) -> NDArray[np.float64]:
        fit_pixels, pixels = seen[LIGHT in groups and LIGHT not in wrong]
        return _errors(rig, _refitted(rig, small, fitting, fit_pixels, wrong), scored, pixels)

    return attribute(groups, errors, "m")


def _errors(
    rig: Rig, camera: CameraView, frames: Sequence[RealFrame], pixels: NDArray[np.float64]
) -> NDArray[np.float64]:
    truths = [label_values(rig, f.point_m) for f in frames]
    found = [label_values(rig, lift(rig, camera, p)) for p in pixels]
    return np.asarray(np.linalg.norm(np.array(found) - np.array(truths), axis=1))


def _refitted(
    rig: Rig, small: CameraView, frames: Sequence[RealFrame], pixels: NDArray[np.float64], wrong: frozenset[str]
) -> CameraView:
    camera = rig.camera
    prior = CameraPrior(
        _FIXED if "camera position" in wrong else camera.position_std_m,
        _FIXED if "camera direction" in wrong else camera.rotation_std_rad,
        _FIXED if "focal length" in wrong else camera.focal_std,
    )
    if all(std <= _FIXED for std in (prior.position_std_m, prior.rotation_std_rad, prior.focal_std)):
        return small
    return fit_to_keypoints(rig, small, prior, frames, pixels).view
