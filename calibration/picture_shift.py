"""How far a picture is displaced against another of the same scene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_CORNERS = 400
_FEWEST = 12
# A corner that does not come back to within this when it is followed there and back was not followed, pixels.
_RETURN_PX = 0.3
_INLIER_PX = 0.7


@dataclass(frozen=True)
class Shift:
    """A displacement of a picture: a similarity, told by its motion at the picture's centre.

    Attributes:
        right_px: of the centre.
        down_px: of the centre.
        roll_rad: rotation, positive from x to y.
        zoom: factor on lengths.
        share: of the corners that were followed and agree, 0 to 1.
        mean_px: mean displacement over the picture.
    """

    right_px: float
    down_px: float
    roll_rad: float
    zoom: float
    share: float
    mean_px: float


def picture_shift(
    reference: NDArray[np.uint8], picture: NDArray[np.uint8], still: NDArray[np.uint8] | None = None
) -> Shift | None:
    """Return how far a picture is displaced against a reference, or None where too few corners agree.

    Corners of the reference (Shi and Tomasi 1994) are followed into the picture and back (Lucas and Kanade 1981;
    Kalal et al. 2010), and a similarity is fitted to those that agree (RANSAC), so what moves in front of the scene
    does not count. Both pictures are brought to one contrast first, so neither does exposure.

    Args:
        reference: grey (H, W).
        picture: grey (H, W).
        still: (H, W), 0 where the scene does not stand still; corners there are not used.
    """
    first, second = _even(reference), _even(picture)
    # None where there are none, which its stub does not say.
    corners: Any = cv2.goodFeaturesToTrack(first, _CORNERS, 0.005, 5, mask=still)
    if corners is None or len(corners) < _FEWEST:
        return None
    window = {"winSize": (15, 15), "maxLevel": 4, "criteria": (3, 40, 0.005)}
    there, found, _ = cv2.calcOpticalFlowPyrLK(first, second, corners, None, **window)  # type: ignore[call-overload]
    back, found_back, _ = cv2.calcOpticalFlowPyrLK(second, first, there, None, **window)  # type: ignore[call-overload]
    followed = (found.ravel() == 1) & (found_back.ravel() == 1)
    followed &= np.linalg.norm((back - corners).reshape(-1, 2), axis=1) < _RETURN_PX
    if followed.sum() < _FEWEST:
        return None
    start, end = corners.reshape(-1, 2)[followed], there.reshape(-1, 2)[followed]
    matrix, inlier = cv2.estimateAffinePartial2D(start, end, ransacReprojThreshold=_INLIER_PX, maxIters=2000)
    if matrix is None or inlier.sum() < _FEWEST:
        return None
    height, width = reference.shape
    x, y = np.meshgrid(np.linspace(0, width - 1, 5), np.linspace(0, height - 1, 5))
    grid = np.stack([x.ravel(), y.ravel()])
    moved = matrix[:, :2] @ grid + matrix[:, 2:] - grid
    centre = moved[:, 12]
    return Shift(
        float(centre[0]),
        float(centre[1]),
        float(np.arctan2(matrix[1, 0], matrix[0, 0])),
        float(np.hypot(matrix[0, 0], matrix[1, 0])),
        float(inlier.sum() / len(corners)),
        float(np.linalg.norm(moved, axis=0).mean()),
    )


def _even(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a grey picture with mean 128 and one spread, so that brightness is constant between two of them."""
    values = grey.astype(np.float32)
    scaled = 128.0 + (values - values.mean()) * (45.0 / max(float(values.std()), 1.0))
    return np.asarray(np.clip(scaled, 0, 255).astype(np.uint8))
