"""Replace textures that show one colour by that colour, as they cost seams and time and show nothing."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
from numpy.typing import NDArray

from envs.meshes.corners import Corners, face_normals, spread_points
from envs.meshes.mesh import Part

# Largest standard deviation of a channel over the surface, of 255, at which a texture counts as one colour.
UNIFORM = 8.0
# Points of a part at which its texture is read, about; more where it shows more of the texture.
_POINTS = 20000


def with_plain_colours(corners: Corners) -> Corners:
    """Return the corners with each part whose texture is of one colour where the part shows it in that colour.

    The colour is the mean over the part's area.
    """
    parts = list(corners.parts)
    pictures = {texture: _picture(texture) for texture in {part.texture for part in parts}}
    _, areas = face_normals(corners.positions_m)
    for k, part in enumerate(parts):
        picture = pictures[part.texture]
        chosen = corners.part == k
        if picture is None or not chosen.any() or np.isnan(corners.uvs[chosen]).any():
            continue
        height, width = picture.shape[:2]
        uvs = corners.uvs[chosen]
        edges = uvs[:, 1:] - uvs[:, :1]
        covered = np.abs(edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0])
        triangle, barycentric = spread_points(covered, _POINTS)
        at = np.einsum("nk,nki->ni", barycentric, uvs[triangle]) % 1.0
        column = np.minimum((at[:, 0] * width).astype(np.int64), width - 1)
        row = np.minimum(((1.0 - at[:, 1]) * height).astype(np.int64), height - 1)
        weights = areas[chosen][triangle] / np.bincount(triangle)[triangle]
        texels = picture[row, column]
        if weights.sum() <= 0:
            continue
        mean = np.average(texels, axis=0, weights=weights)
        if np.sqrt(np.average((texels - mean) ** 2, axis=0, weights=weights)).max() < UNIFORM:
            red, green, blue = (mean / 255.0 * np.array(part.rgb)).tolist()
            parts[k] = Part((red, green, blue))
    return dataclasses.replace(corners, parts=tuple(parts))


def _picture(texture: str) -> NDArray[np.float64] | None:
    """Return the RGB picture of a texture that is a file; None for another one or a file that is no picture."""
    if not texture.startswith("file:"):
        return None
    picture = cv2.imread(texture.removeprefix("file:"), cv2.IMREAD_COLOR)
    return None if picture is None else picture[:, :, ::-1].astype(np.float64)
