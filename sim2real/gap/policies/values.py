"""Hidden values of a station in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from envs.standin.causes import CAUSES

# Fewer of one cause are said one by one.
_MOST = 2


def said_values(values: Mapping[str, Any], nominal: Mapping[str, Any]) -> str:
    """Return what a cause changes, such as "friction 0.5 to 0.31"; the same change of many parts is said once.

    Args:
        values: by path of the world.
        nominal: the same of the world as the rig file describes it.
    """
    found = []
    for path, value in values.items():
        text = f"{path.rsplit('.', 1)[-1]} {_said(nominal.get(path))} to {_said(value)}"
        if text not in found:
            found.append(text)
    more = len(found) - _MOST
    return "; ".join(found[:_MOST]) + (f"; and {more} more" if more > 0 else "")


def largest_causes(sizes: Mapping[str, float], hidden: Sequence[str], pictures: bool, count: int = 4) -> list[str]:
    """Return the causes of which a station has most, as a share of what one with no calibration may have.

    Args:
        sizes: of all causes.
        hidden: causes that change anything here.
        pictures: whether what changes pictures matters to the policy.
        count: of the causes.
    """
    there = [c for c in hidden if pictures or CAUSES[c].of == "moving"]
    return sorted(there, key=lambda c: -sizes[c])[:count]


def _said(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "(" + ", ".join(_said(v) for v in value) + ")"
    return f"{value:.3g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
