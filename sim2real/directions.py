"""Distributions of whole vectors: directions in space and colours of light."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sim2real.quantiles import Float, check, check_length, check_order, turned

# From CIE XYZ to linear sRGB, IEC 61966-2-1.
_RGB_FROM_XYZ = np.array(
    [[3.2404542, -1.5371385, -0.4985314], [-0.9692660, 1.8760108, 0.0415560], [0.0556434, -0.2040259, 1.0572252]]
)


@dataclass(frozen=True)
class Direction:
    """Uniform on a cap of the sphere, as azimuth and elevation or as a vector of a length drawn uniformly.

    Attributes:
        azimuth_rad: of the middle of the cap, about z from x.
        elevation_rad: of the middle of the cap, above the horizon.
        cap_rad: angle between the middle and the rim; pi is the whole sphere.
        length: shortest and longest vector, unit vectors when left out.
    """

    azimuth_rad: float = 0.0
    elevation_rad: float = math.pi / 2
    cap_rad: float = math.pi
    length: tuple[float, float] = (1.0, 1.0)

    def __post_init__(self) -> None:
        """Check angle and lengths."""
        check("direction", "cap_rad between 0 and pi", self.cap_rad, 0.0 <= self.cap_rad <= math.pi + 1e-4)
        check_length("direction", self.length, np.zeros(2))
        check_order("direction", *self.length)

    def quantile(self, u: Float) -> Float:
        """Return azimuth and elevation (..., 2), or vectors (..., 3), as many as `u` has elements.

        Equal areas of a sphere lie between equally spaced planes (Archimedes), so the height is uniform.
        """
        if u.shape[-1] not in (2, 3):
            raise ValueError(f"direction needs 2 or 3 elements, got {u.shape[-1]}")
        height = 1.0 - u[..., 0] * (1.0 - math.cos(min(self.cap_rad, math.pi)))
        radius = np.sqrt(np.maximum(0.0, 1.0 - height**2))
        turn = 2.0 * math.pi * u[..., 1]
        ca, sa = math.cos(self.azimuth_rad), math.sin(self.azimuth_rad)
        ce, se = math.cos(self.elevation_rad), math.sin(self.elevation_rad)
        # Columns: two directions across the middle of the cap, and the middle itself.
        axes = np.array([[-sa, -se * ca, ce * ca], [ca, -se * sa, ce * sa], [0.0, ce, se]])
        vectors = turned(axes, [radius * np.cos(turn), radius * np.sin(turn), height])
        if u.shape[-1] == 2:
            elevation = np.arcsin(np.clip(vectors[..., 2], -1.0, 1.0))
            return np.stack([np.arctan2(vectors[..., 1], vectors[..., 0]), elevation], axis=-1)
        shortest, longest = self.length
        return np.asarray(vectors * (shortest + (longest - shortest) * u[..., 2:]))

    def __str__(self) -> str:
        """Return `direction within 0.3 rad of azimuth 0, elevation 1.57`."""
        scale = "" if self.length == (1.0, 1.0) else f", length {self.length[0]:g} to {self.length[1]:g}"
        middle = f"azimuth {self.azimuth_rad:.3g}, elevation {self.elevation_rad:.3g}"
        return f"direction within {self.cap_rad:.3g} rad of {middle}{scale}"


@dataclass(frozen=True)
class Temperature:
    """Colour of a glowing body between two temperatures, uniform in 1/T, which is nearly even to the eye.

    Attributes:
        low_k: lowest temperature, kelvin.
        high_k: highest temperature, kelvin.
        white_k: the temperature that is white, (1, 1, 1); all colours have its brightness.
    """

    low_k: float
    high_k: float
    white_k: float = 5500.0

    def __post_init__(self) -> None:
        """Check the order and that the colours are known."""
        check_order("temperature", self.low_k, self.high_k)
        given = (self.low_k, self.high_k, self.white_k)
        check("temperature", "kelvins between 1667 and 25000", given, min(given) >= 1667 and max(given) <= 25000)

    def quantile(self, u: Float) -> Float:
        """Return linear RGB (..., 3) at `u` (..., 3), of which only the first element is read."""
        if u.shape[-1] != 3:
            raise ValueError(f"temperature needs 3 elements, got {u.shape[-1]}")
        cold, warm = 1.0 / self.high_k, 1.0 / self.low_k
        return np.asarray(planck_rgb(1.0 / (warm + (cold - warm) * u[..., 0])) / planck_rgb(np.asarray(self.white_k)))

    def __str__(self) -> str:
        """Return `colour of 2700 to 6500 K`."""
        return f"colour of {self.low_k:g} to {self.high_k:g} K"


def planck_rgb(kelvin: Float) -> Float:
    """Return linear sRGB (..., 3) of luminance 1 for black bodies of 1667 to 25000 K.

    Chromaticity by the cubic fits of Kim et al., US patent 7024034 (2006); what lies outside the colours of sRGB is cut
    at 0.
    """
    t = np.asarray(kelvin, np.float64)
    x = np.where(
        t < 4000,
        -0.2661239e9 / t**3 - 0.2343589e6 / t**2 + 0.8776956e3 / t + 0.179910,
        -3.0258469e9 / t**3 + 2.1070379e6 / t**2 + 0.2226347e3 / t + 0.240390,
    )
    warm = ((-1.1063814 * x - 1.34811020) * x + 2.18555832) * x - 0.20219683
    middle = ((-0.9549476 * x - 1.37418593) * x + 2.09137015) * x - 0.16748867
    cold = ((3.0817580 * x - 5.87338670) * x + 3.75112997) * x - 0.37001483
    y = np.where(t < 2222, warm, np.where(t < 4000, middle, cold))
    return np.asarray(np.maximum(turned(_RGB_FROM_XYZ, [x / y, np.ones_like(x), (1.0 - x - y) / y]), 0.0))
