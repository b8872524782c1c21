"""Draws scene arrays with OpenGL."""

from __future__ import annotations

import math
import threading
from dataclasses import fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.errors import InputError
from envs.rendering.drawing import Drawing
from envs.rendering.gpu.context import open_context
from envs.rendering.gpu.pipeline import Pipeline
from envs.rendering.gpu.shaders import layout
from envs.rendering.gpu.shaders.shadow_maps import map_size
from envs.rendering.scene_arrays import SceneArrays

# Samples, and texels of shadow maps, that are on the GPU at a time: eight and four bytes each.
_SAMPLES_A_BATCH = 1 << 25
# What does not go by views.
_WHOLE = ("geometry", "textures", "camera", "pictures")


class GpuRasterizer:
    """Draws scene arrays; the CPU rasteriser's pictures but for rounding.

    Samples lie where the CPU's lie and are weighed, shaded and given depth and segment by the same rules, so what
    differs is which triangle a sample on an edge belongs to, which of two coincident surfaces is in front, and single
    texels at the edge of a shadow.

    One thread at a time draws; others wait. A process that is forked needs a rasteriser of its own.
    """

    def __init__(self, samples: int = 4, error_px: float = 0.5, near_m: float = 0.02) -> None:
        """Open OpenGL and compile the shaders.

        Args:
            samples: a pixel: 1, 4, 9 or 16.
            error_px: how far a simplified surface may be from the full one, in pixels.
            near_m: what is nearer to the camera is not drawn.

        Raises:
            InputError: no OpenGL without a screen; says what is missing.
            ValueError: a number of samples that is no square.
        """
        side = math.isqrt(max(samples, 0))
        if side * side != samples or not 1 <= side <= 4:
            raise ValueError(f"samples must be 1, 4, 9 or 16, got {samples}")
        self._side = side
        self._lock = threading.Lock()
        self._context: Any = open_context()
        with self._context:
            self._pipeline = Pipeline(self._context, side, near_m, error_px)
            self.device = str(self._context.info["GL_RENDERER"])

    def close(self) -> None:
        """Close OpenGL; twice is fine."""
        with self._lock:
            if self._context is not None:
                self._context.release()
                self._context = None

    def draw(self, scene: SceneArrays, normals: bool = False) -> Drawing:
        """Return the pictures of all views.

        Geometry and textures are sent to the GPU when they are other objects than last time.

        Raises:
            InputError: pictures larger than the GPU's.
            RuntimeError: OpenGL reports an error, such as too little memory.
        """
        if self._context is None:
            raise ValueError("the rasteriser is closed: make a new one")
        count, height, width = len(scene), scene.camera.height_px, scene.camera.width_px
        rgb = np.empty((count, height, width, 3), np.uint8)
        depth = np.empty((count, height, width), np.float32)
        segment = np.empty((count, height, width), np.int16)
        normal = np.empty((count, height, width, 3), np.float32) if normals else None
        arrays: dict[int, NDArray[Any] | None] = {
            layout.RGB: rgb,
            layout.DEPTH: depth,
            layout.SEGMENT: segment,
            layout.NORMAL: normal,
        }
        with self._lock, self._context:
            size = self._batch_size(scene, normals)
            self._pipeline.load(scene.geometry, scene.textures)
            # While the GPU draws one batch, the next one is prepared.
            waiting: tuple[int, int, dict[int, Any]] | None = None
            for start in range(0, count, size):
                stop = min(start + size, count)
                drawn = self._pipeline.draw(_views(scene, start, stop), normals, (start // size) % 2)
                if waiting is not None:
                    _read(arrays, *waiting)
                waiting = start, stop, drawn
            if waiting is not None:
                _read(arrays, *waiting)
            trouble = str(self._context.error)
        if trouble != "GL_NO_ERROR":
            raise RuntimeError(f"OpenGL reports {trouble} on {self.device}; --renderer cpu needs no OpenGL")
        return Drawing(rgb, depth, segment, normal)

    def _batch_size(self, scene: SceneArrays, normals: bool) -> int:
        """Return how many views are drawn at a time."""
        info = self._context.info
        limit, block = int(info["GL_MAX_TEXTURE_SIZE"]), int(info["GL_MAX_SHADER_STORAGE_BLOCK_SIZE"])
        width, height = scene.camera.width_px, scene.camera.height_px
        wide, high = width * self._side, height * self._side
        if max(wide, high) > limit:
            raise InputError(
                f"pictures for renderer gpu must have at most {limit // self._side} pixels a side, "
                f"got {width}x{height}: use smaller ones, or --renderer cpu"
            )
        maps = max(int(scene.light.shape[1]), 1)
        side = map_size(width, height)
        return max(
            1,
            min(
                _SAMPLES_A_BATCH // (wide * high),
                (limit // wide) * (limit // high),
                _SAMPLES_A_BATCH // (side * side * maps),
                (limit // side) ** 2 // maps,
                block // (width * height * (12 if normals else 4)),
                block // max(int(scene.shape.shape[1]) * layout.INSTANCE_ROWS * 16, 1),
            ),
        )


def _views(scene: SceneArrays, start: int, stop: int) -> SceneArrays:
    if start == 0 and stop == len(scene):
        return scene
    names = [field.name for field in fields(scene) if field.name not in _WHOLE]
    return replace(scene, **{name: getattr(scene, name)[start:stop] for name in names})


def _read(arrays: dict[int, NDArray[Any] | None], start: int, stop: int, drawn: dict[int, Any]) -> None:
    for number, buffer in drawn.items():
        array = arrays[number]
        if array is not None:
            part = array[start:stop]
            buffer.read_into(part.reshape(-1).view(np.uint8), part.nbytes)
