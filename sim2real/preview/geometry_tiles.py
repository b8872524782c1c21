"""Depth and normals as colours, and the edges of what was drawn."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from envs.labels import FrameLabels
from sim2real.preview.tiles import Picture, fitted, text_size, write

Mask = NDArray[np.bool_]

_NOTHING = (52, 54, 60)
_BAR_PX = 14
_TICKS = 5
# Between neighbours whose depths differ by more than this share, or whose normals by more than this angle, is an edge.
_DEPTH_STEP = 0.03
_NORMAL_STEP_COS = 0.85


def depth_tile(labels: FrameLabels, width_px: int, height_px: int) -> Picture:
    """Return the depth in colours, near warm and far cold, with a scale in metres; grey where nothing is."""
    depth = np.asarray(labels.depth_m, np.float64)
    known = np.isfinite(depth)
    if not known.any():
        return np.full((height_px, width_px, 3), _NOTHING, np.uint8)
    near, far = float(depth[known].min()), float(depth[known].max())
    span = max(far - near, 1e-6)
    share = np.where(known, (far - np.where(known, depth, far)) / span, 0.0)
    tile = _turbo(share)
    tile[~known] = _NOTHING
    tile = fitted(tile, width_px, height_px)
    top, bottom = 14, height_px - 14
    left = width_px - _BAR_PX - 8
    bar = _turbo(np.repeat(np.linspace(1.0, 0.0, bottom - top)[:, None], _BAR_PX, axis=1))
    tile[top:bottom, left : left + _BAR_PX] = bar
    cv2.rectangle(tile, (left - 1, top - 1), (left + _BAR_PX, bottom), (255, 255, 255), 1)
    for k in range(_TICKS):
        part = k / (_TICKS - 1)
        words = f"{near + part * span:.2f} m"
        row = round(top + part * (bottom - 1 - top))
        cv2.line(tile, (left - 4, row), (left - 1, row), (255, 255, 255), 1)
        write(tile, words, left - 8 - text_size(words)[0], row + 5)
    return tile


def normals_tile(labels: FrameLabels, width_px: int, height_px: int) -> Picture:
    """Return surface normals in camera axes as colours: red to the right, green up, blue to the camera."""
    if labels.normals is None:
        tile = np.full((height_px, width_px, 3), _NOTHING, np.uint8)
        write(tile, "this renderer draws no normals", 10, height_px // 2)
        return tile
    tile = np.clip(np.rint(127.5 + 127.5 * labels.normals * (1.0, -1.0, -1.0)), 0, 255).astype(np.uint8)
    tile[(labels.normals == 0).all(axis=2)] = _NOTHING
    return fitted(tile, width_px, height_px)


def drawn_edges(labels: FrameLabels) -> Mask:
    """Return (H, W) where a rendered edge runs: between bodies, at steps of depth and at folds of a surface."""
    segments = labels.segmentation
    depth = np.where(np.isfinite(labels.depth_m), labels.depth_m, 1e3)
    edges = np.zeros(segments.shape, np.bool_)
    for axis in (0, 1):
        a, b = (slice(None, -1), slice(1, None))
        first = (a, slice(None)) if axis == 0 else (slice(None), a)
        second = (b, slice(None)) if axis == 0 else (slice(None), b)
        step = segments[first] != segments[second]
        step |= np.abs(depth[first] - depth[second]) > _DEPTH_STEP * np.minimum(depth[first], depth[second])
        if labels.normals is not None:
            folded = (labels.normals[first] * labels.normals[second]).sum(axis=2) < _NORMAL_STEP_COS
            step |= folded & (segments[first] >= 0) & (segments[second] >= 0)
        # The nearer side of a step is the one that has the edge.
        nearer = depth[first] <= depth[second]
        edges[first] |= step & nearer
        edges[second] |= step & ~nearer
    return edges


def _turbo(share: NDArray[np.float64]) -> Picture:
    grey = np.clip(np.rint(share * 255), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(cv2.applyColorMap(grey, cv2.COLORMAP_TURBO)[..., ::-1])
