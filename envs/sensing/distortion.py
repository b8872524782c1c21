"""Pictures of a bent camera from those of a straight one: a wider pinhole and where its pixels go."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.camera import CameraIntrinsics
from calibration.errors import InputError

T = TypeVar("T", np.float32, np.int16, np.int32, np.uint8)

MAX_FOV_RAD = math.radians(150)


@dataclass(frozen=True, eq=False)
class Warp:
    """How the picture of `camera` is taken from a picture of the pinhole `wide` at the same place.

    Attributes:
        camera: with distortion, or a fisheye.
        wide: without; its pixels are as large, and its picture is larger.
        map_x: float32 (H, W), the column in the wide picture of each pixel.
        map_y: its row.
    """

    camera: CameraIntrinsics
    wide: CameraIntrinsics
    map_x: NDArray[np.float32]
    map_y: NDArray[np.float32]

    def grown(self, width_px: int, height_px: int) -> Warp:
        """Return the same with a wide picture of at least this size, so that several cameras can share one size."""
        width_px, height_px = max(self.wide.width_px, width_px), max(self.wide.height_px, height_px)
        return replace(self, wide=replace(self.wide, width_px=width_px, height_px=height_px))

    def finer(self, factor: int) -> Warp:
        """Return the same from a wide picture with `factor` times as many pixels in each direction."""
        wide = self.wide.resized(factor * self.wide.width_px, factor * self.wide.height_px)
        shift = np.float32((factor - 1) / 2)
        return replace(self, wide=wide, map_x=self.map_x * factor + shift, map_y=self.map_y * factor + shift)

    def smooth(self, wide_picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the picture (H, W, 3), bilinear between the pixels of the wide one."""
        bent = cv2.remap(wide_picture, self.map_x, self.map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(bent, np.uint8)

    def nearest(self, wide_image: NDArray[T]) -> NDArray[T]:
        """Return depth or segmentation (H, W), each pixel from the nearest one of the wide image."""
        bent = cv2.remap(wide_image, self.map_x, self.map_y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(bent, wide_image.dtype)

    def images(
        self, rgb: NDArray[np.uint8], depth_m: NDArray[np.float32], segmentation: NDArray[np.int16]
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.int16]]:
        """Return picture, depth and segmentation of the bent camera from those of the wide one."""
        return self.smooth(rgb), self.nearest(depth_m), self.nearest(segmentation)


@lru_cache(maxsize=16)
def straightened(camera: CameraIntrinsics) -> Warp:
    """Return the wider pinhole that sees all of this camera's rays, and the maps between their pictures.

    Raises:
        InputError: a pixel without a ray, or one further than 75 degrees off the axis, where a pinhole's picture
            grows without bound.
    """
    width, height = camera.width_px, camera.height_px
    u, v = np.meshgrid(np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64))
    pixels = np.column_stack([u.ravel(), v.ravel()])
    rays = camera.unproject(pixels)
    off = np.arctan(np.hypot(rays[:, 0], rays[:, 1]))
    far = np.isnan(off) | (off > 0.5 * MAX_FOV_RAD)
    if far.any():
        first = int(np.argmax(far))
        at, seen = pixels[first], "has no ray" if np.isnan(off[first]) else "looks further off"
        raise InputError(
            f"every pixel of a distorted camera must look at most {math.degrees(MAX_FOV_RAD) / 2:.0f} degrees off its "
            f"axis, got one that {seen} at ({at[0]:.0f}, {at[1]:.0f}) of {width} x {height} ({camera.model}, "
            f"distortion {camera.distortion}); crop the camera, or give another focal length or distortion"
        )
    x, y = rays[:, 0] * camera.fx_px, rays[:, 1] * camera.fy_px
    left, top = math.ceil(max(0.0, -x.min())) + 1, math.ceil(max(0.0, -y.min())) + 1
    right, bottom = math.ceil(max(0.0, x.max())) + 2, math.ceil(max(0.0, y.max())) + 2
    wide = CameraIntrinsics(left + right, top + bottom, camera.fx_px, camera.fy_px, float(left), float(top))
    shape = (height, width)
    return Warp(camera, wide, (x + left).reshape(shape).astype(np.float32), (y + top).reshape(shape).astype(np.float32))
