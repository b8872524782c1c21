"""Keypoints that a perception model finds in photographs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibration.errors import InputError
from calibration.rig import Rig
from sim2real.realdata import RealFrame, stack_pictures


def model_points(folder: Path, rig: Rig, frames: Sequence[RealFrame]) -> NDArray[np.float64]:
    """Return pixels (N, K, 2), at the size of the photographs, of the keypoints that a model finds.

    Raises:
        InputError: no model, or one that finds no keypoints.
    """
    import torch

    from policies.checkpoint import load_checkpoint

    model, _ = load_checkpoint(folder, torch.device("cpu"))
    found = model.predict(stack_pictures(frames), torch.device("cpu")).keypoints_px
    if found is None:
        raise InputError(f"model {folder} finds no keypoints; use one with a keypoint head")
    scale = np.array(rig.camera.image_size_px) / np.array(rig.input_size_px)
    return np.asarray((found + 0.5) * scale - 0.5, np.float64)
