"""Labelled simulated frames for adaptation: from one or several streams, through image-level methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from calibration.rig import Rig
from envs.rendering.choice import RendererName
from sim2real.adaptation.image_level.picture_map import PictureMap, through
from sim2real.randomization import RandomizationSpec
from sim2real.stream import Batch, SimulatedFrames

# Frames of the streams that neither pretraining nor fine-tuning reached.
_START = 20_000_000


class Source(Protocol):
    """Labelled simulated frames by number."""

    def batch(self, number: int, size: int) -> Batch:
        """Return batch `number` of `size` frames; the same number gives the same frames."""

    def close(self) -> None:
        """Release what drew them; twice is fine."""


class SourceFrames:
    """Draws batches by number; a batch takes equal parts from each stream."""

    def __init__(
        self,
        rig: Rig,
        specs: Sequence[RandomizationSpec],
        maps: Sequence[PictureMap],
        seed: int,
        renderer: RendererName = "auto",
    ) -> None:
        """Keep what defines the frames.

        Args:
            rig: the station.
            specs: what varies, one a stream.
            maps: image-level methods that every picture goes through.
            seed: of frames and maps.
            renderer: what draws them.
        """
        self._streams = [SimulatedFrames(rig, spec, seed, renderer=renderer) for spec in specs]
        self._maps = tuple(maps)
        self._seed = seed

    def batch(self, number: int, size: int) -> Batch:
        """Return batch `number` of `size` frames; the same number gives the same frames."""
        first = _START + number * size
        edges = np.linspace(0, size, len(self._streams) + 1).round().astype(int)
        parts = [
            stream.draw(range(first + low, first + high))
            for stream, low, high in zip(self._streams, edges[:-1], edges[1:], strict=True)
            if high > low
        ]
        batch = Batch.joined(parts)
        rng = np.random.default_rng([self._seed, 5, number])
        return replace(batch, rgb=through(self._maps, batch.rgb, rng))

    def close(self) -> None:
        """Close the simulators; twice is fine."""
        for stream in self._streams:
            stream.close()


class WeightedFrames:
    """Draws batches from a pool of frames, each as often as its weight says."""

    def __init__(self, pool: Batch, weights: NDArray[np.float64], seed: int) -> None:
        """Keep the pool.

        Args:
            pool: N frames.
            weights: (N,), 0 or more.
            seed: of the draws.
        """
        self._pool, self._share, self._seed = pool, weights / weights.sum(), seed

    def batch(self, number: int, size: int) -> Batch:
        """Return batch `number` of `size` frames; the same number gives the same frames."""
        rng = np.random.default_rng([self._seed, 7, number])
        return self._pool.take(rng.choice(len(self._share), size=size, p=self._share))

    def close(self) -> None:
        """Do nothing: the frames are drawn already."""
