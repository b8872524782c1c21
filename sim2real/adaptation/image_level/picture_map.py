"""The interface of methods that change simulated pictures, and how they go over batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.errors import InputError

Picture = NDArray[np.uint8]
# Takes a picture (H, W, 3) and a reference photograph (H, W, 3) and returns the picture in the reference's looks.
Style = Callable[[Picture, Picture], Picture]


@dataclass(frozen=True, eq=False)
class ToReferences:
    """Gives each picture the looks of a photograph drawn at random.

    Attributes:
        style: what is taken over.
        references: photographs (N, H, W, 3) without labels.
        share: of the pictures that are changed; the others stay as they are.
    """

    style: Style
    references: Picture
    share: float = 1.0

    def __post_init__(self) -> None:
        """Check that there is a photograph."""
        if self.references.ndim != 4 or not len(self.references):
            raise InputError(
                f"image-level adaptation needs at least 1 photograph, got an array {self.references.shape}"
            )

    def __call__(self, pictures: Picture, rng: np.random.Generator) -> Picture:
        """Return changed copies of pictures (N, H, W, 3)."""
        changed = pictures.copy()
        chosen = rng.integers(len(self.references), size=len(pictures))
        kept = rng.random(len(pictures)) >= self.share
        for k in np.flatnonzero(~kept):
            changed[k] = self.style(pictures[k], self.references[chosen[k]])
        return changed


PictureMap = Callable[[Picture, np.random.Generator], Picture]


def through(maps: Sequence[PictureMap], pictures: Picture, rng: np.random.Generator) -> Picture:
    """Return pictures (N, H, W, 3) after all maps in order."""
    for one in maps:
        pictures = one(pictures, rng)
    return pictures
