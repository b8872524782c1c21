"""Sensor channels fitted to unlabelled photographs, so that random frames cover them and little else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.world import WorldParams
from sim2real.adaptation.image_level.looks import looks
from sim2real.distributions import Uniform
from sim2real.randomization import Channel, RandomizationSpec
from sim2real.stream import SimulatedFrames

# Numeric sensor values that pictures tell something of.
FITTED = (
    "exposure_ev",
    "white_balance",
    "saturation",
    "hue_rad",
    "gamma",
    "contrast",
    "haze",
    "shading",
    "vignetting",
    "blur_px",
    "noise",
    "grain",
)
# Frames of the stream that nothing else draws.
_START = 30_000_000
_ACCEPTED_SHARE = 0.1
_TAIL = 0.025
_RIDGE = 1e-3


@dataclass(frozen=True)
class FittedRange:
    """What photographs say about one sensor value.

    Attributes:
        path: such as `sensor.gamma`.
        before: 2.5 and 97.5 percent points of the random frames, one pair an element.
        after: the same of what fits the photographs.
    """

    path: str
    before: tuple[tuple[float, float], ...]
    after: tuple[tuple[float, float], ...]

    @property
    def channel(self) -> Channel:
        """The channel that draws what fits."""
        low, high = zip(*self.after, strict=True)
        vector = len(low) > 1
        return Channel(self.path, Uniform(low if vector else low[0], high if vector else high[0]))


def fit_ranges(
    stream: SimulatedFrames, pictures: NDArray[np.uint8], frames: int = 400, batch: int = 16
) -> list[FittedRange]:
    """Return for each varied sensor value the range that fits unlabelled photographs.

    Approximate Bayesian computation with local-linear regression adjustment (Beaumont et al. 2002): for every
    photograph the tenth of the simulated frames whose `looks` are nearest is taken, their sensor values are moved along
    a weighted linear fit to the photograph's looks, and the range is the middle 95 % of these values over all
    photographs, within what was drawn. What photographs do not tell, because scenes hide it, keeps about its range.

    Args:
        stream: simulated frames at the size of the photographs.
        pictures: photographs (N, H, W, 3).
        frames: how many are drawn.
        batch: how many at a time.
    """
    worlds = stream.sampler.sample_many(stream.seed, range(_START, _START + frames))
    drawn = np.concatenate([looks(stream.draw_worlds(worlds[k : k + batch]).rgb) for k in range(0, frames, batch)])
    real = looks(pictures)
    fitted = []
    for name in FITTED:
        if f"sensor.{name}" not in stream.sampler.channels:
            continue
        values = _values(worlds, name)
        posterior = posterior_values(drawn, values, real)
        before = np.quantile(values, [_TAIL, 1 - _TAIL], axis=0).T
        after = np.quantile(posterior, [_TAIL, 1 - _TAIL], axis=0).T
        fitted.append(FittedRange(f"sensor.{name}", _pairs(before), _pairs(after)))
    return fitted


def posterior_values(
    drawn: NDArray[np.float64], values: NDArray[np.float64], real: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return values (P, K) that fit the photographs.

    Args:
        drawn: statistics (N, S) of simulated pictures.
        values: what they were drawn with, (N, K).
        real: statistics (M, S) of photographs.
    """
    scale = np.maximum(1.4826 * np.median(np.abs(drawn - np.median(drawn, axis=0)), axis=0), 1e-9)
    x, y = drawn / scale, real / scale
    low, high = values.min(axis=0), values.max(axis=0)
    count = max(drawn.shape[1] + 2, round(_ACCEPTED_SHARE * len(x)))
    found = []
    for one in y:
        distance = np.linalg.norm(x - one, axis=1)
        near = np.argsort(distance)[:count]
        reach = max(float(distance[near[-1]]), 1e-12)
        # Epanechnikov's kernel.
        weight = np.maximum(1.0 - (distance[near] / (reach * (1 + 1e-9))) ** 2, 0.0)
        design = np.column_stack([np.ones(len(near)), x[near] - one])
        gram = design.T @ (weight[:, None] * design) + _RIDGE * weight.sum() * np.diag([0.0, *np.ones(x.shape[1])])
        fit = np.linalg.solve(gram, design.T @ (weight[:, None] * values[near]))
        moved = values[near] - (x[near] - one) @ fit[1:]
        # Nearer frames say more: repeat them by weight.
        copies = np.maximum(np.rint(4 * weight / weight.max()).astype(int), 0)
        found.append(np.clip(np.repeat(moved, copies, axis=0), low, high))
    return np.concatenate(found)


def with_ranges(spec: RandomizationSpec, ranges: Sequence[FittedRange]) -> RandomizationSpec:
    """Return the spec with these sensor channels."""
    return spec.with_channels(tuple(r.channel for r in ranges))


def _values(worlds: Sequence[WorldParams], name: str) -> NDArray[np.float64]:
    return np.array([np.atleast_1d(getattr(w.sensor, name)) for w in worlds], np.float64)


def _pairs(table: NDArray[np.float64]) -> tuple[tuple[float, float], ...]:
    return tuple((float(low), float(high)) for low, high in table)
