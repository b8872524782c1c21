"""Fourier domain adaptation: the low frequencies' amplitude of another picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim2real.adaptation.image_level.picture_map import Picture

# Share of the spectrum's width that is exchanged; the paper uses 0.01 to 0.09 on pictures of a thousand pixels.
DEFAULT_BETA = 0.01


def swap_low_frequencies(picture: Picture, reference: Picture, beta: float = DEFAULT_BETA) -> Picture:
    """Return a picture (H, W, 3) with the amplitude of the reference's low frequencies and its own phase.

    FDA (Yang and Soatto 2020, equation 3): in a square of half-width floor(beta * min(H, W)) around frequency 0 the
    amplitude is the reference's. With beta so small that the half-width is 0, only each channel's mean changes.

    Raises:
        ValueError: pictures of different sizes, or beta outside 0 to 0.5.
    """
    if picture.shape != reference.shape:
        raise ValueError(
            f"picture and reference must have the same size, got {picture.shape[:2]} and {reference.shape[:2]}"
        )
    if not 0.0 <= beta <= 0.5:
        raise ValueError(f"beta must be 0 to 0.5, got {beta}")
    own = np.fft.fft2(picture.astype(np.float64), axes=(0, 1))
    other = np.fft.fft2(reference.astype(np.float64), axes=(0, 1))
    low = low_frequencies(picture.shape[0], picture.shape[1], beta)
    amplitude = np.where(low[..., None], np.abs(other), np.abs(own))
    mixed = np.fft.ifft2(amplitude * np.exp(1j * np.angle(own)), axes=(0, 1)).real
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


def low_frequencies(height: int, width: int, beta: float) -> NDArray[np.bool_]:
    """Return the mask (H, W) of what is exchanged, in the order of `numpy.fft.fft2`."""
    half = int(beta * min(height, width))
    rows, columns = (np.abs(np.fft.fftfreq(n) * n) <= half + 1e-9 for n in (height, width))
    return np.asarray(rows[:, None] & columns[None, :])
