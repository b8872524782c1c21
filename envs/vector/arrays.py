"""Named arrays in memory that processes share."""

from __future__ import annotations

from collections.abc import Mapping
from multiprocessing.context import SpawnContext
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

# Shape and kind of each array.
Layout = Mapping[str, tuple[tuple[int, ...], str]]

# Prefixes of an observation's parts.
OBSERVED, FINAL = "observed.", "final."


class SharedArrays:
    """Arrays of one layout over one shared block without a name, so that nothing is left when the processes end.

    An object of this class can be given to a process that the same context starts.
    """

    def __init__(self, context: SpawnContext, layout: Layout) -> None:
        """Reserve the memory, zeroed."""
        self._layout = dict(layout)
        sizes = [_size(shape, kind) for shape, kind in self._layout.values()]
        self._block: Any = context.RawArray("b", sum(sizes))

    def open(self) -> dict[str, NDArray[Any]]:
        """Return the arrays."""
        found, offset = {}, 0
        for name, (shape, kind) in self._layout.items():
            count = int(np.prod(shape))
            found[name] = np.frombuffer(self._block, kind, count, offset).reshape(shape)
            offset += _size(shape, kind)
        return found


def layout_of(observation: spaces.Dict, action: spaces.Box, count: int) -> Layout:
    """Return the arrays that a vector of environments and its workers exchange."""
    layout: dict[str, tuple[tuple[int, ...], str]] = {
        "actions": ((count, *action.shape), "float32"),
        "rewards": ((count,), "float64"),
        "terminated": ((count,), "bool"),
        "truncated": ((count,), "bool"),
        "successes": ((count,), "bool"),
        "final_successes": ((count,), "bool"),
        "begun": ((count,), "bool"),
        "seeds": ((count,), "int64"),
    }
    for name, part in observation.spaces.items():
        assert part.shape is not None
        for prefix in (OBSERVED, FINAL):
            layout[prefix + name] = ((count, *part.shape), str(part.dtype))
    return layout


def _size(shape: tuple[int, ...], kind: str) -> int:
    """Return bytes, rounded up so that the next array is aligned."""
    return -(-int(np.prod(shape)) * np.dtype(kind).itemsize // 64) * 64
