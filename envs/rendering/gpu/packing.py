"""Scene arrays as rows for storage buffers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs.rendering.gpu.levels import Placed
from envs.rendering.gpu.shaders.layout import INSTANCE_ROWS, LIGHT_ROWS, VIEW_ROWS
from envs.rendering.scene_arrays import PICTURE, Float, Geometry, Int, SceneArrays


def vertex_rows(geometry: Geometry) -> Float:
    """Return (V, 8): position, u, normal, v."""
    uv = geometry.uvs
    return np.concatenate([geometry.positions_m, uv[:, :1], geometry.normals, uv[:, 1:]], axis=1).astype(np.float32)


def instance_rows(scene: SceneArrays, placed: Placed) -> Float:
    """Return (N, I, 24)."""
    rows = np.empty((*scene.shape.shape, 4 * INSTANCE_ROWS), np.float32)
    rows[..., :12] = placed.camera_from_instance.reshape(*scene.shape.shape, 12)
    rows[..., 12:16] = placed.ball
    rows[..., 15] = np.where(placed.shadow_level >= 0, placed.ball[..., 3], np.float32(-1.0))
    rows[..., 16:19] = scene.rgb
    rows[..., 19] = scene.texture
    rows[..., 20:] = scene.material
    return rows


def instance_numbers(scene: SceneArrays, geometry: Geometry, placed: Placed) -> Int:
    """Return (N, I, 4): first vertex and first triangle of the level, segment."""
    level = np.maximum(placed.level, 0)
    rows = np.zeros((*scene.shape.shape, 4), np.int32)
    rows[..., 0] = geometry.level_vertex[level]
    rows[..., 1] = geometry.level_triangle[level]
    rows[..., 2] = scene.segment
    return rows


def view_rows(scene: SceneArrays, placed: Placed, picture: Int) -> Float:
    """Return (N, 40); `picture` (N,) is each view's among those that are sent along."""
    turn = scene.camera_from_world[:, :, :3]
    rows = np.zeros((len(scene), 4 * VIEW_ROWS), np.float32)
    rows[:, :4] = scene.focal_px
    rows[:, 4:7] = scene.ambient
    rows[:, 7] = scene.background_kind
    rows[:, 8:11] = scene.background_rgb
    rows[:, 11] = picture
    rows[:, 12:15] = turn[:, :, 2]
    if scene.light.shape[1]:
        rows[:, 16:19] = (turn * scene.light[:, :1, :3]).sum(axis=-1)
    for k in range(4):
        rows[:, 20 + 4 * k : 23 + 4 * k] = scene.background_sky[:, k]
    casts = placed.shadow_level >= 0
    place = placed.camera_from_instance[..., 3] * casts[..., None]
    rows[:, 36:39] = place.sum(axis=1) / np.maximum(casts.sum(axis=1), 1)[:, None]
    return rows


def light_rows(scene: SceneArrays, maps: NDArray[np.int64]) -> Float:
    """Return (N, L, 16); `maps` (M, 2) has the view and light of each shadow map."""
    camera, light = scene.camera_from_world, scene.light
    rows = np.zeros((*light.shape[:2], 4 * LIGHT_ROWS), np.float32)
    rows[..., :3] = (camera[:, None] * light[:, :, None]).sum(axis=-1)
    rows[..., 3] = light[..., 3]
    rows[..., 4:7], rows[..., 7] = scene.light_diffuse, scene.light_shadow[..., 0]
    rows[..., 8:11], rows[..., 11] = scene.light_specular, scene.light_shadow[..., 1]
    rows[..., 12] = -1.0
    rows[maps[:, 0], maps[:, 1], 12] = np.arange(len(maps))
    return rows


def shadowed_lights(scene: SceneArrays) -> NDArray[np.int64]:
    """Return the view and the light (M, 2) of each shadow map: one for every light that is on and has shadows."""
    return np.argwhere((scene.light_shadow[..., 0] > 0.0) & (scene.light_diffuse.sum(axis=-1) > 0.0))


def used_pictures(scene: SceneArrays) -> tuple[NDArray[np.uint8], Int]:
    """Return the pictures that views show (B, H, W, 3), and the number of each view's (N,)."""
    shown = scene.background_kind == PICTURE
    used, number = np.unique(scene.background_picture[shown], return_inverse=True)
    numbers = np.zeros(len(scene), np.int32)
    numbers[shown] = number.reshape(-1)
    return np.ascontiguousarray(scene.pictures[used]), numbers
