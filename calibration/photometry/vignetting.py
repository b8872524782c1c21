"""Loss of light towards the corners that all frames have in common."""

from __future__ import annotations

import numpy as np

from calibration.calibration_record import Finding
from calibration.estimate import Estimate
from calibration.photometry.frames import Array, Blocks
from calibration.photometry.intervals import of_student

_FEWEST_FRAMES = 8
_MOST_ALIKE = 0.3
_WIDEST = 0.25
_METHOD = "brightness against squared radius over frames of different scenes (Goldman 2010, first order), jackknife"
_NEXT = "record an evenly lit sheet, or 20 views of different things"


def vignetting(blocks: Blocks) -> tuple[Estimate | None, tuple[Finding, ...]]:
    """Return `sensor.vignetting`, share of display values lost in the corners; None with a finding if not identifiable.

    Falloff and scene cannot be told apart in one scene. Over frames of different scenes the scene is taken to be
    equally bright at every radius on average; whether frames are different is judged by how alike they are once the
    common plane and falloff are taken off. The interval is the jackknife's over frames.
    """
    count, h, w, _ = blocks.mean.shape
    if count < _FEWEST_FRAMES:
        what = f"sensor.vignetting is not identifiable from {count} frames, {_FEWEST_FRAMES} are needed"
        return None, (Finding("note", what, _NEXT),)
    y, x = np.mgrid[0:h, 0:w].astype(np.float64)
    y, x = (y + 0.5) / h * 2 - 1, (x + 0.5) / w * 2 - 1
    aspect = w / h
    radius = ((x * aspect) ** 2 + y**2) / (aspect**2 + 1)
    design = np.stack([np.ones(h * w), radius.ravel(), x.ravel(), y.ravel()], axis=1)
    brightness = blocks.mean.mean(axis=3).reshape(count, -1).astype(np.float64)
    brightness = brightness / brightness.mean(axis=1, keepdims=True)
    fitted = brightness @ np.linalg.pinv(design).T
    alike = _alikeness(brightness - fitted @ design.T)
    if alike > _MOST_ALIKE:
        what = f"sensor.vignetting is not identifiable: the frames show one scene (correlation {alike:.2f})"
        return None, (Finding("note", what, _NEXT),)
    value = _loss(fitted.sum(axis=0))
    left_out = np.array([_loss(fitted.sum(axis=0) - row) for row in fitted])
    std = float(np.sqrt((count - 1) * np.mean((left_out - left_out.mean()) ** 2)))
    estimate = of_student(value, std, count - 1, count, "1", _METHOD)
    if estimate.high - estimate.value > _WIDEST:
        what = f"sensor.vignetting is not identifiable: {estimate.value:.2f} +- {estimate.high - estimate.value:.2f}"
        return None, (Finding("note", what, _NEXT),)
    return estimate, ()


def _loss(coefficients: Array) -> float:
    return float(-coefficients[1] / coefficients[0])


def _alikeness(rest: Array) -> float:
    """Return the mean correlation between frames of what is left (N, B)."""
    scaled = rest / np.maximum(np.linalg.norm(rest, axis=1, keepdims=True), 1e-12)
    count = len(scaled)
    return float((np.sum(scaled.sum(axis=0) ** 2) - count) / (count * (count - 1)))
