"""Cameras, lights and backgrounds of many views as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from calibration.camera import CameraIntrinsics
from calibration.view import CameraView
from calibration.world import BackgroundParams, LampParams, LightParams
from envs.rendering.scene_arrays import FLAT, PICTURE, SKY
from envs.textures import background_picture, sky_colours


def camera_arrays(views: Sequence[CameraView]) -> dict[str, Any]:
    """Return `focal_px` and `camera_from_world` of N pinhole views."""
    focal = [(i.fx_px, i.fy_px, i.cx_px, i.cy_px) for i in (v.intrinsics for v in views)]
    poses = [v.world_from_camera for v in views]
    x, y, z, w = np.array([p.quat_xyzw for p in poses]).reshape(-1, 4).T
    # The transposed rotation, row by row.
    turn = np.array(
        [
            [1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y + z * w), 2.0 * (x * z - y * w)],
            [2.0 * (x * y - z * w), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z + x * w)],
            [2.0 * (x * z + y * w), 2.0 * (y * z - x * w), 1.0 - 2.0 * (x * x + y * y)],
        ]
    ).transpose(2, 0, 1)
    shift = -turn @ np.array([p.position_m for p in poses]).reshape(-1, 3, 1)
    return {
        "focal_px": np.array(focal, np.float32).reshape(-1, 4),
        "camera_from_world": np.concatenate([turn, shift], axis=2).astype(np.float32),
    }


def light_arrays(lights: Sequence[LightParams], lamps: Sequence[Sequence[LampParams]]) -> dict[str, Any]:
    """Return `ambient` and `light*` of N views: the main light first, then their lamps, the same number in each."""
    main = np.array(
        [(w.azimuth_rad, w.elevation_rad, w.ambient, w.diffuse, w.specular) for w in lights],
        np.float64,
    ).reshape(-1, 5)
    azimuth, elevation, ambient, diffuse, specular = main.T
    rgb = np.array([w.rgb for w in lights], np.float64).reshape(-1, 3)
    flat = np.cos(elevation)
    towards = np.column_stack(
        [flat * np.cos(azimuth), flat * np.sin(azimuth), np.sin(elevation), np.zeros(len(lights))]
    )
    shadow = np.array([(w.shadow_strength * w.shadow, w.size_rad) for w in lights], np.float64).reshape(-1, 2)
    light, spread = [towards], [shadow]
    strong, mirror = [diffuse[:, None] * rgb], [specular[:, None] * rgb]
    for of_views in zip(*lamps, strict=True):
        light.append(np.array([(*lamp.position_m, 1.0) for lamp in of_views]))
        strength = np.array([[lamp.strength * lamp.present] for lamp in of_views])
        power = np.array([lamp.rgb for lamp in of_views]) * strength
        strong.append(power * diffuse[:, None])
        mirror.append(power * specular[:, None])
        taken = [w.shadow_strength * lamp.shadow for w, lamp in zip(lights, of_views, strict=True)]
        spread.append(np.column_stack([taken, [lamp.radius_m for lamp in of_views]]))
    return {
        "ambient": np.repeat(ambient[:, None], 3, axis=1).astype(np.float32),
        "light": np.stack(light, axis=1).astype(np.float32),
        "light_diffuse": np.stack(strong, axis=1).astype(np.float32),
        "light_specular": np.stack(mirror, axis=1).astype(np.float32),
        "light_shadow": np.stack(spread, axis=1).astype(np.float32),
    }


def background_arrays(backgrounds: Sequence[BackgroundParams], camera: CameraIntrinsics) -> dict[str, Any]:
    """Return `background_*` and `pictures` of N views of one size."""
    names = [b.texture for b in backgrounds]
    kinds = [FLAT if n == "none" else SKY if n.startswith("sky:") else PICTURE for n in names]
    shown = sorted({n for n, k in zip(names, kinds, strict=True) if k == PICTURE})
    pictures = [background_picture(n, camera.width_px, camera.height_px) for n in shown]
    none = np.zeros((4, 3), np.float32)
    return {
        "background_kind": np.array(kinds, np.int32),
        "background_rgb": np.array([b.rgb for b in backgrounds], np.float32).reshape(-1, 3),
        "background_picture": np.array(
            [shown.index(n) if k == PICTURE else 0 for n, k in zip(names, kinds, strict=True)], np.int32
        ),
        "background_sky": np.array(
            [sky_colours(n) if k == SKY else none for n, k in zip(names, kinds, strict=True)], np.float32
        ).reshape(-1, 4, 3),
        "pictures": np.array(pictures, np.uint8).reshape(-1, camera.height_px, camera.width_px, 3),
    }
