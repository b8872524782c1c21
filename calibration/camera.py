"""A pinhole camera with distortion: project, unproject, crop, resize."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class CameraIntrinsics:
    """A pinhole camera in OpenCV's convention: x right, y down, z forward; pixel (0, 0) is a pixel's centre.

    Attributes:
        width_px: image width.
        height_px: image height.
        fx_px: focal length along x.
        fy_px: focal length along y.
        cx_px: principal point; the centre of an image is (width - 1) / 2.
        cy_px: principal point.
        distortion: k1 k2 p1 p2 k3 of the radial-tangential model (Brown 1966, as in OpenCV).
    """

    width_px: int
    height_px: int
    fx_px: float
    fy_px: float
    cx_px: float
    cy_px: float
    distortion: tuple[float, float, float, float, float] = (0.0, 0.0, 0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        """Check sizes and focal lengths."""
        if self.width_px <= 0 or self.height_px <= 0:
            raise ValueError(f"image size must be positive, got {self.width_px} x {self.height_px}")
        if not (self.fx_px > 0 and self.fy_px > 0 and math.isfinite(self.fx_px + self.fy_px)):
            raise ValueError(f"focal length must be positive, got {self.fx_px}, {self.fy_px}")

    @classmethod
    def from_vertical_fov(cls, width_px: int, height_px: int, fov_rad: float) -> CameraIntrinsics:
        """Return the camera with square pixels, a centred principal point and this vertical field of view."""
        focal = 0.5 * height_px / math.tan(0.5 * fov_rad)
        return cls(width_px, height_px, focal, focal, 0.5 * (width_px - 1), 0.5 * (height_px - 1))

    def matrix(self) -> NDArray[np.float64]:
        """Return K (3, 3)."""
        return np.array([[self.fx_px, 0.0, self.cx_px], [0.0, self.fy_px, self.cy_px], [0.0, 0.0, 1.0]])

    def project(self, points_camera: ArrayLike) -> NDArray[np.float64]:
        """Return pixels (N, 2) of points (N, 3) in the camera frame, metres; NaN for points not in front."""
        p = np.asarray(points_camera, dtype=np.float64).reshape(-1, 3)
        pixels = np.full((len(p), 2), np.nan)
        front = p[:, 2] > 1e-9
        x, y = p[front, 0] / p[front, 2], p[front, 1] / p[front, 2]
        k1, k2, p1, p2, k3 = self.distortion
        r2 = x * x + y * y
        radial = 1.0 + r2 * (k1 + r2 * (k2 + r2 * k3))
        xd = x * radial + 2.0 * p1 * x * y + p2 * (r2 + 2.0 * x * x)
        yd = y * radial + p1 * (r2 + 2.0 * y * y) + 2.0 * p2 * x * y
        pixels[front] = np.column_stack([self.fx_px * xd + self.cx_px, self.fy_px * yd + self.cy_px])
        return pixels

    def unproject(self, pixels: ArrayLike) -> NDArray[np.float64]:
        """Return rays (N, 3) in the camera frame, with z = 1, through pixels (N, 2)."""
        uv = np.asarray(pixels, dtype=np.float64).reshape(-1, 2)
        if any(self.distortion):
            criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-12)
            xy = cv2.undistortPointsIter(
                uv.reshape(-1, 1, 2), self.matrix(), np.array(self.distortion), np.eye(3), np.eye(3), criteria
            ).reshape(-1, 2)
        else:
            xy = (uv - (self.cx_px, self.cy_px)) / (self.fx_px, self.fy_px)
        return np.column_stack([xy, np.ones(len(uv))])

    def resized(self, width_px: int, height_px: int) -> CameraIntrinsics:
        """Return the camera of the image resized to this size; pixel areas, not centres, are scaled."""
        sx, sy = width_px / self.width_px, height_px / self.height_px
        return replace(
            self,
            width_px=width_px,
            height_px=height_px,
            fx_px=self.fx_px * sx,
            fy_px=self.fy_px * sy,
            cx_px=(self.cx_px + 0.5) * sx - 0.5,
            cy_px=(self.cy_px + 0.5) * sy - 0.5,
        )

    def cropped(self, left_px: int, top_px: int, width_px: int, height_px: int) -> CameraIntrinsics:
        """Return the camera of the crop that starts at this pixel.

        Raises:
            ValueError: the crop leaves the image.
        """
        starts_inside = left_px >= 0 and top_px >= 0
        ends_inside = left_px + width_px <= self.width_px and top_px + height_px <= self.height_px
        if not (starts_inside and ends_inside):
            raise ValueError(
                f"crop must lie in the {self.width_px} x {self.height_px} image, "
                f"got {width_px} x {height_px} at ({left_px}, {top_px})"
            )
        return replace(
            self,
            width_px=width_px,
            height_px=height_px,
            cx_px=self.cx_px - left_px,
            cy_px=self.cy_px - top_px,
        )

    def zoomed(self, factor: float) -> CameraIntrinsics:
        """Return the camera with both focal lengths multiplied by `factor`."""
        return replace(self, fx_px=self.fx_px * factor, fy_px=self.fy_px * factor)

    def contains(self, pixels: ArrayLike) -> NDArray[np.bool_]:
        """Return (N,) whether pixels (N, 2) fall on the image; False for NaN."""
        uv = np.asarray(pixels, dtype=np.float64).reshape(-1, 2)
        low = (uv >= -0.5).all(axis=1)
        return np.asarray(low & (uv[:, 0] < self.width_px - 0.5) & (uv[:, 1] < self.height_px - 0.5))
