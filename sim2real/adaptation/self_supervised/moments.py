"""Pairs of pictures of one world at two moments, with what moved between them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.rig import Rig
from calibration.world import WorldParams, paths, with_values
from envs.rendering.choice import RendererName
from sim2real.adaptation.image_level.picture_map import PictureMap, through
from sim2real.adaptation.self_supervised.state import Component, Floats, state_components, state_of
from sim2real.randomization import RandomizationSpec
from sim2real.stream import SimulatedFrames

# Frames of the streams that neither pretraining nor fine-tuning nor the labelled source reached.
_START = 30_000_000


@dataclass(frozen=True, eq=False)
class Moments:
    """N pairs.

    Attributes:
        first: pictures uint8 (N, H, W, 3).
        second: the same world a moment later.
        moved: (N, D), state after minus state before, in units of each component's spread; NaN where unknown.
    """

    first: NDArray[np.uint8]
    second: NDArray[np.uint8]
    moved: Floats


class SimulatedMoments:
    """Draws pairs by number: a world, and the same one with its joints and free bodies part of the way to another's."""

    def __init__(
        self,
        rig: Rig,
        specs: Sequence[RandomizationSpec],
        maps: Sequence[PictureMap],
        seed: int,
        renderer: RendererName = "auto",
    ) -> None:
        """Keep what defines the pairs; arguments as of `sim2real.adaptation.source.SourceFrames`."""
        self._streams = [SimulatedFrames(rig, spec, seed, renderer=renderer) for spec in specs]
        self._maps = tuple(maps)
        self._seed = seed
        self.components = state_components(rig)

    def worlds(self, number: int, size: int) -> tuple[list[WorldParams], list[WorldParams]]:
        """Return the worlds of batch `number` before and after."""
        stream = self._stream(number)
        first = _START + 2 * number * size
        before = stream.sampler.sample_many(self._seed, range(first, first + size))
        other = stream.sampler.sample_many(self._seed, range(first + size, first + 2 * size))
        shares = np.random.default_rng([self._seed, 9, number]).uniform(0.0, 1.0, size)
        after = [_between(a, b, float(s), self.components) for a, b, s in zip(before, other, shares, strict=True)]
        return before, after

    def batch(self, number: int, size: int) -> Moments:
        """Return batch `number` of `size` pairs; the same number gives the same pairs."""
        before, after = self.worlds(number, size)
        drawn = self._stream(number).draw_worlds([*before, *after]).rgb
        pictures = []
        for part in (drawn[:size], drawn[size:]):
            # Both pictures of a pair get the looks of the same photograph.
            pictures.append(through(self._maps, part, np.random.default_rng([self._seed, 10, number])))
        states = [np.stack([state_of(w, self.components) for w in worlds]) for worlds in (before, after)]
        return Moments(pictures[0], pictures[1], in_spreads(states[1] - states[0], self.components))

    def close(self) -> None:
        """Close the simulators; twice is fine."""
        for stream in self._streams:
            stream.close()

    def _stream(self, number: int) -> SimulatedFrames:
        return self._streams[number % len(self._streams)]


def real_moments(pictures: NDArray[np.uint8], state: Floats, components: Sequence[Component]) -> Moments:
    """Return the pairs of consecutive photographs, forwards and backwards.

    Only differences of the state are used, so that an encoder's offset does not count.

    Args:
        pictures: (N, H, W, 3), in the order of the recording.
        state: (N, D), NaN where it was not measured.
        components: of the state.

    Raises:
        ValueError: no two consecutive photographs of which anything was measured.
    """
    moved = in_spreads(np.diff(state, axis=0), components)
    known = np.flatnonzero(np.isfinite(moved).any(axis=1))
    if not len(known):
        raise ValueError(f"inverse dynamics needs two consecutive photographs with measured joints, got {len(state)}")
    before, after = pictures[known], pictures[known + 1]
    return Moments(
        np.concatenate([before, after]), np.concatenate([after, before]), np.concatenate([moved[known], -moved[known]])
    )


def in_spreads(moved: Floats, components: Sequence[Component]) -> Floats:
    """Return displacements (N, D) in units of each component's spread."""
    return np.asarray(moved / np.array([c.spread for c in components]))


def _between(world: WorldParams, other: WorldParams, share: float, components: Sequence[Component]) -> WorldParams:
    """Return the world moved a share of the way to another's state, with that one's noise."""
    start, end = paths(world), paths(other)
    values = {}
    for path in {c.path for c in components}:
        a, b = np.asarray(start[path]), np.asarray(end[path])
        value = a + share * (b - a)
        values[path] = float(value) if value.ndim == 0 else tuple(value.tolist())
    return dataclasses.replace(with_values(world, values), noise_seed=other.noise_seed)
