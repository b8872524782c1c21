"""What colours a set of frames shows, in five numbers that a record keeps, and whether channels are swapped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from calibration.calibration_record import CalibrationRecord
from calibration.errors import InputError
from calibration.photometry.frames import Array, Picture, block_mean

_NAMES = ("chroma_mean_rg", "chroma_mean_bg", "chroma_var_rg", "chroma_var_bg", "chroma_cov")
# What channels are in which place: as `sensor.channels` of the world writes it.
ORDERS = ("rgb", "bgr", "grb", "gbr", "brg", "rbg")
_LEVEL_FLOOR = 8.0
# Variance of chroma that a change of white balance or of the scene brings, (log2)^2.
_ORDINARY = 0.15**2


@dataclass(frozen=True)
class ColourStatistics:
    """Normal distribution of log2(red / green) and log2(blue / green) over pixels: mean (2,), covariance (2, 2)."""

    mean: Array
    covariance: Array

    def as_quality(self) -> dict[str, float]:
        """Return the numbers as a record keeps them."""
        c = self.covariance
        return dict(zip(_NAMES, map(float, (*self.mean, c[0, 0], c[1, 1], c[0, 1])), strict=True))

    @classmethod
    def of_record(cls, record: CalibrationRecord) -> ColourStatistics:
        """Return what `as_quality` put into a record.

        Raises:
            InputError: the record has no colours.
        """
        q: Mapping[str, float] = record.quality
        if missing := [name for name in _NAMES if name not in q]:
            raise InputError(
                f"reference must be a photometry record with colours, got one of kind '{record.kind}' without "
                f"{missing[0]} ({record.source}); make it with measure_photometry"
            )
        mean = np.array([q[_NAMES[0]], q[_NAMES[1]]])
        return cls(mean, np.array([[q[_NAMES[2]], q[_NAMES[4]]], [q[_NAMES[4]], q[_NAMES[3]]]]))


def colour_statistics(pictures: Sequence[Picture]) -> ColourStatistics:
    """Return the colour statistics of pictures (H, W, 3), by blocks of 8 x 8 pixels."""
    logs = np.concatenate([_logs(block_mean(p.astype(np.float32)).reshape(-1, 3).astype(np.float64)) for p in pictures])
    return _statistics(logs)


def _logs(levels: Array) -> Array:
    """Return log2 of levels (N, 3), with a floor, so that dark pixels count as grey."""
    return np.asarray(np.log2(levels + _LEVEL_FLOOR))


def _statistics(logs: Array) -> ColourStatistics:
    chroma = logs[:, [0, 2]] - logs[:, [1]]
    return ColourStatistics(chroma.mean(axis=0), np.cov(chroma.T))


def likely_order(seen: ColourStatistics, reference: ColourStatistics) -> tuple[str, float]:
    """Return the order of channels that explains the frames best, and how much better than "rgb" it is.

    The seen distribution is put back by each order and compared with the reference by the Jeffreys divergence of
    two normal distributions (Kullback & Leibler 1951), in which what white balance ordinarily changes counts little.
    The second number is the difference of the divergences, 0 for "rgb" itself.
    """
    distances = {order: _divergence(_put_back(seen, order), reference) for order in ORDERS}
    best = min(distances, key=lambda order: distances[order])
    return best, distances["rgb"] - distances[best]


def _put_back(seen: ColourStatistics, order: str) -> ColourStatistics:
    """Return the statistics of the true colours when channels arrived in this order."""
    # Rows give log r, g, b up to a common brightness, from log r - log g and log b - log g as seen.
    lifted = np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]])
    arrived = np.array([[float(order[place] == colour) for place in range(3)] for colour in "rgb"])
    turn = np.array([[1.0, -1.0, 0.0], [0.0, -1.0, 1.0]]) @ arrived @ lifted
    return ColourStatistics(turn @ seen.mean, turn @ seen.covariance @ turn.T)


def _divergence(a: ColourStatistics, b: ColourStatistics) -> float:
    ca, cb = a.covariance + _ORDINARY * np.eye(2), b.covariance + _ORDINARY * np.eye(2)
    ia, ib = np.linalg.inv(ca), np.linalg.inv(cb)
    away = a.mean - b.mean
    return float(0.5 * (np.trace(ia @ cb) + np.trace(ib @ ca) - 4 + away @ (ia + ib) @ away))
