"""Buffers and pictures on the GPU that grow with what is asked of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.rendering.gpu.shaders.layout import TEXEL_ROW


class Buffers:
    """Buffers by number; what is put in one takes the place of what was there."""

    def __init__(self, context: Any) -> None:
        """Start with none."""
        self._context = context
        self._held: dict[object, Any] = {}

    def put(self, key: object, array: NDArray[Any]) -> Any:
        """Return the buffer `key` with the array in it."""
        data = np.ascontiguousarray(array)
        buffer = self._made(key, data.nbytes)
        if data.nbytes:
            buffer.write(data.reshape(-1).view(np.uint8))
        return buffer

    def bind(self, number: int, array: NDArray[Any]) -> None:
        """Put an array in the storage buffer of this number."""
        self.put(number, array).bind_to_storage_buffer(number)

    def bind_again(self, number: int) -> None:
        """Bind a storage buffer with what is in it."""
        self._held[number].bind_to_storage_buffer(number)

    def room(self, key: object, size: int) -> Any:
        """Return the buffer `key` with at least `size` bytes of room; what it holds is undefined."""
        buffer = self._held.get(key)
        return buffer if buffer is not None and buffer.size >= size else self._made(key, size)

    def _made(self, key: object, size: int) -> Any:
        # New memory, so that work that still reads the old one need not be waited for.
        size = max(4 * math.ceil(size / 4), 16)
        buffer = self._held.get(key)
        if buffer is None:
            buffer = self._held[key] = self._context.buffer(reserve=size, dynamic=True)
        else:
            buffer.orphan(size)
        return buffer


class Tiles:
    """Pictures of one size side by side in one large one, with depth."""

    def __init__(self, context: Any, names: bool) -> None:
        """Start with none; with `names` there are 32 bits beside the depth."""
        self._context = context
        self._names = names
        self.width_px = self.height_px = self.across = self.down = 0
        self.name_texture: Any = None
        self.depth_texture: Any = None
        self._target: Any = None

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height of all tiles."""
        return self.across * self.width_px, self.down * self.height_px

    def begin(self, count: int, width_px: int, height_px: int) -> None:
        """Make room for `count` tiles of this size, clear them and draw into them from here on."""
        if (self.width_px, self.height_px) != (width_px, height_px) or count > self.across * self.down:
            self.width_px, self.height_px = width_px, height_px
            self._make(count)
        # Only depth is cleared: a name counts where depth says that something is there. A mask holds from `use` on.
        target = self._target
        rows = math.ceil(count / self.across) * self.height_px
        if self._names:
            target.color_mask = False, False, False, False
        target.clear(depth=1.0, viewport=(0, 0, self.size_px[0], rows))
        if self._names:
            target.color_mask = True, True, True, True
        target.use()

    def _make(self, count: int) -> None:
        old = self._target, self.name_texture, self.depth_texture
        limit = int(self._context.info["GL_MAX_TEXTURE_SIZE"])
        square = math.ceil(math.sqrt(count * self.height_px / self.width_px))
        self.across = min(max(square, math.ceil(count / (limit // self.height_px))), limit // self.width_px)
        self.down = math.ceil(count / self.across)
        self.depth_texture = self._context.depth_texture(self.size_px)
        self.depth_texture.compare_func = ""
        colours = []
        if self._names:
            self.name_texture = self._context.texture(self.size_px, 1, dtype="u4")
            colours.append(self.name_texture)
        for texture in (*colours, self.depth_texture):
            texture.filter = self._context.NEAREST, self._context.NEAREST
        self._target = self._context.framebuffer(colours, self.depth_texture)
        # moderngl goes back to the target in use after work on another, so the old one must not be in use any more.
        self._target.use()
        for held in old:
            if held is not None:
                held.release()


def texel_texture(context: Any, texels: NDArray[np.uint8]) -> Any:
    """Return texels (N, 4) as a picture of 32-bit numbers with rows of TEXEL_ROW."""
    rows = max(math.ceil(len(texels) / TEXEL_ROW), 1)
    padded = np.zeros((rows * TEXEL_ROW, 4), np.uint8)
    padded[: len(texels)] = texels
    texture = context.texture((TEXEL_ROW, rows), 1, data=padded.data, dtype="u4")
    texture.filter = context.NEAREST, context.NEAREST
    return texture
