"""The passes that make pictures of one batch: what is seen, shadow maps, colours."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from envs.rendering.gpu.levels import LevelTable, draw_commands
from envs.rendering.gpu.memory import Buffers, Tiles, texel_texture
from envs.rendering.gpu.packing import (
    instance_numbers,
    instance_rows,
    light_rows,
    shadowed_lights,
    used_pictures,
    vertex_rows,
    view_rows,
)
from envs.rendering.gpu.shaders import layout, visible
from envs.rendering.gpu.shaders.shading import PIXELS_A_GROUP, shading_source
from envs.rendering.gpu.shaders.shadow_maps import FIT, FRAGMENT, VERTEX, map_size
from envs.rendering.scene_arrays import Geometry, SceneArrays, Textures

# OpenGL's number of the first of the planes that a vertex shader clips at.
_CLIP_DISTANCE_0 = 0x3000
_GROUPS_A_ROW = 32768


class Pipeline:
    """Shaders, geometry and textures on the GPU."""

    def __init__(self, context: Any, side: int, near_m: float, error_px: float) -> None:
        """Compile the shaders; a pixel has `side` * `side` samples."""
        self._context = context
        self._side, self._near_m, self._error_px = side, near_m, error_px
        self._buffers = Buffers(context)
        self._visible = context.program(visible.VERTEX, visible.FRAGMENT)
        self._map = context.program(VERTEX, FRAGMENT)
        self._fit = context.compute_shader(FIT)
        self._shade: dict[bool, Any] = {}
        self._tiles, self._map_tiles = Tiles(context, names=True), Tiles(context, names=False)
        self._geometry: Geometry | None = None
        self._textures: Textures | None = None
        self._texels: Any = None
        self._arrays: tuple[Any, ...] = ()

    def load(self, geometry: Geometry, textures: Textures) -> None:
        """Send what does not change from view to view, unless it is there."""
        if geometry is not self._geometry:
            self._load_geometry(geometry)
        if textures is not self._textures:
            if self._texels is not None:
                self._texels.release()
            self._texels = texel_texture(self._context, textures.texels)
            table = np.stack([textures.start, textures.size_px], axis=1).astype(np.int32)
            self._buffers.put(layout.TEXTURES, table)
            self._textures = textures

    def draw(self, scene: SceneArrays, normals: bool, turn: int) -> dict[int, Any]:
        """Start drawing views of what is loaded; return the buffers that will hold the pictures.

        Args:
            scene: as many views as fit in one picture of the largest size.
            normals: whether normals are wanted.
            turn: number of the set of buffers that is written.
        """
        geometry, context = self._loaded(), self._context
        placed = self._levels.place(scene, self._near_m, self._error_px)
        maps = shadowed_lights(scene)
        pictures, picture = used_pictures(scene)
        bind = self._buffers.bind
        bind(layout.INSTANCES, instance_rows(scene, placed))
        bind(layout.INSTANCE_NUMBERS, instance_numbers(scene, geometry, placed))
        bind(layout.VIEWS, view_rows(scene, placed, picture))
        bind(layout.LIGHTS, light_rows(scene, maps))
        bind(layout.PICTURES, pictures)
        for number in (layout.VERTICES, layout.TRIANGLES, layout.PARTS, layout.TEXTURES):
            self._buffers.bind_again(number)
        self._buffers.room(layout.MAPS, len(maps) * layout.MAP_ROWS * 16).bind_to_storage_buffer(layout.MAPS)

        context.enable_only(context.DEPTH_TEST | context.CULL_FACE)
        context.cull_face, context.depth_func = "back", "<"
        for k in range(4):
            context.enable_direct(_CLIP_DISTANCE_0 + k)
        self._see(scene, placed.level)
        if len(maps):
            self._cast(scene, placed.shadow_level, maps)
        for k in range(4):
            context.disable_direct(_CLIP_DISTANCE_0 + k)
        return self._colour(scene, normals, turn)

    def _loaded(self) -> Geometry:
        if self._geometry is None:
            raise RuntimeError("no geometry is loaded")
        return self._geometry

    def _load_geometry(self, geometry: Geometry) -> None:
        put, context = self._buffers.put, self._context
        put(layout.VERTICES, vertex_rows(geometry))
        put(layout.TRIANGLES, np.column_stack([geometry.triangles, geometry.triangle_part]).astype(np.uint32))
        put(layout.PARTS, np.column_stack([geometry.part_rgb, geometry.part_texture]).astype(np.float32))
        positions = put("positions", geometry.positions_m)
        indices = put("indices", geometry.triangles.astype(np.uint32))
        for held in self._arrays:
            held.release()
        self._arrays = tuple(
            context.vertex_array(
                program,
                [(positions, "3f", "in_position"), (self._buffers.room(key, 8), "2u/i", "in_pair")],
                index_buffer=indices,
            )
            for program, key in ((self._visible, "visible pairs"), (self._map, "map pairs"))
        )
        self._levels = LevelTable(geometry)
        self._open_level = np.repeat(~geometry.shape_closed, np.diff(geometry.shape_level))
        most = int(np.diff(geometry.level_triangle).max(initial=1))
        self._triangle_bits = max(most - 1, 1).bit_length()
        self._geometry = geometry

    def _see(self, scene: SceneArrays, level: Any) -> None:
        """Write which triangle is seen at each sample."""
        width, height, side = scene.camera.width_px, scene.camera.height_px, self._side
        view, instance = np.nonzero(level >= 0)
        instance_count = level.shape[1]
        if instance_count << self._triangle_bits >= 1 << 32:
            raise ValueError(f"at most 2**32 triangles a view, got {instance_count} bodies")
        self._tiles.begin(len(scene), width * side, height * side)
        uniforms = {
            "size_px": (width, height),
            "atlas_px": self._tiles.size_px,
            "side": side,
            "near_m": self._near_m,
            "tiles_x": self._tiles.across,
            "instance_count": instance_count,
            "triangle_bits": self._triangle_bits,
        }
        self._render(0, self._visible, uniforms, level[view, instance], view, view * instance_count + instance, "cw")

    def _cast(self, scene: SceneArrays, level: Any, maps: Any) -> None:
        """Fit the shadow maps to what is seen and draw the casters into them."""
        tiles, context = self._tiles, self._context
        size = map_size(scene.camera.width_px, scene.camera.height_px)
        self._buffers.bind(layout.MAP_OWNERS, maps.astype(np.uint32))
        tiles.depth_texture.use(layout.DEPTH_UNIT)
        _set(
            self._fit,
            size_px=(scene.camera.width_px, scene.camera.height_px),
            side=self._side,
            near_m=self._near_m,
            tiles_x=tiles.across,
            instance_count=level.shape[1],
            light_count=scene.light.shape[1],
            map_size=size,
        )
        self._fit.run(len(maps))
        context.memory_barrier()
        self._map_tiles.begin(len(maps), size, size)
        which, instance = np.nonzero(level[maps[:, 0]] >= 0)
        view = maps[which, 0]
        uniforms = {"tiles_x": self._map_tiles.across, "atlas_px": self._map_tiles.size_px, "map_size": size}
        self._render(1, self._map, uniforms, level[view, instance], which, view * level.shape[1] + instance, "ccw")

    def _render(
        self, which: int, program: Any, uniforms: dict[str, Any], level: Any, target: Any, instance: Any, front: str
    ) -> None:
        """Draw pairs of a tile and an instance; outside is `front` when window y goes up."""
        if not len(level):
            return
        context, key = self._context, ("visible", "map")[which]
        pair = np.stack([target, instance], axis=1).astype(np.uint32)
        commands, pair, closed = draw_commands(self._loaded(), self._open_level, level, pair)
        self._buffers.put(f"{key} pairs", pair)
        indirect = self._buffers.put(f"{key} commands", commands)
        _set(program, **uniforms)
        context.front_face = front
        if closed:
            self._arrays[which].render_indirect(indirect, context.TRIANGLES, closed)
        if closed < len(commands):
            context.disable(context.CULL_FACE)
            self._arrays[which].render_indirect(indirect, context.TRIANGLES, len(commands) - closed, closed)
            context.enable(context.CULL_FACE)

    def _colour(self, scene: SceneArrays, normals: bool, turn: int) -> dict[int, Any]:
        """Start the shader that makes pictures; return the buffers that it fills."""
        context, tiles = self._context, self._tiles
        if normals not in self._shade:
            self._shade[normals] = context.compute_shader(shading_source(self._side, normals))
        shade = self._shade[normals]
        width, height = scene.camera.width_px, scene.camera.height_px
        count = len(scene) * width * height
        sizes = {layout.RGB: 3, layout.DEPTH: 4, layout.SEGMENT: 2, **({layout.NORMAL: 12} if normals else {})}
        written = {number: self._buffers.room((number, turn), count * size) for number, size in sizes.items()}
        for number, buffer in written.items():
            buffer.bind_to_storage_buffer(number)
        tiles.name_texture.use(layout.NAME_UNIT)
        tiles.depth_texture.use(layout.DEPTH_UNIT)
        self._texels.use(layout.TEXEL_UNIT)
        if self._map_tiles.depth_texture is not None:
            self._map_tiles.depth_texture.use(layout.MAP_UNIT)
        _set(
            shade,
            size_px=(width, height),
            pixel_count=count,
            tiles_x=tiles.across,
            instance_count=scene.shape.shape[1],
            light_count=scene.light.shape[1],
            triangle_bits=self._triangle_bits,
            map_tiles_x=max(self._map_tiles.across, 1),
            map_size=map_size(width, height),
        )
        groups = math.ceil(count / PIXELS_A_GROUP)
        shade.run(min(groups, _GROUPS_A_ROW), math.ceil(groups / _GROUPS_A_ROW))
        context.memory_barrier()
        return written


def _set(program: Any, **uniforms: Any) -> None:
    for name, value in uniforms.items():
        program[name] = value
