"""Draws scene arrays on all cores."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from envs.rendering.cpu.raster import NARROW, RECORD
from envs.rendering.cpu.surface import LANE_NUMBERS, LANE_VALUES, SURFACE_NUMBERS, SURFACE_VALUES
from envs.rendering.cpu.tables import Pictures, Scratch, Shapes, Views
from envs.rendering.cpu.view import draw_views
from envs.rendering.drawing import Drawing
from envs.rendering.scene_arrays import Geometry, SceneArrays, Textures

# Views a task; few enough to keep all cores busy, many enough to make calls cheap.
_VIEWS_A_TASK = 4


class CpuRasterizer:
    """Draws scene arrays; the same bits for any number of threads and any split into batches."""

    def __init__(self, threads: int = 0, samples: int = 4, error_px: float = 0.5, near_m: float = 0.02) -> None:
        """Keep the settings.

        Args:
            threads: 0 uses all cores of this process.
            samples: a pixel: 1, 4, 9 or 16.
            error_px: how far a simplified surface may be from the full one, in pixels.
            near_m: what is nearer to the camera is not drawn.

        Raises:
            ValueError: a number of samples that is no square.
        """
        side = round(samples**0.5)
        if side * side != samples or not 1 <= side <= 4:
            raise ValueError(f"samples must be 1, 4, 9 or 16, got {samples}")
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self.threads = threads or cores
        self._side = side
        self._error_px = np.float32(error_px)
        self._near = np.float32(near_m)
        self._own = threading.local()
        self._pool = ThreadPoolExecutor(self.threads, "draw") if self.threads > 1 else None
        self._shapes: tuple[Geometry, Textures, Shapes] | None = None
        # Vertices and triangles of each shape's finest level.
        self._sizes = np.zeros(0, np.int32), np.zeros(0, np.int32)

    def close(self) -> None:
        """Stop the threads; twice is fine."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def draw(self, scene: SceneArrays, normals: bool = False) -> Drawing:
        """Return the pictures of all views."""
        count, height, width = len(scene), scene.camera.height_px, scene.camera.width_px
        out = Pictures(
            np.empty((count, height, width, 3), np.uint8),
            np.empty((count, height, width), np.float32),
            np.empty((count, height, width), np.int16),
            np.empty((count if normals else 0, height, width, 3), np.float32),
        )
        shapes, views = self._packed(scene.geometry, scene.textures), _views(scene)
        need = self._need(scene)
        tasks = [(k, min(k + _VIEWS_A_TASK, count)) for k in range(0, count, _VIEWS_A_TASK)]
        if self.threads > 1 and count > 1:
            size = min(_VIEWS_A_TASK, -(-count // self.threads))
            tasks = [(k, min(k + size, count)) for k in range(0, count, size)]
        if self._pool is None or len(tasks) < 2:
            for start, stop in tasks:
                self._draw(need, shapes, views, out, start, stop)
        else:
            list(self._pool.map(lambda task: self._draw(need, shapes, views, out, *task), tasks))
        return Drawing(out.rgb, out.depth_m, out.segment, out.normal if normals else None)

    def _draw(self, need: tuple[int, ...], shapes: Shapes, views: Views, out: Pictures, start: int, stop: int) -> None:
        size = map_size(out.rgb.shape[2], out.rgb.shape[1])
        draw_views(shapes, views, self._scratch(need), out, start, stop, self._side, size, self._near, self._error_px)

    def _packed(self, geometry: Geometry, textures: Textures) -> Shapes:
        if self._shapes is None or self._shapes[0] is not geometry or self._shapes[1] is not textures:
            own = {name: getattr(geometry, name) for name in Shapes._fields if hasattr(geometry, name)}
            texels = np.ascontiguousarray(textures.texels).view(np.uint32).reshape(-1)
            if not len(texels):
                texels = np.zeros(1, np.uint32)
            shapes = Shapes(**own, texels=texels, texture_start=textures.start, texture_size_px=textures.size_px)
            self._shapes = geometry, textures, shapes
            finest = geometry.shape_level[:-1]
            self._sizes = np.diff(geometry.level_vertex)[finest], np.diff(geometry.level_triangle)[finest]
        return self._shapes[2]

    def _need(self, scene: SceneArrays) -> tuple[int, ...]:
        """Return how much of each kind of memory a view of the scene can take."""
        vertices, triangles = self._sizes
        width, height = scene.camera.width_px, scene.camera.height_px
        return (
            int(vertices[scene.shape].sum(axis=1).max(initial=1)),
            int(triangles[scene.shape].sum(axis=1).max(initial=1)),
            scene.shape.shape[1],
            width * height * self._side**2,
            scene.light.shape[1],
            map_size(width, height),
            int(vertices.max(initial=1)),
            width,
        )

    def _scratch(self, need: tuple[int, ...]) -> Scratch:
        """Return this thread's memory, made anew when more is needed."""
        held: tuple[tuple[int, ...], Scratch] | None = getattr(self._own, "held", None)
        if held is None or any(a < b for a, b in zip(held[0], need, strict=True)):
            if held is not None:
                need = tuple(max(a, b) for a, b in zip(held[0], need, strict=True))
            held = need, _new_scratch(*need)
            self._own.held = held
        return held[1]


def map_size(width_px: int, height_px: int) -> int:
    """Return the side of the shadow maps for pictures of this size."""
    longest = max(width_px, height_px)
    return int(min(512, max(96, 32 * -(-longest * 5 // 4 // 32))))


def _new_scratch(
    v: int, t: int, instances: int, samples: int, lights: int, size: int, largest: int, width: int
) -> Scratch:
    return Scratch(
        corner=np.empty((v, 3), np.float32),
        normal=np.empty((v, 3), np.float32),
        camera_from_instance=np.empty((instances, 3, 4), np.float32),
        level=np.empty(instances, np.int32),
        base=np.empty(instances, np.int32),
        record=np.empty((t + 1, RECORD), np.float32),
        source=np.empty(t + 1, np.int32),
        instance=np.empty(t + 1, np.int32),
        nearness=np.empty(samples + NARROW, np.float32),
        owner=np.empty(samples + NARROW, np.int32),
        shadow=np.empty((max(lights, 1), size * size + NARROW), np.float32),
        shadow_corner=np.empty((largest, 3), np.float32),
        shadow_from_camera=np.empty((max(lights, 1), 4, 4), np.float32),
        shadow_kind=np.zeros(max(lights, 1), np.int32),
        shadow_texel=np.zeros(max(lights, 1), np.float32),
        light_camera=np.zeros((max(lights, 1), 4), np.float32),
        corners=np.empty((3, 3), np.float64),
        points=np.empty((samples, 3), np.float32),
        axes=np.empty((3, 3), np.float32),
        origin=np.empty(3, np.float32),
        seen=np.empty(4, np.float32),
        cast=np.empty(4, np.float32),
        matrix=np.empty((4, 4), np.float32),
        ids=np.empty((3, 16), np.int32),
        surface=np.empty(SURFACE_VALUES, np.float32),
        surface_number=np.empty(SURFACE_NUMBERS, np.int64),
        lanes=np.zeros(LANE_VALUES, np.float32),
        lane_numbers=np.zeros(LANE_NUMBERS, np.int32),
        row=np.empty((3, 3 * width), np.float32),
        filled=np.empty(width, np.int32),
    )


def _views(scene: SceneArrays) -> Views:
    return Views(*(np.ascontiguousarray(getattr(scene, name)) for name in Views._fields))
