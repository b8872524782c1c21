"""Columns of drawn values: every path's draws, for many worlds at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sim2real.correlation import correlated
from sim2real.distributions import Distribution, Uniform
from sim2real.philox import stream_keys, uniforms

How = Literal["set", "add", "scale"]
Float = NDArray[np.float64]

# A number far behind those of a stream's elements decides whether a switch is drawn at less than full strength.
_KEEP_BLOCK = 1 << 16


@dataclass(frozen=True)
class Stream:
    """One stream of draws.

    Attributes:
        name: its key; no other stream with this name, or both draw the same.
        distribution: what is drawn.
        how: how it is combined with the nominal value.
        nominal: elements of the nominal value.
        paths: what is set: one path of a vector or scalar, or one path for each element.
    """

    name: str
    distribution: Distribution
    how: How
    nominal: tuple[Any, ...]
    paths: tuple[str, ...]
    scalar: bool


@dataclass(frozen=True, eq=False)
class Group:
    """Correlated elements: the stream's name, the Cholesky factor (M, M), and (stream, element) of each row."""

    name: str
    factor: Float
    members: tuple[tuple[int, int], ...]


@dataclass
class _Batch:
    """Streams that are drawn in one call: alike in all but name and nominal value."""

    streams: list[int] = field(default_factory=list)
    nominal: Any = None
    rows: slice = field(default_factory=lambda: slice(0))


class Draws:
    """Draws of several streams; a value depends on its stream's name, seed, index and slot alone."""

    def __init__(self, streams: Sequence[Stream], groups: Sequence[Group] = ()) -> None:
        """Lay out the streams so that equal ones are drawn together."""
        self._streams = list(streams)
        self._groups = list(groups)
        self._place: dict[int, tuple[_Batch, int]] = {}
        batches: dict[Any, _Batch] = {}
        for k, stream in enumerate(self._streams):
            kind = type(stream.nominal[0])
            key = (stream.distribution, type(stream.distribution), stream.how, kind, len(stream.nominal), stream.scalar)
            batches.setdefault(key, _Batch()).streams.append(k)
        self._batches = list(batches.values())
        names: list[str] = []
        blocks: list[int] = []
        for batch in self._batches:
            start = len(names)
            count = (len(self._streams[batch.streams[0]].nominal) + 1) // 2
            for row, k in enumerate(batch.streams):
                self._place[k] = (batch, row)
                names += [self._streams[k].name] * count
                blocks += range(count)
            batch.rows = slice(start, len(names))
            batch.nominal = np.array([self._streams[k].nominal for k in batch.streams])[:, None, :]
        self._group_rows = []
        for group in self._groups:
            count = (len(group.members) + 1) // 2
            self._group_rows.append(slice(len(names), len(names) + count))
            names += [group.name] * count
            blocks += range(count)
        self._names = names
        self._blocks = np.array(blocks, np.uint64)
        self._keys: dict[int, NDArray[np.uint64]] = {}

    def columns(
        self, seed: int, indices: NDArray[np.uint64], slots: NDArray[np.uint64], strength: Float | float = 1.0
    ) -> dict[str, Sequence[Any]]:
        """Return the values of every path, one for each index.

        Args:
            seed: any integer.
            indices: (N,), number of the world.
            slots: (N,), number of the redraw within it.
            strength: 1 for the draw, 0 for the nominal value, in between for part of the way; or (N,). A switch or a
                name is drawn with this probability.
        """
        if not self._streams:
            return {}
        keys = self._stream_keys(seed)
        pairs = uniforms(keys, self._blocks, indices, slots)
        numbers = {id(batch): self._elements(batch, pairs) for batch in self._batches}
        for group, rows in zip(self._groups, self._group_rows, strict=True):
            independent = pairs[rows].transpose(0, 2, 1).reshape(-1, len(indices))[: len(group.members)]
            for (k, element), u in zip(group.members, correlated(independent, group.factor), strict=True):
                batch, row = self._place[k]
                numbers[id(batch)][row, :, element] = u
        weak = None if np.all(np.asarray(strength) == 1.0) else np.broadcast_to(np.asarray(strength), indices.shape)
        columns: dict[str, Sequence[Any]] = {}
        for batch in self._batches:
            values = self._values(batch, numbers[id(batch)])
            if weak is not None:
                firsts = keys[batch.rows][:: (values.shape[2] + 1) // 2]
                keep = uniforms(firsts, np.full(len(firsts), _KEEP_BLOCK, np.uint64), indices, slots)[..., 0]
                values = self._weakened(batch, values, weak, keep)
            self._put(batch, values, columns)
        return columns

    def _stream_keys(self, seed: int) -> NDArray[np.uint64]:
        if seed not in self._keys:
            self._keys = {seed: stream_keys(self._names, seed)}
        return self._keys[seed]

    def _elements(self, batch: _Batch, pairs: Float) -> Float:
        """Return the uniform numbers (P, N, K) of a batch from its pairs (P * blocks, N, 2)."""
        rows = pairs[batch.rows]
        count, width = len(batch.streams), len(self._streams[batch.streams[0]].nominal)
        if width == 1:
            return rows[:, :, :1]
        split = rows.reshape(count, -1, rows.shape[1], 2).transpose(0, 2, 1, 3)
        return np.ascontiguousarray(split.reshape(count, rows.shape[1], -1)[..., :width])

    def _values(self, batch: _Batch, u: Float) -> NDArray[Any]:
        first = self._streams[batch.streams[0]]
        drawn = first.distribution.quantile(u)
        if first.how == "add":
            return np.asarray(batch.nominal + drawn)
        if first.how == "scale":
            return np.asarray(batch.nominal * drawn)
        return drawn

    def _weakened(self, batch: _Batch, values: NDArray[Any], strength: Float, keep: Float) -> NDArray[Any]:
        first = self._streams[batch.streams[0]]
        if not isinstance(first.nominal[0], float):
            return np.asarray(np.where((keep < strength)[..., None], values, batch.nominal.astype(object)), object)
        part = batch.nominal + strength[:, None] * (values - batch.nominal)
        step = first.distribution.step if isinstance(first.distribution, Uniform) and first.how == "set" else 0.0
        stepped = np.round(part / step) * step if step else part
        return np.asarray(np.where(strength[:, None] == 0.0, batch.nominal, stepped))

    def _put(self, batch: _Batch, values: NDArray[Any], columns: dict[str, Sequence[Any]]) -> None:
        first = self._streams[batch.streams[0]]
        if first.scalar:
            for element in range(values.shape[2]):
                for k, column in zip(batch.streams, values[:, :, element].tolist(), strict=True):
                    columns[self._streams[k].paths[element]] = column
        else:
            for row, k in enumerate(batch.streams):
                elements = values[row].T.tolist()
                columns[self._streams[k].paths[0]] = list(zip(*elements, strict=True))
