"""A camera with its lens model: project, unproject, crop, resize."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

LensModel = Literal["pinhole", "fisheye"]
Coefficients = tuple[float, ...]
# How many numbers a model's distortion may have; eight of a pinhole are the rational model.
_LENGTHS: dict[str, tuple[int, ...]] = {"pinhole": (5, 8), "fisheye": (5,)}


@dataclass(frozen=True)
class CameraIntrinsics:
    """A camera in OpenCV's convention: x right, y down, z forward; pixel (0, 0) is a pixel's centre.

    Attributes:
        width_px: image width.
        height_px: image height.
        fx_px: focal length along x.
        fy_px: focal length along y.
        cx_px: principal point; the centre of an image is (width - 1) / 2.
        cy_px: principal point.
        distortion: of a pinhole, k1 k2 p1 p2 k3 of the radial-tangential model (Brown 1966, as in OpenCV), and of the
            rational model (Claus and Fitzgibbon 2005, as in OpenCV) k4 k5 k6 as well; of a fisheye, k1 k2 k3 k4 of the
            equidistant model (Kannala & Brandt 2006, as in OpenCV) and one not read.
        model: "pinhole" or "fisheye".
    """

    width_px: int
    height_px: int
    fx_px: float
    fy_px: float
    cx_px: float
    cy_px: float
    distortion: Coefficients = (0.0, 0.0, 0.0, 0.0, 0.0)
    model: LensModel = "pinhole"

    def __post_init__(self) -> None:
        """Check sizes, focal lengths and the model."""
        if self.width_px <= 0 or self.height_px <= 0:
            raise ValueError(f"image size must be positive, got {self.width_px} x {self.height_px}")
        if not (self.fx_px > 0 and self.fy_px > 0 and math.isfinite(self.fx_px + self.fy_px)):
            raise ValueError(f"focal length must be positive, got {self.fx_px}, {self.fy_px}")
        if self.model not in get_args(LensModel):
            raise ValueError(f"camera model must be one of {', '.join(get_args(LensModel))}, got '{self.model}'")
        if len(self.distortion) not in _LENGTHS[self.model]:
            allowed = " or ".join(map(str, _LENGTHS[self.model]))
            raise ValueError(f"distortion of a {self.model} must have {allowed} numbers, got {len(self.distortion)}")

    @property
    def is_straight(self) -> bool:
        """Whether the picture of every straight line is straight: a pinhole without distortion."""
        return self.model == "pinhole" and not any(self.distortion)

    @classmethod
    def from_vertical_fov(cls, width_px: int, height_px: int, fov_rad: float) -> CameraIntrinsics:
        """Return the camera with square pixels, a centred principal point and this vertical field of view."""
        focal = 0.5 * height_px / math.tan(0.5 * fov_rad)
        return cls(width_px, height_px, focal, focal, 0.5 * (width_px - 1), 0.5 * (height_px - 1))

    def matrix(self) -> NDArray[np.float64]:
        """Return K (3, 3)."""
        return np.array([[self.fx_px, 0.0, self.cx_px], [0.0, self.fy_px, self.cy_px], [0.0, 0.0, 1.0]])

    def project(self, points_camera: ArrayLike) -> NDArray[np.float64]:
        """Return pixels (N, 2) of points (N, 3) in the camera frame, metres; NaN for points that have none.

        A pinhole sees no point beside or behind it, a fisheye does. Neither sees a point so far off its axis that
        the distortion polynomial falls again: it would be drawn back into the picture.
        """
        p = np.asarray(points_camera, dtype=np.float64).reshape(-1, 3)
        xy = self._bent_by_fisheye(p) if self.model == "fisheye" else self._bent_by_pinhole(p)
        return np.asarray(xy * (self.fx_px, self.fy_px) + (self.cx_px, self.cy_px))

    def _bent_by_pinhole(self, p: NDArray[np.float64]) -> NDArray[np.float64]:
        bent = np.full((len(p), 2), np.nan)
        front = p[:, 2] > 1e-9
        x, y = p[front, 0] / p[front, 2], p[front, 1] / p[front, 2]
        p1, p2 = self.distortion[2:4]
        r2 = x * x + y * y
        radial, _ = radial_factor(r2, self.distortion)
        xd = x * radial + 2.0 * p1 * x * y + p2 * (r2 + 2.0 * x * x)
        yd = y * radial + p1 * (r2 + 2.0 * y * y) + 2.0 * p2 * x * y
        seen = r2 < _first_fold(self.distortion)
        bent[front] = np.where(seen[:, None], np.column_stack([xd, yd]), np.nan)
        return bent

    def _bent_by_fisheye(self, p: NDArray[np.float64]) -> NDArray[np.float64]:
        across = np.hypot(p[:, 0], p[:, 1])
        angle = np.arctan2(across, p[:, 2])
        # On the axis the picture has no direction and needs none; straight behind there is no picture.
        seen = (angle**2 < _first_turn(self.distortion[:4])) & (angle < math.pi) & (np.abs(p).max(axis=1) > 1e-9)
        scale = _bent_angle(angle, self.distortion) / np.where(across > 0, across, 1.0)
        return np.where(seen[:, None], p[:, :2] * scale[:, None], np.nan)

    def unproject(self, pixels: ArrayLike) -> NDArray[np.float64]:
        """Return rays (N, 3) in the camera frame, with z = 1, through pixels (N, 2).

        NaN where a fisheye looks sideways or back, and where the model has no ray.
        """
        uv = np.asarray(pixels, dtype=np.float64).reshape(-1, 2)
        xy = np.asarray((uv - (self.cx_px, self.cy_px)) / (self.fx_px, self.fy_px))
        if self.model == "fisheye":
            radius = np.hypot(xy[:, 0], xy[:, 1])
            angle = _straight_angle(radius, self.distortion)
            tangent = np.tan(np.where(angle < math.pi / 2, angle, np.nan))
            xy = xy * np.where(radius > 0, tangent / np.where(radius > 0, radius, 1.0), 1.0)[:, None]
        elif any(self.distortion):
            xy = _unbent(xy, self.distortion)
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


def radial_factor(s: NDArray[np.float64], distortion: Coefficients) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return by how much a pinhole's distortion stretches the radius where its square is s (N,), and its slope in s."""
    k1, k2, _, _, k3, *below = distortion
    factor, slope = 1.0 + s * (k1 + s * (k2 + s * k3)), k1 + s * (2.0 * k2 + s * 3.0 * k3)
    if below:
        k4, k5, k6 = below
        under = 1.0 + s * (k4 + s * (k5 + s * k6))
        factor = factor / under
        slope = (slope - factor * (k4 + s * (2.0 * k5 + s * 3.0 * k6))) / under
    return factor, slope


@lru_cache(maxsize=64)
def _first_turn(radial: tuple[float, ...]) -> float:
    """Return s = r^2 from where r (1 + k1 s + k2 s^2 + ...) falls; infinity when it always rises."""
    return _first_root(np.array([1.0, *((2 * n + 3) * k for n, k in enumerate(radial))]))


@lru_cache(maxsize=64)
def _first_fold(distortion: Coefficients) -> float:
    """Return s = r^2 from where a pinhole's distorted radius falls, or has a pole; infinity when it always rises."""
    k1, k2, _, _, k3, *below = distortion
    if not below:
        return _first_turn((k1, k2, k3))
    over, under = np.array([1.0, k1, k2, k3]), np.array([1.0, *below])
    # d (r N / D) / d r = (N D + 2 s (N' D - N D')) / D^2.
    slope = np.polynomial.polynomial.polyder
    product = np.polynomial.polynomial.polymul
    turns = np.polynomial.polynomial.polysub(product(slope(over), under), product(over, slope(under)))
    rises = np.polynomial.polynomial.polyadd(product(over, under), product([0.0, 2.0], turns))
    return min(_first_root(rises), _first_root(under))


def _first_root(coefficients: NDArray[np.float64]) -> float:
    """Return the smallest root above 0 of a polynomial, lowest power first; infinity when there is none."""
    roots = np.roots(np.trim_zeros(coefficients, "b")[::-1])
    real = roots.real[(np.abs(roots.imag) < 1e-9) & (roots.real > 0)]
    return float(real.min()) if len(real) else math.inf


def _unbent(bent: NDArray[np.float64], distortion: Coefficients) -> NDArray[np.float64]:
    """Return the points (N, 2) at z = 1 that the pinhole's distortion moves here; NaN for none. Newton's method."""
    p1, p2 = distortion[2:4]
    x, y = bent[:, 0].copy(), bent[:, 1].copy()
    with np.errstate(all="ignore"):
        for _ in range(30):
            r2 = x * x + y * y
            radial, half = radial_factor(r2, distortion)
            slope = 2.0 * half
            off_x = x * radial + 2.0 * p1 * x * y + p2 * (r2 + 2.0 * x * x) - bent[:, 0]
            off_y = y * radial + p1 * (r2 + 2.0 * y * y) + 2.0 * p2 * x * y - bent[:, 1]
            xx = radial + slope * x * x + 2.0 * p1 * y + 6.0 * p2 * x
            xy = slope * x * y + 2.0 * p1 * x + 2.0 * p2 * y
            yy = radial + slope * y * y + 6.0 * p1 * y + 2.0 * p2 * x
            det = xx * yy - xy * xy
            step_x, step_y = (yy * off_x - xy * off_y) / det, (xx * off_y - xy * off_x) / det
            x, y = x - step_x, y - step_y
            step = np.maximum(np.abs(step_x), np.abs(step_y))
            if not (step > 1e-9).any():
                break
        found = (step < 1e-9) & (x * x + y * y < _first_fold(distortion))
    return np.where(found[:, None], np.column_stack([x, y]), np.nan)


def _bent_angle(angle: NDArray[np.float64], distortion: Coefficients) -> NDArray[np.float64]:
    """Return the radius in the picture, over the focal length, of rays at this angle to the axis."""
    k1, k2, k3, k4 = distortion[:4]
    s = angle * angle
    return np.asarray(angle * (1.0 + s * (k1 + s * (k2 + s * (k3 + s * k4)))))


def _straight_angle(radius: NDArray[np.float64], distortion: Coefficients) -> NDArray[np.float64]:
    """Return the angle to the axis of rays at this radius; NaN beyond the last one. Newton's method in a bracket."""
    k1, k2, k3, k4 = distortion[:4]
    last = min(math.sqrt(_first_turn(distortion[:4])), math.pi)
    low, high = np.zeros_like(radius), np.full_like(radius, last)
    angle = np.clip(radius, low, high)
    for _ in range(60):
        error = _bent_angle(angle, distortion) - radius
        high, low = np.where(error > 0, angle, high), np.where(error <= 0, angle, low)
        s = angle * angle
        slope = 1.0 + s * (3 * k1 + s * (5 * k2 + s * (7 * k3 + s * 9 * k4)))
        with np.errstate(divide="ignore", invalid="ignore"):
            step = angle - error / slope
        inside = (step >= low) & (step <= high)
        following = np.where(inside, step, 0.5 * (low + high))
        done = np.abs(following - angle).max(initial=0.0) < 1e-14
        angle = following
        if done:
            break
    return np.where(radius <= _bent_angle(np.full(1, last), distortion), angle, np.nan)
