"""Scatter plots of policies and curves of robustness, as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from envs.standin.station import NAME
from sim2real.gap.policies.curves import Curve
from sim2real.report_svg import COLOURS, INK, new_axes, new_figure, page_style, to_svg

_SIZE_PT, _INNER_PT = (300, 278), (48, 42, 238, 222)
_CURVE_PT, _CURVE_INNER_PT = (260, 190), (46, 40, 204, 138)


@dataclass(frozen=True)
class Spot:
    """A policy in a scatter plot: rates from 0 to 1 as (value, low, high)."""

    source: tuple[float, float, float]
    target: tuple[float, float, float]


def scatter(spots: Sequence[Spot], name: str, about: str) -> str:
    """Return success in the held-out simulation over success in the source, one numbered spot a policy."""
    with page_style():
        figure = new_figure(*_SIZE_PT)
        _draw_spots(new_axes(figure, _INNER_PT), spots)
        return to_svg(figure, name, about)


def scatter_sheet(rows: Mapping[str, Mapping[str, Sequence[Spot]]], name: str, about: str) -> str:
    """Return many scatter plots: a row a source, a column a place, by their names."""
    (width, height), (left, bottom, *inner) = _SIZE_PT, _INNER_PT
    columns, title = max(map(len, rows.values())), 22
    with page_style():
        figure = new_figure(columns * width, len(rows) * (height + title))
        for number, (source, places) in enumerate(rows.items()):
            floor = (len(rows) - 1 - number) * (height + title)
            for k, (place, spots) in enumerate(places.items()):
                axes = new_axes(figure, (k * width + left, floor + bottom, inner[0], inner[1]))
                _draw_spots(axes, spots)
                axes.set_title(f"{place}; source {source}" if k == 0 else place, fontsize=10.5, loc="left")
        return to_svg(figure, name, about)


def _draw_spots(axes: Axes, spots: Sequence[Spot]) -> None:
    axes.plot([0, 100], [0, 100], color=INK, lw=0.8, ls=(0, (4, 3)), alpha=0.5)
    for number, spot in enumerate(spots):
        (x, *across), (y, *up) = ([100 * v for v in side] for side in (spot.source, spot.target))
        style: dict[str, Any] = {"color": COLOURS[number % len(COLOURS)], "lw": 1.0, "alpha": 0.6}
        axes.plot(across, [y, y], **style)
        axes.plot([x, x], up, **style)
        axes.plot([x], [y], "o", ms=5, color=style["color"])
        left = x > 90
        axes.annotate(
            str(number + 1), (x, y), (-7 if left else 5, 5), textcoords="offset points",
            ha="right" if left else "left", fontsize=9.5, fontweight="bold", color=style["color"],
        )  # fmt: skip
    _shares(axes, "x")
    _shares(axes, "y")
    axes.set_xlabel("success in the source, %")
    axes.set_ylabel(f"in the {NAME}, %")


def robustness(curve: Curve, name: str, about: str) -> str:
    """Return success over the size of a cause, with a band of Wilson's intervals."""
    size = np.array([p.size for p in curve.points])
    rate, low, high = (100 * np.array([getattr(p.rate, k) for p in curve.points]) for k in ("value", "low", "high"))
    with page_style():
        figure = new_figure(*_CURVE_PT)
        axes = new_axes(figure, _CURVE_INNER_PT)
        axes.fill_between(size, low, high, color=COLOURS[0], alpha=0.2, lw=0)
        axes.plot(size, rate, "o-", ms=4, lw=1.4, color=COLOURS[0])
        axes.set_xlim(-0.03, 1.03)
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "", "0.5", "", "1"])
        _shares(axes, "y")
        axes.set_xlabel(f"size of {curve.cause}")
        axes.set_ylabel("success, %")
        return to_svg(figure, name, about)


def _shares(axes: Axes, which: str) -> None:
    limits, ticks = (axes.set_xlim, axes.set_xticks) if which == "x" else (axes.set_ylim, axes.set_yticks)
    limits(-3, 103)
    ticks([0, 25, 50, 75, 100])
