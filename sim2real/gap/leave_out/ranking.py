"""Which axes earn their place: paired differences of errors without and with each, ranked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from calibration.estimate import Estimate
from sim2real.adaptation.guards.paired import paired_difference
from sim2real.statistics import mean_estimate

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LeftOut:
    """An axis and what leaving it out does.

    Attributes:
        axis: group or field.
        paths: of the world that were held.
        error: without it.
        difference: error without it less error with everything, frames and seeds paired; above 0 it is needed.
        verdict: what that says beyond chance.
    """

    axis: str
    paths: tuple[str, ...]
    error: Estimate
    difference: Estimate
    verdict: Literal["earns its place", "better left out", "no difference beyond chance"]


def rank_axes(
    everything: Array, without: Mapping[str, Array], held: Mapping[str, tuple[str, ...]], seed: int = 0
) -> list[LeftOut]:
    """Return the axes, the one that is needed most first.

    Args:
        everything: errors (seeds, frames) with all axes drawn, metres.
        without: the same, with one axis held at nominal, by axis.
        held: paths of each axis.
        seed: of the bootstrap.
    """
    found = []
    for axis, errors in without.items():
        difference = paired_difference(errors, everything, "m", seed).mean
        verdict: Literal["earns its place", "better left out", "no difference beyond chance"]
        verdict = "no difference beyond chance"
        if difference.low > 0:
            verdict = "earns its place"
        elif difference.high < 0:
            verdict = "better left out"
        found.append(LeftOut(axis, held[axis], mean_estimate(errors, "m"), difference, verdict))
    return sorted(found, key=lambda one: -one.difference.value)


def markdown(everything: Estimate, rows: Sequence[LeftOut], seeds: int, unit: str, scale: float) -> str:
    """Return the ranking as a Markdown table, in a unit that is `scale` times one metre's number."""

    def shown(e: Estimate, sign: str = "") -> str:
        return f"{scale * e.value:{sign}.2f} [{scale * e.low:{sign}.2f}, {scale * e.high:{sign}.2f}]"

    pairs = "frames" if seeds == 1 else "frames and seeds"
    lines = [
        f"{everything.count} frames, {seeds} pretraining{'s' * (seeds > 1)} each; difference: without less with, "
        f"{pairs} paired, 95 % intervals one by one",
        "",
        f"| left out | mean error, {unit} | difference, {unit} | it |",
        "|---|---|---|---|",
        f"| nothing | {shown(everything)} | | |",
        *(f"| {r.axis} | {shown(r.error)} | {shown(r.difference, '+')} | {r.verdict} |" for r in rows),
    ]
    if seeds == 1:
        lines += ["", "With one pretraining each, another one may rank them otherwise: add --seeds."]
    return "\n".join(lines)
