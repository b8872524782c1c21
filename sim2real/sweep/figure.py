"""The figure of a comparison: error against labelled frames, a line for each method that used some."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sim2real.figures import Line, Point, error_curve
from sim2real.sweep.table import SCRATCH

_MOST_LINES = 8


def budget_figure(rows: Sequence[dict[str, Any]], quantity: str, unit: str, scale: float) -> str:
    """Return the mean error with its interval against labelled frames as SVG.

    A line is a chain with a strategy, and begins at what the chain alone reaches without labels; one from scratch has
    no such beginning. Of more than eight lines those that end lowest are drawn.

    Args:
        rows: of `rows_of`.
        quantity: what the error is of.
        unit: of the errors.
        scale: of that unit: how many make a metre.
    """
    scored = [row for row in rows if "mean" in row]
    lines = []
    for name, camera, strategy in sorted({(r["chain"], r["camera"], r["strategy"]) for r in scored if r["budget"]}):
        with_labels = [
            r for r in scored if r["budget"] and (r["chain"], r["camera"], r["strategy"]) == (name, camera, strategy)
        ]
        without = [r for r in scored if not r["budget"] and (r["chain"], r["camera"]) == (name, camera)]
        drawn = sorted(([] if strategy == SCRATCH else without) + with_labels, key=lambda r: int(r["budget"]))
        label = strategy if name == "none" else f"{name}, {strategy}"
        label += "" if camera == "aligned" else f" (camera {camera})"
        lines.append(Line(f"{name} {camera} {strategy}", label, tuple(_point(row, scale) for row in drawn)))
    lines.sort(key=lambda line: line.points[-1].mean)
    return error_curve(lines[:_MOST_LINES], quantity, unit)


def _point(row: dict[str, Any], scale: float) -> Point:
    return Point(row["budget"], scale * row["mean"], *(scale * bound for bound in row["interval"] or ()))
