"""Plots of residuals, with axes and units."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim2real.calibrate.page import Plot
from sim2real.report_svg import COLOURS, new_axes, new_figure, page_style, to_svg

Float = NDArray[np.float64]


def scatter(residuals: Float, name: str, caption: str) -> Plot:
    """Return residuals (N, 2), pixels, around zero, with the ellipse's radii of one standard deviation."""
    with page_style():
        figure = new_figure(360, 320)
        axes = new_axes(figure, (52, 44, 290, 262))
        axes.plot(residuals[:, 0], residuals[:, 1], ".", ms=3, color=COLOURS[0], alpha=0.5)
        reach = max(float(np.quantile(np.abs(residuals), 0.995)), 0.1) * 1.2
        axes.set_xlim(-reach, reach)
        axes.set_ylim(reach, -reach)
        axes.set_xlabel("residual x, px")
        axes.set_ylabel("residual y, px")
        return Plot(to_svg(figure, name, caption), caption)


def bars(
    names: Sequence[str], values: Sequence[float], left_out: Sequence[str], unit: str, name: str, caption: str
) -> Plot:
    """Return a bar for each view; those that were left out in another colour."""
    with page_style():
        figure = new_figure(max(360, 24 * len(names)), 320)
        width = max(360, 24 * len(names))
        axes = new_axes(figure, (52, 84, width - 70, 222))
        colours = [COLOURS[1] if n in left_out else COLOURS[0] for n in names]
        axes.bar(range(len(names)), list(values), color=colours)
        axes.set_xticks(range(len(names)), [n.rsplit("/", 1)[-1] for n in names], rotation=90)
        axes.set_ylabel(unit)
        if max(values, default=0.0) > 20 * max(float(np.median(list(values))), 1e-9):
            axes.set_yscale("log")
        return Plot(to_svg(figure, name, caption), caption)


def coverage(points: Float, size_px: tuple[int, int], name: str, caption: str) -> Plot:
    """Return where in the picture the points (N, 2) were."""
    with page_style():
        figure = new_figure(360, 300)
        axes = new_axes(figure, (52, 44, 290, 242))
        axes.plot(points[:, 0], points[:, 1], ".", ms=2, color=COLOURS[2], alpha=0.6)
        axes.set_xlim(0, size_px[0])
        axes.set_ylim(size_px[1], 0)
        axes.set_xlabel("x in the picture, px")
        axes.set_ylabel("y in the picture, px")
        return Plot(to_svg(figure, name, caption), caption)


def curves(x: Float, lines: Sequence[tuple[str, Float]], labels: tuple[str, str], name: str, caption: str) -> Plot:
    """Return named lines over x."""
    with page_style():
        figure = new_figure(560, 300)
        axes = new_axes(figure, (62, 44, 480, 242))
        for k, (label, y) in enumerate(lines):
            axes.plot(x, y, lw=1.2, color=COLOURS[k % len(COLOURS)], label=label)
        axes.set_xlabel(labels[0])
        axes.set_ylabel(labels[1])
        axes.legend(frameon=False, fontsize=10)
        return Plot(to_svg(figure, name, caption), caption)
