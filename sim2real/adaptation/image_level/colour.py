"""Colour statistics of one picture given to another."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from sim2real.adaptation.image_level.picture_map import Picture

# A picture of one colour has no contrast that could be stretched.
_LEAST_STD = 1e-3


def match_colour_statistics(picture: Picture, reference: Picture) -> Picture:
    """Return a picture (H, W, 3) with mean and standard deviation of the reference in L*, a* and b*.

    Reinhard et al. 2001, in CIELAB in place of their l-alpha-beta. A channel of the picture that does not vary takes
    the mean only. Colours that sRGB does not have are clipped.
    """
    lab, wanted = _lab(picture), _lab(reference)
    mean, std = lab.mean(axis=(0, 1)), lab.std(axis=(0, 1))
    gain = np.where(std > _LEAST_STD, wanted.std(axis=(0, 1)) / np.maximum(std, _LEAST_STD), 1.0)
    changed = (lab - mean) * gain + wanted.mean(axis=(0, 1))
    rgb = cv2.cvtColor(changed.astype(np.float32), cv2.COLOR_LAB2RGB)
    return np.asarray(np.clip(np.rint(rgb * 255.0), 0, 255), np.uint8)


def match_white_balance(picture: Picture, reference: Picture) -> Picture:
    """Return a picture (H, W, 3) whose mean light of each channel is in the ratio of the reference's.

    One gain a channel on linear light (von Kries 1902), scaled so that the picture's mean luminance (BT.709) stays.
    """
    light, wanted = _linear(picture), _linear(reference).mean(axis=(0, 1))
    own = light.mean(axis=(0, 1))
    if own.min() <= 0 or wanted.min() <= 0:
        return picture.copy()
    gain = wanted / own
    luminance = np.array([0.2126, 0.7152, 0.0722])
    gain *= (luminance @ own) / (luminance @ (own * gain))
    return _encoded(light * gain)


def _lab(picture: Picture) -> NDArray[np.float64]:
    return np.asarray(cv2.cvtColor(picture.astype(np.float32) / 255.0, cv2.COLOR_RGB2LAB), np.float64)


def _linear(picture: Picture) -> NDArray[np.float64]:
    """Return light 0 to 1 of sRGB values (IEC 61966-2-1)."""
    x = picture.astype(np.float64) / 255.0
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def _encoded(light: NDArray[np.float64]) -> Picture:
    x = np.clip(light, 0.0, 1.0)
    x = np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055)
    return np.rint(x * 255.0).astype(np.uint8)
