"""Whole silhouettes of bodies, seen or hidden: each pixel's ray is cut with the body."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calibration.camera import CameraIntrinsics
from envs.labels.outlines import Shape

Points = NDArray[np.float64]
Mask = NDArray[np.bool_]


def silhouette(
    shape: Shape,
    camera_from_body: Points,
    camera: CameraIntrinsics,
    left_px: int,
    top_px: int,
    size_px: tuple[int, int],
) -> Mask:
    """Return (height, width) where the rays through pixel centres meet the body, whatever stands before it.

    Args:
        shape: the body.
        camera_from_body: (4, 4).
        camera: intrinsics.
        left_px: column of the first pixel; it may lie outside of the picture.
        top_px: row of the first pixel.
        size_px: width and height.
    """
    width, height = size_px
    u, v = np.meshgrid(np.arange(left_px, left_px + width), np.arange(top_px, top_px + height))
    rays = camera.unproject(np.column_stack([u.ravel(), v.ravel()]))
    half = np.asarray(shape.half_m)
    rotation, place = camera_from_body[:3, :3], camera_from_body[:3, 3]
    # In units of the half axes every shape is the unit box, ball or cylinder.
    directions = rays @ rotation / half
    eye = -place @ rotation / half
    if shape.kind == "box":
        enter, leave = _between_planes(eye, directions)
    elif shape.kind == "sphere":
        enter, leave = _in_ball(eye, directions)
    else:
        enter, leave = _in_ball(eye[:2], directions[:, :2])
        low, high = _between_planes(eye[2:], directions[:, 2:])
        enter, leave = np.maximum(enter, low), np.minimum(leave, high)
    return np.asarray((enter <= leave) & (leave > 0)).reshape(height, width)


def _between_planes(eye: Points, directions: Points) -> tuple[Points, Points]:
    """Return where rays enter and leave the box from -1 to 1 (the slab method, Kay & Kajiya 1986)."""
    tiny = np.where(np.abs(directions) < 1e-15, 1e-15, directions)
    first, second = (-1.0 - eye) / tiny, (1.0 - eye) / tiny
    return np.minimum(first, second).max(axis=1), np.maximum(first, second).min(axis=1)


def _in_ball(eye: Points, directions: Points) -> tuple[Points, Points]:
    """Return where rays enter and leave the unit ball; NaN where they miss it."""
    a = np.maximum((directions**2).sum(axis=1), 1e-30)
    b = directions @ eye
    inside = b * b - a * (eye @ eye - 1.0)
    root = np.sqrt(np.where(inside >= 0, inside, np.nan))
    return (-b - root) / a, (-b + root) / a
