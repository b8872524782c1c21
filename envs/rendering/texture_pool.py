"""Textures by name, with their mip-maps, as one array that grows as names appear."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from envs.rendering.scene_arrays import NO_TEXTURE, Textures
from envs.textures import texture_picture

# A spec that draws from more pictures than this makes the pool start anew; its arrays stay valid for who holds them.
LARGEST = 1024


class TexturePool:
    """Numbers for texture names, in the order in which they are first asked for."""

    def __init__(self, fixed: tuple[str, ...] = ()) -> None:
        """Start with `fixed`, which keep their numbers for ever."""
        self._fixed = fixed
        self._number: dict[str, int] = {}
        self._chains: list[NDArray[np.uint8]] = []
        self._sizes: list[int] = []
        self._arrays: Textures | None = None
        for name in fixed:
            self._add(name)

    def numbers(self, names: list[str]) -> list[int]:
        """Return the number of each name; NO_TEXTURE for "none".

        Raises:
            InputError: a picture that cannot be read.
        """
        new = {name for name in names if name != "none"} - self._number.keys()
        if new:
            if len(self._number) + len(new) > LARGEST:
                self.__init__(self._fixed)  # type: ignore[misc]
                new = {name for name in names if name != "none"} - self._number.keys()
            for name in sorted(new):
                self._add(name)
        return [NO_TEXTURE if name == "none" else self._number[name] for name in names]

    def arrays(self) -> Textures:
        """Return all textures, packed."""
        if self._arrays is None:
            lengths = [len(chain) for chain in self._chains]
            texels = np.concatenate([np.zeros((0, 4), np.uint8), *self._chains])
            start = np.cumsum([0, *lengths])[:-1].astype(np.int64)
            self._arrays = Textures(texels, start, np.array(self._sizes, np.int32))
        return self._arrays

    def _add(self, name: str) -> None:
        picture = texture_picture(name)
        size = min(1024, 1 << round(float(np.log2(max(picture.shape[:2])))))
        self._number[name] = len(self._chains)
        self._chains.append(mip_chain(picture, size))
        self._sizes.append(size)
        self._arrays = None


def mip_chain(picture: NDArray[np.uint8], size_px: int) -> NDArray[np.uint8]:
    """Return a picture (H, W, 3) at sizes `size_px`, half of it, ... 1, as a run of texels (N, 4)."""
    levels = []
    size = size_px
    level = picture
    while size >= 1:
        if level.shape[:2] != (size, size):
            level = np.asarray(cv2.resize(level, (size, size), interpolation=cv2.INTER_AREA), np.uint8)
        levels.append(np.dstack([level.reshape(size, size, 3), np.full((size, size), 255, np.uint8)]).reshape(-1, 4))
        size //= 2
    return np.concatenate(levels)
