"""The matrix of continual fine-tuning for people: a table, and a picture."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Literal

import numpy as np

from calibration.estimate import Estimate
from sim2real.adaptation.continual.matrix import TransferMatrix, mean_over_stations
from sim2real.report_svg import new_figure, page_style

DisplayUnit = Literal["m", "cm", "mm"]
SCALES: dict[DisplayUnit, float] = {"m": 1.0, "cm": 100.0, "mm": 1000.0}
_DOTS_PER_POINT = 2.0


def markdown(matrix: TransferMatrix, names: Sequence[str], unit: DisplayUnit) -> str:
    """Return the matrix and what follows from it as Markdown; a station's own stage is in bold.

    Args:
        matrix: in metres.
        names: of the stations.
        unit: to show.
    """
    lines = [
        f"Mean error on held-out frames, {unit}, with 95 % intervals; a station's own stage is in bold.",
        "",
        "| after | " + " | ".join(names) + " |",
        "|---" * (len(names) + 1) + "|",
    ]
    for stage, row in enumerate(matrix.errors):
        cells = [_cell(mean_over_stations([e], matrix.unit), unit) for e in row]
        if stage:
            cells[stage - 1] = f"**{cells[stage - 1]}**"
        lines.append(f"| {stage_name(stage, names)} | {' | '.join(cells)} |")
    count = matrix.stations
    back = matrix.by_station(matrix.backward, range(1, count))
    ahead = matrix.by_station(matrix.forward, range(2, count + 1))
    rows = [["backward transfer", *(_cell(e, unit, "+") for e in back), ""]]
    rows.append(["forward transfer", "", *(_cell(e, unit, "+") for e in ahead)])
    lines += [f"| {' | '.join(row)} |" for row in rows]
    lines += [
        "",
        f"- mean error at the end, over stations: {_cell(matrix.final_error(), unit)} {unit}",
        f"- backward transfer (what later stages changed; above 0 is forgetting): "
        f"{_cell(matrix.backward_transfer(), unit, '+')} {unit}",
        f"- forward transfer (what earlier stages changed before a station's own; below 0 they help): "
        f"{_cell(matrix.forward_transfer(), unit, '+')} {unit}",
    ]
    return "\n".join(lines)


def heatmap(matrix: TransferMatrix, names: Sequence[str], unit: DisplayUnit) -> bytes:
    """Return the matrix as a PNG: stations to the right, stages downwards, colour and number the mean error."""
    values = np.array([[np.nan if v is None else v * SCALES[unit] for v in row] for row in matrix.means()])
    stages, stations = values.shape
    with page_style():
        figure = new_figure(190 + 92 * stations, 110 + 46 * stages)
        figure.patch.set_visible(True)
        axes = figure.add_subplot()
        image = axes.imshow(values, cmap="viridis_r", aspect="auto", vmin=0.0)
        dark = np.nanmax(values) / 2 if np.isfinite(values).any() else 0.0
        for stage, row in enumerate(values):
            for station, value in enumerate(row):
                text = "none" if np.isnan(value) else f"{value:.3g}"
                weight = "bold" if stage == station + 1 else "normal"
                colour = "white" if value > dark else "black"
                axes.text(station, stage, text, ha="center", va="center", color=colour, weight=weight)
        axes.set_xticks(range(stations), [_short(n) for n in names])
        axes.set_yticks(range(stages), [_short(stage_name(k, names)) for k in range(stages)])
        axes.set_xlabel("scored on held-out frames of")
        axes.set_ylabel("after fine-tuning on")
        figure.colorbar(image, ax=axes, label=f"mean error, {unit}")
        out = io.BytesIO()
        figure.savefig(out, format="png", dpi=72 * _DOTS_PER_POINT, bbox_inches="tight")
    return out.getvalue()


def stage_name(stage: int, names: Sequence[str]) -> str:
    """Return what a stage is called: the station that was learned last."""
    return names[stage - 1] if stage else "nothing yet"


def _short(name: str) -> str:
    return name if len(name) <= 16 else name[:15] + "…"


def _cell(value: Estimate | None, unit: DisplayUnit, sign: str = "") -> str:
    if value is None:
        return "too few frames"
    scale = SCALES[unit]
    return f"{value.value * scale:{sign}.2f} [{value.low * scale:{sign}.2f}, {value.high * scale:{sign}.2f}]"
