"""How far the outline of a drawn body is from where it fits a photograph best."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sim2real.preview.tiles import Picture

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

_FEWEST_POINTS = 20
# Changes of colour, in L*a*b* levels of 255 a pixel, well above which all edges count the same.
_EDGE = 4.0
# A place this far from the best one that is nearly as good leaves the answer open.
_APART_PX = 6.0
_AS_GOOD = 0.94


@dataclass(frozen=True)
class OutlineMatch:
    """Where an outline fits best.

    Attributes:
        right_px: how much further right.
        down_px: how much further down.
        clear: whether no other place within reach is nearly as good, and the best one is not at the end of the reach.
    """

    right_px: float
    down_px: float
    clear: bool

    @property
    def distance_px(self) -> float:
        """Length of the displacement."""
        return float(np.hypot(self.right_px, self.down_px))


def match_outline(picture: Picture, mask: Mask, depth_m: NDArray[np.float32], reach_px: int) -> OutlineMatch | None:
    """Return the displacement at which a body's outline lies best on edges of a photograph.

    The outline is moved as a whole, without turn or scale; at each of its points the change of colour across the
    outline counts, saturating, so that a few strong edges do not outweigh many weak ones (as the edge search of Harris
    and Stennett 1990, for all points together).

    Args:
        picture: uint8 (H, W, 3).
        mask: (H, W), where the body is seen in the drawing.
        depth_m: (H, W) of the drawing; points where something nearer hides the body are no outline of it.
        reach_px: largest displacement along each axis.

    Returns:
        None when too little of the outline is further than `reach_px` from the border.
    """
    columns, rows, normals = _outline(mask, depth_m, reach_px)
    if len(columns) < _FEWEST_POINTS:
        return None
    lab = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2LAB).astype(np.float32), (0, 0), 1.0)
    across, down = cv2.Sobel(lab, -1, 1, 0, scale=1 / 8), cv2.Sobel(lab, -1, 0, 1, scale=1 / 8)
    steps = np.arange(-reach_px, reach_px + 1)
    scores = np.empty((len(steps), len(steps)))
    for i, dy in enumerate(steps):
        for j, dx in enumerate(steps):
            place = rows + dy, columns + dx
            change = np.linalg.norm(across[place] * normals[:, :1] + down[place] * normals[:, 1:], axis=1)
            scores[i, j] = (change / (change + _EDGE)).mean()
    i, j = (int(v) for v in np.unravel_index(scores.argmax(), scores.shape))
    elsewhere = np.hypot(*np.meshgrid(steps - steps[j], steps - steps[i])) >= _APART_PX
    clear = scores[elsewhere].max(initial=0.0) < _AS_GOOD * scores[i, j]
    at_the_end = max(abs(steps[i]), abs(steps[j])) == reach_px
    return OutlineMatch(float(steps[j]), float(steps[i]), bool(clear and not at_the_end))


def _outline(mask: Mask, depth_m: NDArray[np.float32], margin_px: int) -> tuple[Array, Array, Array]:
    """Return columns, rows and unit normals (N, 2) of the outline's pixels, without those near the border."""
    height, width = mask.shape
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1.5)
    eroded = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1).astype(bool)
    rows, columns = np.nonzero(mask & ~eroded)
    slope = np.stack([cv2.Sobel(soft, -1, 1, 0), cv2.Sobel(soft, -1, 0, 1)], axis=2)[rows, columns].astype(np.float64)
    normals = slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-9)
    beyond = (
        np.clip(np.rint(rows - 2 * normals[:, 1]).astype(np.int64), 0, height - 1),
        np.clip(np.rint(columns - 2 * normals[:, 0]).astype(np.int64), 0, width - 1),
    )
    hidden = ~mask[beyond] & (depth_m[beyond] < 0.995 * depth_m[rows, columns])
    inner = margin_px + 1
    kept = ~hidden & (columns >= inner) & (columns < width - inner) & (rows >= inner) & (rows < height - inner)
    return columns[kept], rows[kept], normals[kept]
