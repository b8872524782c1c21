"""Hidden values of a station in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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


def _said(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "(" + ", ".join(_said(v) for v in value) + ")"
    return f"{value:.3g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
