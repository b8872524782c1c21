"""Many worlds at once from columns of values, one column a path."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any

from calibration.world import WorldParams

Column = Sequence[Any]


def worlds_from_columns(nominal: WorldParams, columns: Mapping[str, Column], seeds: Sequence[int]) -> list[WorldParams]:
    """Return one world for each noise seed: the nominal one with the values of the columns, each as long as `seeds`.

    It does what `calibration.world.with_values` does to each world, thirty times faster: bodies are made by column, and
    what does not vary is shared.
    """
    by_owner: dict[str, dict[str, Column]] = {}
    for path, column in columns.items():
        owner, _, field = path.rpartition(".")
        by_owner.setdefault(owner, {})[field] = column
    parts: list[Iterable[Any]] = []
    for f in dataclasses.fields(nominal):
        value = getattr(nominal, f.name)
        if f.name == "noise_seed":
            parts.append(seeds)
        elif not isinstance(value, tuple):
            parts.append(_items(value, by_owner.get(f.name)))
        elif any(f"{f.name}.{item.name}" in by_owner for item in value):
            items = [_items(item, by_owner.get(f"{f.name}.{item.name}")) for item in value]
            parts.append(zip(*items, strict=False))
        else:
            parts.append(repeat(value))
    return list(map(WorldParams, *parts))


def _items(nominal: Any, varied: Mapping[str, Column] | None) -> Iterable[Any]:
    """Return the item once for each row of its columns, or without end when it has none."""
    if varied is None:
        return repeat(nominal)
    columns = [
        varied[f.name] if f.name in varied else repeat(getattr(nominal, f.name)) for f in dataclasses.fields(nominal)
    ]
    return map(type(nominal), *columns)
