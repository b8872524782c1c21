"""The arrays that kernels read and write, under names."""

from __future__ import annotations

from typing import Any, NamedTuple

# Arrays; Numba infers their types.
Array = Any


class Shapes(NamedTuple):
    """What does not change from view to view; see `envs.rendering.scene_arrays.Geometry` and `Textures`."""

    positions_m: Array
    normals: Array
    uvs: Array
    triangles: Array
    triangle_part: Array
    part_rgb: Array
    part_texture: Array
    level_vertex: Array
    level_triangle: Array
    level_error_m: Array
    shape_level: Array
    shape_centre_m: Array
    shape_radius_m: Array
    shape_closed: Array
    texels: Array
    texture_start: Array
    texture_size_px: Array


class Views(NamedTuple):
    """What is drawn; see `envs.rendering.scene_arrays.SceneArrays`."""

    focal_px: Array
    camera_from_world: Array
    shape: Array
    present: Array
    world_from_instance: Array
    segment: Array
    rgb: Array
    texture: Array
    material: Array
    ambient: Array
    light: Array
    light_diffuse: Array
    light_specular: Array
    light_shadow: Array
    background_kind: Array
    background_rgb: Array
    background_picture: Array
    background_sky: Array
    pictures: Array


class Pictures(NamedTuple):
    """What is written: rgb (N, H, W, 3), depth (N, H, W), segment (N, H, W), normal (N, H, W, 3) or (0, 0, 0, 3)."""

    rgb: Array
    depth_m: Array
    segment: Array
    normal: Array


class Scratch(NamedTuple):
    """Memory of one thread.

    corner: (V, 3) pixel x, y and inverse depth of each vertex, which is 0 behind the near plane. normal: (V, 3) in
    camera axes. level, base: (I,) level of detail and first vertex of each instance, level -1 for one that is not seen.
    record: (T, 11), see `raster`. owner_*: (T,) source triangle, instance, first vertex and whether it is seen from
    behind. nearness, owner: one a sample. filled: (W,) which triangle fills a pixel of the row. row: (3, W * 3) its
    colours, those behind all bodies, and what the background is multiplied by. shadow: (L, S * S) and caster
    corners (V, 3). Samples and maps have NARROW places to spare.
    The last ones are small and hold what one function needs at a time.
    """

    corner: Array
    normal: Array
    camera_from_instance: Array
    level: Array
    base: Array
    record: Array
    source: Array
    instance: Array
    nearness: Array
    owner: Array
    shadow: Array
    shadow_corner: Array
    shadow_from_camera: Array
    shadow_kind: Array
    shadow_texel: Array
    light_camera: Array
    corners: Array
    points: Array
    axes: Array
    origin: Array
    seen: Array
    cast: Array
    matrix: Array
    ids: Array
    surface: Array
    surface_number: Array
    lanes: Array
    lane_numbers: Array
    row: Array
    filled: Array
