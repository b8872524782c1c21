"""Matplotlib figures as SVG for a page: text stays text, and colours follow light and dark."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from io import StringIO

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# A figure is drawn in this colour; the page's text colour takes its place, so that it follows dark mode.
INK = "#010203"
TRUTH, PREDICTION = "#0068a8", "#b0177f"
# Colours after Okabe and Ito (2008), darkened where they were too light for lines on white. A page overrides
# them with the variables --c0 ... --c7, --truth and --prediction; without a page the colours below hold.
COLOURS = ("#0072b2", "#d55e00", "#00835f", "#a8518a", "#9c6a00", "#5f6b76", "#2f8fc6", "#7a5195")
_VARIABLES = {
    INK: "currentColor",
    TRUTH: f"var(--truth, {TRUTH})",
    PREDICTION: f"var(--prediction, {PREDICTION})",
    **{colour: f"var(--c{i}, {colour})" for i, colour in enumerate(COLOURS)},
}
_FAMILY = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_PT_PER_INCH = 72.0


@contextmanager
def page_style() -> Iterator[None]:
    """Draw with matplotlib's defaults and ours; the user's own settings are back at the end."""
    ours = {
        "svg.fonttype": "none", "svg.hashsalt": "sim2real", "font.size": 11.0, "axes.labelsize": 11.0,
        "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": INK, "xtick.color": INK,
        "ytick.color": INK, "axes.linewidth": 0.8, "xtick.major.width": 0.8, "ytick.major.width": 0.8,
    }  # fmt: skip
    with warnings.catch_warnings(), style.context(["default", ours]):
        # The browser has the glyphs that matplotlib's own font lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def new_figure(width_pt: float, height_pt: float) -> Figure:
    """Return an empty figure without a background; 1 point is 1 unit of the SVG."""
    figure = Figure(figsize=(width_pt / _PT_PER_INCH, height_pt / _PT_PER_INCH), dpi=_PT_PER_INCH)
    figure.patch.set_visible(False)
    return figure


def new_axes(figure: Figure, box_pt: tuple[float, float, float, float]) -> Axes:
    """Return axes at (left, bottom, width, height) in points, with a faint grid and no box."""
    width, height = figure.get_size_inches() * _PT_PER_INCH
    left, bottom, inner_width, inner_height = box_pt
    axes = figure.add_axes((left / width, bottom / height, inner_width / width, inner_height / height))
    axes.patch.set_visible(False)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=INK, alpha=0.13, lw=0.8)
    axes.set_axisbelow(True)
    return axes


def to_svg(figure: Figure, name: str, about: str) -> str:
    """Return the figure as an SVG element for an HTML page.

    Every id begins with `name`, because all figures of a page share one space of ids. Width and height are
    left out so that the page decides them; 1 unit of the view box is 1 point.

    Args:
        figure: drawn inside `page_style`.
        name: unique in the page.
        about: what a screen reader says in place of the picture.
    """
    out = StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = out.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    # Matplotlib's style element holds a rule for "*", which would reach the whole page.
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>\s*", "", svg, count=1, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r"url\(#", f"url(#{name}-", svg)
    svg = re.sub(r'(?:xlink:)?href="#', f'href="#{name}-', svg)
    svg = re.sub(r"'DejaVu Sans'[^;\"]*", _FAMILY, svg)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, variable)
    view_box = re.search(r'viewBox="[^"]*"', svg)
    assert view_box is not None, "matplotlib writes a viewBox"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="plot {escape(name)}" {view_box[0]} role="img" '
        f'aria-label="{escape(about)}" style="stroke-linejoin: round; stroke-linecap: butt">'
    )
    return head + svg[svg.index(">") + 1 :].strip()
