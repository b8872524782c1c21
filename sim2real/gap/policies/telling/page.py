"""The page about policies: verdict and next steps first, then numbers, plots, film strips and the protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from calibration.records import write_text
from sim2real.gap.policies.curves import Curve
from sim2real.gap.policies.playing.strips import Strip
from sim2real.gap.policies.telling.moving import moving_url
from sim2real.gap.policies.telling.plots import Spot, robustness, scatter
from sim2real.gap.policies.telling.values import said_values
from sim2real.gap.policies.telling.verdict import said
from sim2real.report_images import encode

_TEMPLATES = Path(__file__).parents[3] / "templates"
_TILE_PX, _MOVING_PX = 200, 320


class Shown:
    """Formats of numbers on the page."""

    def __init__(self, nominal: Mapping[str, Any]) -> None:
        self.nominal = nominal

    def rate(self, share: Mapping[str, Any]) -> str:
        """Return a rate with its interval, per cent."""
        return said(share)

    def points(self, estimate: Mapping[str, Any] | Sequence[float]) -> str:
        """Return a difference of rates with its interval, in points of per cent, with signs."""
        three = [estimate[k] for k in ("value", "low", "high")] if isinstance(estimate, Mapping) else list(estimate)
        value, low, high = (f"{100 * v:+.0f}".replace("-0", "0").replace("+0", "0") for v in three)
        return f"{value} [{low}, {high}]"

    def cost(self, points: Sequence[float]) -> str:
        """Return what something costs with its interval, in points of per cent."""
        value, low, high = (f"{100 * v:.0f}".replace("-0", "0") for v in points)
        return f"{value} points [{low}, {high}]"

    def number(self, estimate: Mapping[str, Any] | None, digits: int = 1) -> str:
        """Return an estimate with its interval; a dash where there is none."""
        if estimate is None:
            return "–"
        value, low, high = (f"{estimate[k]:.{digits}f}" for k in ("value", "low", "high"))
        return f"{value} [{low}, {high}]"

    def values(self, values: Mapping[str, Any]) -> str:
        """Return hidden values beside the nominal ones."""
        return said_values(values, self.nominal)


def write_page(result: Mapping[str, Any], curves: Sequence[Curve], strips: Sequence[Strip], out: Path) -> Path:
    """Write the page, which loads nothing, and return its path.

    Args:
        result: what `policy_gap.json` holds.
        curves: of the first policy.
        strips: of the first policy at its worst station.
        out: file.
    """
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shown = Shown(result["nominal"])
    text = environment.get_template("policy_gap.html.j2").render(
        result=result,
        shown=shown,
        scatters=_scatters(result) if result["agreement"] else [],
        curves=[_curve(c, k, shown) for k, c in enumerate(curves)],
        strips=[_strip(s) for s in strips],
    )
    write_text(out, text)
    return out


def _scatters(result: Mapping[str, Any]) -> list[tuple[str, Markup]]:
    """Return a panel for all stations and one for each."""
    rows = result["policies"]
    sides = [("all stations", [r["target"]["success"] for r in rows])]
    sides += [(s["station"], [r["stations"][k]["success"] for r in rows]) for k, s in enumerate(result["stations"])]
    found = []
    for number, (name, rates) in enumerate(sides):
        spots = [Spot(_three(r["source"]["success"]), _three(rate)) for r, rate in zip(rows, rates, strict=True)]
        about = f"{name}: " + "; ".join(
            f"{r['name']} {100 * s.source[0]:.0f} % in the source and {100 * s.target[0]:.0f} % there"
            for r, s in zip(rows, spots, strict=True)
        )
        found.append((name, Markup(scatter(spots, f"scatter{number}", about))))
    return found


def _curve(curve: Curve, number: int, shown: Shown) -> dict[str, Any]:
    about = f"Success against the size of {curve.cause}: " + "; ".join(
        f"{p.size:g}: {100 * p.rate.value:.0f} %" for p in curve.points
    )
    return {
        "svg": Markup(robustness(curve, f"curve{number}", about)),
        "cause": curve.cause,
        "values": shown.values(curve.values),
    }


def _strip(strip: Strip) -> dict[str, Any]:
    nearest = min(range(len(strip.distances_m)), key=lambda k: strip.distances_m[k])
    return {
        "strip": strip,
        "nearest_step": nearest,
        "nearest_m": strip.distances_m[nearest],
        "moving": moving_url(strip.moving, strip.moving_step_s, _MOVING_PX) if strip.moving else None,
        "pictures": [
            (step, strip.distances_m[step], encode(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), _TILE_PX))
            for step, picture in zip(strip.shown, strip.pictures, strict=True)
        ],
    }


def _three(share: Mapping[str, Any]) -> tuple[float, float, float]:
    return share["value"], share["low"], share["high"]
