"""The report's figures as SVG text; the same numbers give the same bytes."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from sim2real.report_svg import COLOURS, INK, PREDICTION, TRUTH, new_axes, new_figure, page_style, to_svg

Floats = npt.NDArray[np.float64]

# Above this ratio an axis is logarithmic: on a linear one the small values would share a few pixels.
LOG_RATIO = 8.0
_MARKERS = "osD^vPX*"
_KNOWN = ("finetuned", "scratch", "camera_refit", "sim_only_aligned", "sim_only", "classical")


@dataclass(frozen=True)
class Point:
    """The error with one number of labelled frames, in the unit of the axis; None is not measured."""

    budget: float
    mean: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Line:
    """One method: `key` chooses colour and marker, `label` is what the legend says."""

    key: str
    label: str
    points: tuple[Point, ...]
    dashed: bool = False


def error_curve(lines: Sequence[Line], quantity: str, unit: str, *, narrow: bool = False) -> str:
    """Return the error against labelled frames as SVG, one line with interval bars per method.

    Args:
        lines: the methods; a method without points is left out.
        quantity: what the error is of, such as "cube position".
        unit: unit of the errors, such as "cm".
        narrow: draw for a telephone: 350 wide, the legend below.
    """
    lines = [line for line in lines if line.points]
    budgets = sorted({point.budget for line in lines for point in line.points})
    means = [point.mean for line in lines for point in line.points]
    bounds = [b for line in lines for p in line.points for b in (p.low, p.high) if b is not None]
    place, log_x = _budget_axis(budgets)
    ends = (place(budgets[0]), place(budgets[-1])) if budgets else (0.0, 1.0)
    span = ends[1] - ends[0] or 1.0
    gap = span * (0.022 if narrow else 0.018)
    labels = [textwrap.wrap(line.label, 46 if narrow else 29) or [" "] for line in lines]
    legend_pt = 16.0 * sum(map(len, labels)) + 6.0 * len(labels)
    size = (350.0, 300.0 + legend_pt) if narrow else (760.0, max(370.0, legend_pt + 50.0))
    with page_style():
        figure = new_figure(*size)
        axes = new_axes(figure, (46, 48 + legend_pt, 298, 240) if narrow else (56, 48, 470, size[1] - 62))
        slots = _slots(lines)
        handles = []
        for line in lines:
            places = []
            for point in line.points:
                # Bars at the same number of frames stand side by side.
                here = [other for other in lines if any(p.budget == point.budget for p in other.points)]
                places.append(place(point.budget) + gap * (here.index(line) - (len(here) - 1) / 2))
            handles.append(_draw_method(axes, line, slots[line.key], places))
        log_y = _scale_y(axes, means, bounds)
        axes.set_xticks([place(b) for b in budgets], [f"{b:g}" for b in budgets])
        axes.set_xlim(ends[0] - 0.08 * span, ends[1] + 0.08 * span)
        axes.set_xlabel("labelled frames" + (" (log scale)" if log_x else ""))
        axes.set_ylabel(f"mean error ({unit})" + (", log scale" if log_y else ""), parse_math=False)
        # A leading space: matplotlib leaves out labels that begin with an underscore.
        legend = figure.legend(
            handles, [" " + "\n ".join(text) for text in labels],
            loc="lower left" if narrow else "upper left",
            bbox_to_anchor=(8 / size[0], 0.0) if narrow else (542 / size[0], 0.985),
            frameon=False, borderaxespad=0.0, labelspacing=0.6, handlelength=2.2, handletextpad=0.3,
        )  # fmt: skip
        for text in legend.get_texts():
            text.set_parse_math(False)
        names = "; ".join(line.label for line in lines)
        about = f"Mean error of {quantity} in {unit} against the number of labelled frames: {names}"
        return to_svg(figure, "curve-narrow" if narrow else "curve", about)


def position_scatter(
    truth: Floats,
    predicted: Floats,
    components: tuple[str, str],
    unit: str,
    *,
    name: str,
    frame: str = "",
    also: Floats | None = None,
) -> str:
    """Return truth and prediction in the label frame as SVG, with an arrow from each truth to its prediction.

    Args:
        truth: true positions, shape (N, 2), in `unit`.
        predicted: predicted positions, shape (N, 2), in `unit`.
        components: names of the two components.
        unit: unit of both axes; the axes are drawn to one scale.
        name: prefix of the ids in the SVG, unique in the page.
        frame: name of the frame that the positions are in.
        also: further positions, shape (M, 2), that the axes hold, so that two figures get the same axes.
    """
    low, high = _limits(np.vstack([truth, predicted, *([] if also is None else [also])]))
    ratio = float((high - low)[1] / (high - low)[0])
    width, left, bottom, top = 390.0, 54.0, 46.0, 30.0
    inner = width - left - 12.0
    height = inner * min(max(ratio, 0.55), 1.15)
    # One scale for both axes: the narrower range grows to fill the box.
    grow = max((high - low)[0] / inner, (high - low)[1] / height) * np.array([inner, height]) - (high - low)
    low, high = low - grow / 2.0, high + grow / 2.0
    with page_style():
        figure = new_figure(width, height + bottom + top)
        axes = new_axes(figure, (left, bottom, inner, height))
        axes.set_xlim(float(low[0]), float(high[0]))
        axes.set_ylim(float(low[1]), float(high[1]))
        step = predicted - truth
        crowd = 0.55 if len(truth) > 60 else 0.9
        axes.quiver(
            truth[:, 0], truth[:, 1], step[:, 0], step[:, 1], angles="xy", scale_units="xy", scale=1.0,
            units="dots", width=1.1, headwidth=5.0, headlength=6.0, headaxislength=5.0, minlength=0.0,
            color=PREDICTION, alpha=crowd, zorder=3,
        )  # fmt: skip
        rings = axes.plot(*truth.T, "o", ms=7, mfc="none", mec=TRUTH, mew=1.5, zorder=4)
        dots = axes.plot(*predicted.T, "o", ms=3.4, color=PREDICTION, mew=0, alpha=crowd, zorder=5)
        where = f", {frame} frame" if frame else ""
        axes.set_xlabel(f"{components[0]} ({unit}{where})", parse_math=False)
        axes.set_ylabel(f"{components[1]} ({unit}{where})", parse_math=False)
        _legend_above(axes, [rings[0], dots[0]], ["truth", "prediction"])
        about = f"{len(truth)} true positions and predictions, {components[0]} and {components[1]} in {unit}"
        return to_svg(figure, name, about)


def agreement(truth: Floats, predicted: Floats, component: str, unit: str, *, name: str) -> str:
    """Return predictions against true values of a single component as SVG, both of shape (N,), in `unit`."""
    low, high = _limits(np.concatenate([truth, predicted])[:, None])
    ends = [float(low[0]), float(high[0])]
    with page_style():
        figure = new_figure(390.0, 370.0)
        axes = new_axes(figure, (54, 46, 324, 294))
        line = axes.plot(ends, ends, color=INK, lw=1.0, alpha=0.6)
        dots = axes.plot(truth, predicted, "o", ms=4.5, color=PREDICTION, mew=0, alpha=0.8)
        axes.set_xlim(*ends)
        axes.set_ylim(*ends)
        axes.set_xlabel(f"true {component} ({unit})", parse_math=False)
        axes.set_ylabel(f"predicted {component} ({unit})", parse_math=False)
        _legend_above(axes, [line[0], dots[0]], ["truth", "prediction"])
        return to_svg(figure, name, f"{len(truth)} predictions against true {component} in {unit}")


def loss_curves(curves: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Return training losses as SVG; each label has a list of (step, value)."""
    values = [value for curve in curves.values() for _, value in curve]
    with page_style():
        figure = new_figure(390.0, 220.0)
        axes = new_axes(figure, (54, 46, 324, 144))
        handles = [
            axes.plot(*np.asarray(curve).T, color=COLOURS[i % 8], lw=1.4, ls=("-", "--", ":")[i // 8 % 3])[0]
            for i, curve in enumerate(curves.values())
        ]
        log_y = _scale_y(axes, values, ())
        axes.set_xlabel("training step")
        axes.set_ylabel("loss" + (" (log scale)" if log_y else ""))
        _legend_above(axes, handles[:5], list(curves)[:5])
        return to_svg(figure, "loss", f"Pretraining loss against training step: {', '.join(curves)}")


def _slots(lines: Sequence[Line]) -> dict[str, int]:
    """Return the number of colour and marker for every key; known keys keep theirs in every report."""
    others = dict.fromkeys(line.key for line in lines if line.key not in _KNOWN)
    return {key: i for i, key in enumerate((*_KNOWN, *others))}


def _draw_method(axes: Axes, line: Line, slot: int, places: Sequence[float]) -> Line2D:
    """Draw one method with its interval bars at `places`; return its line."""
    colour, marker = COLOURS[slot % 8], _MARKERS[slot % 8]
    means = [point.mean for point in line.points]
    for x, point in zip(places, line.points, strict=True):
        if point.low is not None and point.high is not None:
            axes.plot([x, x], [point.low, point.high], color=colour, lw=1.5, alpha=0.7)
    if len(means) == 1:
        axes.axhline(means[0], color=colour, lw=0.9, ls=(0, (1, 3)), zorder=1)
    dashes = (0, (5, 2)) if line.dashed or slot >= 8 else "-"
    drawn = axes.plot(
        places, means, color=colour, marker=marker, ms=6.5, mew=0, lw=2.4 if line.key == "finetuned" else 1.6,
        ls=dashes if len(means) > 1 else "none", zorder=3,
    )  # fmt: skip
    return drawn[0]


def _budget_axis(budgets: Sequence[float]) -> tuple[Callable[[float], float], bool]:
    """Return where a number of frames stands on the axis, and whether the axis is logarithmic."""
    positive = [budget for budget in budgets if budget > 0]
    if not positive or positive[-1] / positive[0] <= LOG_RATIO:
        return float, False
    step = math.log(positive[-1] / positive[0]) / max(len(positive) - 1, 1)

    def place(budget: float) -> float:
        return math.log(budget / positive[0]) if budget > 0 else -step

    return place, True


def _scale_y(axes: Axes, values: Sequence[float], bounds: Sequence[float]) -> bool:
    """Start the vertical axis at 0, or make it logarithmic if `values` span too much; return which."""
    everything = [*values, *bounds]
    low, high = min(everything, default=0.0), max(everything, default=1.0)
    if not values or min(values) <= 0.0 or max(values) / min(values) <= LOG_RATIO:
        axes.set_ylim(min(low * 1.08, 0.0), (high if high > 0.0 else 1.0) * 1.08)
        return False
    low = min(value for value in everything if value > 0.0) / 1.15
    high *= 1.15
    axes.set_yscale("log")
    steps = (1, 2, 5) if high / low < 1e3 else (1,)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [step * 10.0**decade for decade in decades for step in steps]
    ticks = [tick for tick in ticks if low <= tick <= high]
    # Plain numbers: an error of "10 to the power 0" is hard to read.
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_yticks([], minor=True)
    axes.set_ylim(low, high)
    return True


def _limits(points: Floats) -> tuple[Floats, Floats]:
    """Return the lowest and highest corner of `points` (N, D) with a margin, never an empty range."""
    low, high = points.min(axis=0), points.max(axis=0)
    largest = float((high - low).max()) or 1.0
    margin = np.maximum(0.06 * (high - low), 0.05 * largest)
    return low - margin, high + margin


def _legend_above(axes: Axes, handles: Sequence[Line2D], labels: Sequence[str]) -> None:
    legend = axes.legend(
        handles, [" " + label for label in labels], loc="lower left", bbox_to_anchor=(0.0, 1.0),
        ncols=len(labels) or 1, frameon=False, borderaxespad=0.2, handletextpad=0.2, columnspacing=1.4,
        handlelength=1.4,
    )  # fmt: skip
    for text in legend.get_texts():
        text.set_parse_math(False)
