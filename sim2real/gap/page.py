"""The page of a gap: verdict and next steps first, then numbers, pictures and how they were obtained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from calibration.records import write_text
from sim2real.gap.perception.curve import learning_svg
from sim2real.gap.perception.parts import Drawings
from sim2real.gap.twins import Picture, Twin
from sim2real.report_images import encode

_TEMPLATES = Path(__file__).parents[1] / "templates"
_MOST_TWINS = 12
_TILE_PX = 240


class Shown:
    """Formats of numbers on the page, in the unit that people read."""

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self.scale = {"m": 1.0, "cm": 100.0, "mm": 1000.0}[unit]

    def metres(self, value: float | None, sign: bool = False) -> str:
        """Return a length without its unit; a dash where there is none."""
        return "–" if value is None else f"{self.scale * value:{'+' if sign else ''}.2f}"

    def interval(self, pair: Sequence[float] | None, sign: bool = False) -> str:
        """Return an interval in brackets, nothing where there is none."""
        return "" if pair is None else f"[{self.metres(pair[0], sign)}, {self.metres(pair[1], sign)}]"

    def estimate(self, value: Mapping[str, Any], sign: bool = False) -> str:
        """Return an estimate with its interval."""
        return f"{self.metres(value['value'], sign)} {self.interval((value['low'], value['high']), sign)}"


def verdict(result: Mapping[str, Any]) -> str:
    """Return the gap in one sentence."""
    shown, best = Shown(result["display_unit"]), min(result["rows"], key=lambda r: float(r["mean"]))
    own, first = result["simulation"], result["rows"][0]
    text = (
        f"{shown.metres(first['mean'])} {shown.unit} {shown.interval(first['interval'])} on {first['frames']} "
        f"{result['target']}{' frames' if 'simulation' in result['target'] else ''} against "
        f"{shown.metres(own['mean'])} {shown.unit} {shown.interval(own['interval'])} on simulation"
    )
    if best is not first:
        text += f"; with {best['name']} ({best['selection']}) {shown.metres(best['mean'])} {shown.unit} "
        text += shown.interval(best["interval"])
    return text + "."


def write_page(result: Mapping[str, Any], pairs: Sequence[Twin], out: Path, drawings: Drawings) -> Path:
    """Write the page, which loads nothing, and return its path.

    Args:
        result: what gap.json holds.
        pairs: twins, the one that disagrees most first.
        out: file.
        drawings: of labels and neighbours, in the order of the result.
    """
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    attribution = result["attribution"]
    values = [float(s["explained"]["value"]) for s in attribution["shares"]] if attribution else []
    widest = max(values, default=0.0) or max(map(abs, values), default=0.0)
    tiles = [
        {
            "file": t.file,
            "disagreement": t.disagreement,
            "edges": t.edges,
            "error": next(x["error"] for x in result["twins"] if x["file"] == t.file),
            "pictures": [
                (name, _encoded(p))
                for name, p in (("photograph", t.real), ("drawn", t.drawn), ("difference", t.difference))
            ],
        }
        for t in pairs[:_MOST_TWINS]
    ]
    shown = Shown(result["display_unit"])
    text = environment.get_template("gap.html.j2").render(
        result=result,
        shown=shown,
        verdict=verdict(result),
        widest=widest or 1.0,
        tiles=tiles,
        curve=_curve(drawings, result["rows"][0]["mean"], shown),
        near=[[None if p is None else _encoded(p) for p in row] for row in drawings.neighbours],
        picks=[_encoded(p) for p in drawings.picks],
    )
    write_text(out, text)
    return out


def _curve(drawings: Drawings, start_m: float, shown: Shown) -> Markup:
    """Return the learning curve as SVG, nothing where no model saw labels."""
    if drawings.curve is None:
        return Markup()
    return Markup(learning_svg(drawings.curve, start_m, shown.unit, shown.scale))


def _encoded(picture: Picture) -> Any:
    return encode(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), _TILE_PX)
