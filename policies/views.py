"""Small changes of a picture whose effect on keypoints is known: moves, light, blur, noise."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]


@dataclass(frozen=True)
class ViewRange:
    """How far a drawn view may go; every value is the largest one.

    Attributes:
        turn_rad: either way, about the picture's middle.
        zoom: larger or smaller, as a share.
        shift: of the picture's sides, along each.
        gain: of each colour channel, as a share.
        offset: of all channels, grey levels.
        blur_px: standard deviation.
        noise: standard deviation, grey levels.
    """

    turn_rad: float
    zoom: float
    shift: float
    gain: float
    offset: float
    blur_px: float
    noise: float


# No view is a mirror image: a mirrored robot is one that does not exist.
WEAK = ViewRange(0.03, 0.03, 0.03, 0.05, 6.0, 0.0, 2.0)
STRONG = ViewRange(0.15, 0.12, 0.08, 0.25, 25.0, 1.2, 8.0)


@dataclass(frozen=True, eq=False)
class PictureView:
    """One drawn view.

    Attributes:
        matrix: (2, 3); a pixel p of the picture is at matrix[:, :2] p + matrix[:, 2] in the view.
        gain: (3,) factors of the channels.
        offset: grey levels.
        blur_px: standard deviation.
        noise: standard deviation, grey levels.
        noise_seed: of the noise.
    """

    matrix: Points
    gain: Points
    offset: float
    blur_px: float
    noise: float
    noise_seed: int

    @classmethod
    def draw(cls, rng: np.random.Generator, size_px: tuple[int, int], limits: ViewRange) -> PictureView:
        """Return a view of pictures of this width and height, uniform within the limits."""
        turn = rng.uniform(-limits.turn_rad, limits.turn_rad)
        zoom = rng.uniform(1.0 - limits.zoom, 1.0 + limits.zoom)
        middle = (np.array(size_px) - 1.0) / 2.0
        linear = zoom * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        shift = rng.uniform(-limits.shift, limits.shift, 2) * size_px
        return cls(
            np.column_stack([linear, middle - linear @ middle + shift]),
            rng.uniform(1.0 - limits.gain, 1.0 + limits.gain, 3),
            float(rng.uniform(-limits.offset, limits.offset)),
            float(rng.uniform(0.0, limits.blur_px)),
            float(rng.uniform(0.0, limits.noise)),
            int(rng.integers(2**31)),
        )

    def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a picture uint8 (H, W, 3) as this view shows it, of the same size; borders are reflected."""
        height, width = picture.shape[:2]
        moved = cv2.warpAffine(picture, self.matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101)
        if self.blur_px > 0.0:
            moved = cv2.GaussianBlur(moved, (0, 0), self.blur_px)
        value = moved.astype(np.float64) * self.gain + self.offset
        if self.noise > 0.0:
            value += self.noise * np.random.default_rng(self.noise_seed).standard_normal(value.shape)
        return np.asarray(np.clip(np.rint(value), 0, 255), np.uint8)

    def forward(self, pixels: Points) -> Points:
        """Return where pixels (..., 2) of the picture are in the view."""
        return np.asarray(pixels @ self.matrix[:, :2].T + self.matrix[:, 2])

    def backward(self, pixels: Points) -> Points:
        """Return where pixels (..., 2) of the view are in the picture."""
        return np.asarray((pixels - self.matrix[:, 2]) @ np.linalg.inv(self.matrix[:, :2]).T)
