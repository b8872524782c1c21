"""Blur of what is out of focus: a thin lens, by layers of depth."""

from __future__ import annotations

import math
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.camera import CameraIntrinsics
from calibration.optics import LensParams
from envs.sensing.light import Float, levels_of_light, light_of_levels

_LAYERS = 6
# A disc narrower than a pixel does not leave it.
_SHARP_PX = 0.5


def circle_of_confusion_px(depth_m: NDArray[np.floating], camera: CameraIntrinsics, lens: LensParams) -> Float:
    """Return the diameter (H, W) of the disc that a point is drawn as, pixels; negative nearer than the focus.

    fx * aperture * (1 / focus - 1 / z), the thin lens of Potmesil & Chakravarty 1981 with fx as distance of the
    picture behind the lens. Depth is along z, metres; infinity is fine, and NaN is taken for it.
    """
    depth = np.asarray(depth_m, np.float32)
    near = np.float32(1.0) / np.maximum(np.where(np.isnan(depth), np.float32(np.inf), depth), np.float32(1e-3))
    return np.asarray(np.float32(camera.fx_px * lens.aperture_m) * (np.float32(1.0 / lens.focus_m) - near))


def defocused(
    rgb: NDArray[np.uint8], depth_m: NDArray[np.floating], camera: CameraIntrinsics, lens: LensParams
) -> NDArray[np.uint8]:
    """Return the picture (H, W, 3) as a lens with this aperture draws it; the given one is unchanged.

    The picture is cut into a handful of layers by the diameter of the blur, each is blurred in light by its disc, and
    they are laid over each other from far to near. Behind a nearer layer a farther one goes on with the mean of what is
    seen of it around there, so nothing sharp bleeds into the blur behind it (Kraus & Strengert 2007). Discs are at
    most half as wide as the picture is high. The edge of a thing between two layers is opaque by up to an eighth more.
    """
    if lens.aperture_m <= 0:
        return rgb
    widest = 0.5 * rgb.shape[0]
    size = np.clip(circle_of_confusion_px(depth_m, camera, lens), -widest, widest)
    low, high = float(size.min()), float(size.max())
    if max(-low, high) <= _SHARP_PX:
        return rgb
    # What is in focus, nearest and farthest lies in the middle of a layer.
    step = max(1.0, (high - low) / _LAYERS)
    nearer, farther = math.ceil(max(0.0, -low) / step), math.ceil(max(0.0, high) / step)
    near_step, far_step = max(0.0, -low) / max(nearer, 1), max(0.0, high) / max(farther, 1)
    place = np.asarray(size / np.where(size < 0, near_step or 1.0, far_step or 1.0), np.float32)
    sheet = np.asarray(cv2.cvtColor(light_of_levels(rgb), cv2.COLOR_RGB2RGBA), np.float32)
    sheet[..., 3] = 1.0
    out = np.zeros_like(sheet)
    reach = 0.5 * max(0.0, -low) + 1.0
    for k in range(farther, -nearer - 1, -1):
        diameter = k * far_step if k > 0 else -k * near_step
        layer = _layer(sheet, place, k, math.ceil(reach + 0.5 * diameter))
        if layer is None:
            continue
        if diameter > 1.0:
            blurred = cv2.filter2D(layer, -1, _disc(round(4 * diameter) / 4), borderType=cv2.BORDER_REFLECT_101)
            layer = np.asarray(blurred, np.float32)
        out *= np.float32(1.0) - layer[..., 3:]
        out += layer
    return levels_of_light(np.asarray(out[..., :3] / np.maximum(out[..., 3:], np.float32(1e-6)), np.float32))


def _layer(sheet: Float, place: Float, k: int, reach_px: int) -> Float | None:
    """Return colour times cover, and cover (H, W, 4), of layer k; None when nothing lies in it.

    A pixel between two layers lies fully in the farther one and by its share in the nearer one, which is laid over it.
    """
    cover = np.clip(np.float32(k + 1) - place, 0.0, 1.0)
    hidden = place <= k - 1
    cover[hidden] = 0.0
    if not cover.any():
        return None
    layer = np.asarray(sheet * cover[..., None], np.float32)
    if hidden.any():
        side = 2 * reach_px + 1
        around = np.asarray(cv2.blur(layer, (side, side), borderType=cv2.BORDER_REFLECT_101), np.float32)
        known = hidden & (around[..., 3] > 1e-4)
        layer[known] = around[known] / around[known][:, 3:]
    return layer


@lru_cache(maxsize=64)
def _disc(diameter_px: float) -> Float:
    """Return the kernel of an evenly lit disc, each pixel by the area that the disc covers of it; its sum is 1."""
    half, fine = math.ceil(0.5 * diameter_px - 0.5), 9
    side = 2 * half + 1
    axis = (np.arange(side * fine) + 0.5) / fine - 0.5 * side
    inside = axis[:, None] ** 2 + axis[None, :] ** 2 <= (0.5 * diameter_px) ** 2
    area = inside.reshape(side, fine, side, fine).mean(axis=(1, 3))
    return np.asarray(area / area.sum(), np.float32)
