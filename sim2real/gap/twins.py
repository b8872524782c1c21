"""Twins: every labelled photograph beside a drawing of the same state, sorted by how much they disagree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.kinematics import nominal_world
from calibration.rig import Rig
from calibration.view import CameraView
from envs.rendering.choice import make_renderer
from sim2real.preview.placing import labelled_world
from sim2real.realdata import RealFrame

Picture = NDArray[np.uint8]
_EDGE = 30.0


@dataclass(frozen=True, eq=False)
class Twin:
    """A photograph and its twin at the size that the model sees.

    Attributes:
        file: of the photograph.
        real: (H, W, 3).
        drawn: (H, W, 3), the nominal world with object or joints as labelled, through the given camera.
        difference: (H, W, 3): light disagreement after gain and offset of each channel are fitted; real edges that the
            drawing lacks in red, drawn ones that the photograph lacks in blue.
        disagreement: root mean square of that light difference, levels of 255.
        edges: share of edge pixels within two pixels of an edge of the other picture, both ways averaged.
    """

    file: str
    real: Picture
    drawn: Picture
    difference: Picture
    disagreement: float
    edges: float


def twins(rig: Rig, view: CameraView, frames: Sequence[RealFrame]) -> list[Twin]:
    """Return the twin of every frame, the one that disagrees most first.

    Args:
        rig: the station.
        view: its camera as well as it is known, at the size of the photographs.
        frames: labelled.

    Raises:
        InputError: the rig's label says nothing of where a body is.
    """
    change = view.change_from(CameraView.of(rig))
    nominal = replace(nominal_world(rig), camera=change)
    worlds = [labelled_world(rig, nominal, f) for f in frames]
    renderer = make_renderer(rig, "auto", 0)
    drawn = renderer.render(worlds, rig.input_camera()).rgb
    renderer.close()
    found = [_twin(f.file, f.picture, d) for f, d in zip(frames, drawn, strict=True)]
    return sorted(found, key=lambda t: -t.disagreement)


def _twin(file: str, real: Picture, drawn: Picture) -> Twin:
    fitted = np.empty(drawn.shape, np.float64)
    for c in range(3):
        x, y = drawn[..., c].astype(np.float64).ravel(), real[..., c].astype(np.float64).ravel()
        gain = float(np.cov(x, y)[0, 1] / max(float(x.var(ddof=1)), 1e-9))
        fitted[..., c] = (gain * (x - x.mean()) + y.mean()).reshape(drawn.shape[:2])
    apart = real.astype(np.float64) - fitted
    size = np.sqrt((apart**2).mean(axis=2))
    ours, theirs = _edges(real), _edges(drawn)
    near_ours, near_theirs = _grown(ours), _grown(theirs)
    shown = np.repeat(np.clip(3 * size, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
    shown[ours & ~near_theirs] = (230, 60, 50)
    shown[theirs & ~near_ours] = (70, 120, 255)
    shares = [float((a & b).sum() / a.sum()) if a.any() else 1.0 for a, b in ((ours, near_theirs), (theirs, near_ours))]
    return Twin(file, real, drawn, shown, float(np.sqrt((apart**2).mean())), float(np.mean(shares)))


def _edges(picture: Picture) -> NDArray[np.bool_]:
    grey = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), (0, 0), 1.0)
    return np.asarray(cv2.Canny(grey, _EDGE, 2 * _EDGE) > 0)


def _grown(edges: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.asarray(cv2.dilate(edges.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0)
