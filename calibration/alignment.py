"""Align a camera on unlabelled photographs: bring the projected edges of a known box onto edges in them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.errors import InputError
from calibration.extrinsics import CameraFit, CameraPrior, refine_camera
from calibration.kinematics import frame_matrices, nominal_world
from calibration.rig import Rig
from calibration.view import CameraView

Array = NDArray[np.float64]

# Search widths of the passes, as shares of the image's width: wide enough for the prior, then ever closer.
_SEARCH = (0.05, 0.03, 0.015, 0.008)
_SAMPLES_PER_EDGE = 60
_PIXEL_STD = 1.5
# A sample whose profile never changes faster than this crosses no edge; L*a*b* levels of 255 a pixel.
_FAINTEST_EDGE = 0.5


def median_picture(pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Return the per-pixel median of photographs of equal size; it shows the station without what moves."""
    return np.asarray(np.median(np.stack(pictures), axis=0)).astype(np.uint8)


def align_camera(rig: Rig, pictures: Sequence[NDArray[np.uint8]]) -> CameraFit:
    """Return the camera for which the top edges of `rig.alignment_body` lie on edges of the photographs.

    Model-based edge tracking (Harris and Stennett 1990): sample the projected edges, search along their
    normals for the strongest gradient, refit, and repeat with a narrower search. No label is read.

    Args:
        rig: the station; its camera's uncertainties are the prior.
        pictures: unlabelled photographs (H, W, 3) from one camera position; their median is used.

    Raises:
        InputError: the rig names no body for it, there is no photograph, or fewer than three edges are in
            view.
    """
    if rig.alignment_body is None:
        raise InputError(f"rig {rig.name}: aligning the camera needs alignment_body, the name of a box in view")
    if not pictures:
        raise InputError("aligning the camera needs at least 1 photograph, got 0")
    nominal = CameraView.of(rig)
    grey = cv2.cvtColor(median_picture(pictures), cv2.COLOR_RGB2LAB).astype(np.float32)
    prior = CameraPrior(rig.camera.position_std_m, rig.camera.rotation_std_rad, rig.camera.focal_std)
    segments = _top_edges(rig)
    fit: CameraFit | None = None
    start: Array | None = None
    for width in _SEARCH:
        view = nominal if fit is None else fit.view
        points, normals, found = _match(view, grey, segments, width * nominal.intrinsics.width_px)
        edges = {int(edge) for edge in points[:, 3]}
        if len(edges) < 3:
            raise InputError(
                f"aligning the camera needs 3 edges of '{rig.alignment_body}' in the photographs, found {len(edges)}"
            )
        world = points[:, :3]

        def residual(v: CameraView, world: Array = world, normals: Array = normals, found: Array = found) -> Array:
            offset = np.sum((v.project(world) - found) * normals, axis=1, keepdims=True)
            return np.asarray(np.nan_to_num(offset / _PIXEL_STD, nan=1e3))

        fit = refine_camera(
            nominal, prior, residual, _PIXEL_STD, "edges of a known box in unlabelled photographs", start
        )
        start = np.array([*fit.change.shift_m, *fit.change.tilt_rad, fit.change.focal_scale - 1.0])
    assert fit is not None
    return fit


def _top_edges(rig: Rig) -> Array:
    """Return the four top edges (4, 2, 3) of the alignment body in the world."""
    body = rig.body(str(rig.alignment_body))
    hx, hy, hz = body.half_extents_m()
    corners = np.array([[-hx, -hy, hz], [hx, -hy, hz], [hx, hy, hz], [-hx, hy, hz]])
    frame = frame_matrices(rig, nominal_world(rig))[body.name]
    world = corners @ frame[:3, :3].T + frame[:3, 3]
    return np.stack([world, np.roll(world, -1, axis=0)], axis=1)


def _match(view: CameraView, lab: NDArray[np.float32], segments: Array, reach_px: float) -> tuple[Array, Array, Array]:
    """Return samples (N, 4: x, y, z, edge), image normals (N, 2) and pixels (N, 2) of the best gradients."""
    height, width = lab.shape[:2]
    steps = np.arange(-reach_px, reach_px + 0.5)
    samples, normals, found = [], [], []
    for edge, (start, end) in enumerate(segments):
        along = (np.arange(_SAMPLES_PER_EDGE) + 0.5)[:, None] / _SAMPLES_PER_EDGE
        points = start + (end - start) * along
        pixels = view.project(points)
        tangent = np.gradient(pixels, axis=0)
        normal = np.column_stack([-tangent[:, 1], tangent[:, 0]])
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
        lines = pixels[:, None, :] + steps[None, :, None] * normal[:, None, :]
        inside = (lines >= 1).all(axis=(1, 2)) & (lines[..., 0] < width - 2).all(axis=1)
        inside &= (lines[..., 1] < height - 2).all(axis=1) & np.isfinite(pixels).all(axis=1)
        if inside.sum() < 5:
            continue
        lines, normal, points = lines[inside], normal[inside], points[inside]
        profile = cv2.remap(
            lab, lines[..., 0].astype(np.float32), lines[..., 1].astype(np.float32), cv2.INTER_LINEAR
        ).reshape(len(lines), len(steps), 3)
        profile = cv2.GaussianBlur(profile, (9, 1), 1.5, borderType=cv2.BORDER_REPLICATE)
        strength = np.linalg.norm(np.gradient(profile, axis=1), axis=2)
        crosses = strength.max(axis=1) > _FAINTEST_EDGE
        # A long straight edge is strong at one offset for all its samples, a mark on the table is not.
        strength *= 0.3 + np.median(strength, axis=0, keepdims=True) / max(
            float(np.median(strength, axis=0).max()), 1e-6
        )
        strength, lines, normal, points = strength[crosses], lines[crosses], normal[crosses], points[crosses]
        if len(lines) < 5:
            continue
        best = strength.argmax(axis=1)
        rows = np.arange(len(lines))
        samples.append(np.column_stack([points, np.full(len(points), edge)]))
        normals.append(normal)
        found.append(lines[rows, best])
    if not samples:
        return np.zeros((0, 4)), np.zeros((0, 2)), np.zeros((0, 2))
    return np.vstack(samples), np.vstack(normals), np.vstack(found)
