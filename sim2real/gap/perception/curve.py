"""The learning curve as SVG: error against labelled frames on a logarithmic axis, measured and forecast."""

from __future__ import annotations

from typing import Any

from matplotlib.ticker import NullFormatter

from calibration.estimate import Estimate
from sim2real.gap.perception.learning import Learning
from sim2real.report_svg import INK, new_axes, new_figure, page_style, to_svg

_SIZE_PT = (360.0, 310.0)
_BOX_PT = (48.0, 100.0, 304.0, 200.0)


def learning_svg(curve: Learning, start_m: float, unit: str, scale: float) -> str:
    """Return the curve as an SVG element; what is measured is filled, what is forecast hollow and dashed.

    Args:
        curve: with one point or more.
        start_m: error before any label, metres, a dotted line.
        unit: that people read.
        scale: from metres to it.
    """
    measured = [(p.labelled, p.error) for p in curve.points]
    ahead = [(a.labelled, a.error) for a in curve.ahead]
    numbers = [k for k, _ in (*measured, *ahead)]
    with page_style():
        figure = new_figure(*_SIZE_PT)
        axes = new_axes(figure, _BOX_PT)
        axes.set_xscale("log")
        line = axes.axhline(scale * start_m, color=INK, lw=1.2, ls=":")
        joined = [measured[-1], *ahead]
        axes.plot([k for k, _ in measured], [scale * e.value for _, e in measured], color=INK, lw=1.6)
        axes.plot([k for k, _ in joined], [scale * e.value for _, e in joined], color=INK, lw=1.2, ls=(0, (4, 3)))
        handles: list[Any] = []
        for points, fill, marker in ((measured, INK, "o"), (ahead, "none", "D")):
            bars = axes.errorbar(
                [k for k, _ in points],
                [scale * e.value for _, e in points],
                yerr=[
                    [scale * (e.value - e.low) for _, e in points],
                    [scale * (e.high - e.value) for _, e in points],
                ],
                fmt=marker, ms=7.0, mfc=fill, mec=INK, mew=1.4, ecolor=INK, elinewidth=1.2, capsize=4.0,
            )  # fmt: skip
            if points is ahead:
                bars[2][0].set_linestyle((0, (4, 3)))
            handles.append(bars)
        axes.set_xticks(numbers, [f"{k:g}" for k in numbers])
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.tick_params(axis="x", which="minor", length=0)
        axes.set_xlim(min(numbers) / 1.4, max(numbers) * 1.4)
        axes.set_ylim(bottom=0.0)
        axes.set_xlabel("labelled frames (log scale)")
        axes.set_ylabel(f"mean error ({unit})")
        figure.legend(
            [handles[0], handles[1], line],
            ["measured, 95 % interval", "forecast, 80 % prediction interval", "simulation only"],
            loc="lower left", bbox_to_anchor=(0.02, 0.0), frameon=False, handletextpad=0.5,
        )  # fmt: skip
        return to_svg(
            figure, "learning", f"Mean error in {unit} against labelled frames: {_said(measured, ahead, scale)}"
        )


def _said(measured: list[tuple[int, Estimate]], ahead: list[tuple[int, Estimate]], scale: float) -> str:
    parts = [
        f"{'measured' if points is measured else 'forecast'} {scale * e.value:.2f} at {k}"
        for points in (measured, ahead)
        for k, e in points
    ]
    return "; ".join(parts)
