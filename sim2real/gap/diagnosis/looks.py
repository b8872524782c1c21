"""Labelled photographs as evidence: drawings of the same states are compared with them, kind by kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.kinematics import nominal_world
from calibration.rig import Rig
from calibration.view import CameraView
from calibration.world import with_values
from envs.rendering.choice import RendererName
from sim2real.gap.diagnosis.groups import Float, Values
from sim2real.images import resize
from sim2real.preview.placing import labelled_world
from sim2real.randomization import RandomizationSpec
from sim2real.realdata import RealFrame
from sim2real.stream import SimulatedFrames

Picture = NDArray[np.uint8]

KINDS = ("colours", "edges", "fine grain", "sharpness", "target")
# Twice as far as pictures are apart that two renderers draw of one world (root mean square over two rigs: 3.7 and 3.8
# levels, 2.0 and 3.0 levels a pixel, in natural logarithms 0.25 and 0.08), but for grain (0.00), which JPEG changes.
SCALES = (8.0, 5.0, 0.1, 0.4, 8.0)
# Pictures are compared at this width: a fine one shows noise and blur, and costs in proportion to its pixels.
_WIDTH = 240
_CELL, _EDGE_CELL, _PARTS, _EVERY = 20, 4, 4, 2
# Windows about the keypoints: half a side, and cells of so many pixels.
_WINDOW, _WINDOW_CELL = 16, 4


def signature(picture: Picture, places: NDArray[np.int64]) -> tuple[Float, ...]:
    """Return what pictures are compared by, an array for each of `KINDS`.

    Colours: means of cells of 20 x 20 pixels. Edges: size of the gradient of brightness averaged over cells of 4 x 4.
    Fine grain: logarithm of the median size of the Laplacian in 4 x 4 parts of the picture, which noise
    raises and edges hardly do (after Immerkaer 1996). Sharpness: logarithm of the 95th percentile of the gradient's
    size in these parts, which blur lowers; these two look at every second pixel of every second row. Target:
    means of cells of 4 x 4 pixels in windows of 32 x 32 about the places where labels put the keypoints.

    Args:
        picture: (H, W, 3), 80 pixels or more to a side.
        places: (K, 2) across and down, pixels; windows are moved to lie inside the picture.
    """
    height, width = picture.shape[:2]
    grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
    colours = cv2.resize(picture.astype(np.float32), (width // _CELL, height // _CELL), interpolation=cv2.INTER_AREA)
    cells = (width // _EDGE_CELL, height // _EDGE_CELL)
    edges = _gradient(cv2.resize(grey.astype(np.float32), cells, interpolation=cv2.INTER_AREA), 1)
    # Whole numbers, so that the same picture always gives the same bits.
    fine = np.abs(cv2.Laplacian(grey, cv2.CV_16S)[::_EVERY, ::_EVERY])
    grain = np.log(_percentiles(fine, 50) + 1.0)
    sharp = np.log(_percentiles(_gradient(grey, _EVERY), 95) + 3.0)
    target = np.concatenate([_window(picture, place) for place in places])
    return tuple(np.asarray(a, np.float64).ravel() for a in (colours, edges, grain, sharp, target))


class Looks:
    """Photographs with labels as evidence of `stepwise.diagnose`.

    Attributes:
        nominal: the world that refits start from.
    """

    def __init__(
        self,
        rig: Rig,
        view: CameraView,
        frames: Sequence[RealFrame],
        pictures: Sequence[Picture],
        renderer: RendererName = "auto",
        threads: int = 0,
    ) -> None:
        """Place the nominal world as each label says and measure the photographs.

        Args:
            rig: the station.
            view: its camera as the rig file, or a calibration, says, at the size of the photographs.
            frames: labelled.
            pictures: of the same frames at the size of the rig's camera (N, H, W, 3).
            renderer: what draws.
            threads: that draw; 0 uses all cores.

        Raises:
            InputError: the rig's label says nothing of where a body is.
        """
        self._rig, self._frames = rig, tuple(frames)
        width, height = rig.camera.image_size_px
        size = (min(_WIDTH, width), round(min(_WIDTH, width) * height / width))
        self.nominal = replace(nominal_world(rig), camera=view.change_from(CameraView.of(rig)))
        # Checks the labels now, so that nothing has been drawn where they do not fit.
        labelled_world(rig, self.nominal, self._frames[0])
        nothing = RandomizationSpec("nominal", ())
        intrinsics = rig.camera.intrinsics().resized(*size)
        self._drawn = SimulatedFrames(rig, nothing, 0, intrinsics, renderer, threads=threads)
        small = view.resized(*size)
        # Where labels say that keypoints are, for every candidate alike.
        self._places = [np.round(small.project(f.keypoints_world)).astype(np.int64) for f in frames]
        self._measured = [signature(resize(p, *size), at) for p, at in zip(pictures, self._places, strict=True)]

    kinds = KINDS

    @property
    def count(self) -> int:
        """How many photographs there are."""
        return len(self._frames)

    def misfits(self, values: Values, chosen: Sequence[int]) -> Float:
        """Return what differs between photographs and drawings of the changed world, (N, 5).

        Mean over cells of log(1 + (d / s)^2), d the difference, s of `SCALES`: that of a Cauchy distribution, to which
        places that no refit can mend, since the rig file lacks what is there, are far but not everything.
        """
        world = with_values(self.nominal, values)
        # Every frame has noise of its own, the same for every candidate.
        worlds = [replace(labelled_world(self._rig, world, self._frames[k]), noise_seed=k) for k in chosen]
        drawn = self._drawn.draw_worlds(worlds).rgb
        rows = []
        for picture, k in zip(drawn, chosen, strict=True):
            pairs = zip(signature(picture, self._places[k]), self._measured[k], SCALES, strict=True)
            rows.append([float(np.log1p(((a - b) / scale) ** 2).mean()) for a, b, scale in pairs])
        return np.array(rows)

    def close(self) -> None:
        """Release what draws; twice is fine."""
        self._drawn.close()


def _window(picture: Picture, place: NDArray[np.int64]) -> NDArray[np.float32]:
    height, width = picture.shape[:2]
    left, top = (
        int(np.clip(at - _WINDOW, 0, side - 2 * _WINDOW)) for at, side in zip(place, (width, height), strict=True)
    )
    cut = picture[top : top + 2 * _WINDOW, left : left + 2 * _WINDOW].astype(np.float32)
    cells = 2 * _WINDOW // _WINDOW_CELL
    return np.asarray(cv2.resize(cut, (cells, cells), interpolation=cv2.INTER_AREA), np.float32)


def _gradient(grey: NDArray[Any], every: int) -> Float:
    """Return the size of the gradient, levels a pixel, at every so many pixels and rows."""
    kind = cv2.CV_16S if grey.dtype == np.uint8 else cv2.CV_32F
    across, down = (cv2.Sobel(grey, kind, *order)[::every, ::every].astype(np.float64) for order in ((1, 0), (0, 1)))
    # A Sobel filter is a difference over two pixels times four.
    return np.asarray(np.hypot(across, down) / 8, np.float64)


def _percentiles(values: NDArray[Any], percent: float) -> Float:
    """Return a percentile in each of 4 x 4 parts of an image."""
    rows, columns = (side // _PARTS for side in values.shape)
    cut = values[: _PARTS * rows, : _PARTS * columns].reshape(_PARTS, rows, _PARTS, columns)
    parts = cut.transpose(0, 2, 1, 3).reshape(_PARTS * _PARTS, -1)
    return np.asarray(np.percentile(parts, percent, axis=1), np.float64)
