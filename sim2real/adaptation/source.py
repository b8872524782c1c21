"""Labelled simulated frames for adaptation: from one or several streams, through image-level methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from calibration.rig import Rig
from envs.rendering.choice import RendererName
from sim2real.adaptation.image_level.picture_map import PictureMap, through
from sim2real.randomization import RandomizationSpec
from sim2real.stream import Batch, SimulatedFrames

# Frames of the streams that neither pretraining nor fine-tuning reached.
_START = 20_000_000


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
