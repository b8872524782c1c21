"""Two results on the same frames, row by row: which is better, and by how much beyond chance."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from calibration.errors import InputError
from calibration.estimate import Estimate
from sim2real.adaptation.guards.paired import PairedDifference, paired_difference, verdict
from sim2real.gap.measured import Array, Measured
from sim2real.gap.protocol import check_same
from sim2real.statistics import mean_estimate

FORMAT = "sim2real.comparison"
FEWEST = 2


@dataclass(frozen=True)
class Compared:
    """A row of both results.

    Attributes:
        row: its name; two names where single rows are compared.
        first: mean error of the first result, metres.
        second: of the second one.
        difference: second less first, frames paired; above 0 the second is worse.
        verdict: what that says of the second beyond chance.
    """

    row: str
    first: Estimate
    second: Estimate
    difference: PairedDifference
    verdict: str


def compare(first: Measured, second: Measured) -> list[Compared]:
    """Return every row that both results have; where each has one row only, those two.

    Runs are averaged where their numbers differ, since runs of two results are no pairs.

    Raises:
        InputError: other protocols, no row in common, or fewer than two frames.
    """
    check_same(first.protocol, second.protocol, (first.name, second.name))
    if len(first.protocol.scored) < FEWEST:
        raise InputError(f"a comparison needs at least {FEWEST} frames, got {len(first.protocol.scored)}")
    pairs = [(name, name) for name in first.rows if name in second.rows]
    if not pairs and len(first.rows) == len(second.rows) == 1:
        pairs = [(next(iter(first.rows)), next(iter(second.rows)))]
    if not pairs:
        raise InputError(
            f"results must share a row to be compared, got {', '.join(first.rows)} ({first.name}) and "
            f"{', '.join(second.rows)} ({second.name})"
        )
    return [_compared(a, b, first.rows[a], second.rows[b]) for a, b in pairs]


def _compared(a: str, b: str, first: Array, second: Array) -> Compared:
    ours, theirs = first, second
    if len(first) != len(second):
        ours, theirs = np.nanmean(first, axis=0, keepdims=True), np.nanmean(second, axis=0, keepdims=True)
    difference = paired_difference(theirs, ours, "m")
    return Compared(
        a if a == b else f"{a} / {b}",
        mean_estimate(first, "m"),
        mean_estimate(second, "m"),
        difference,
        verdict(difference),
    )


def as_plain(first: Measured, second: Measured, rows: list[Compared]) -> dict[str, Any]:
    """Return the comparison for JSON."""
    return {
        "format": FORMAT,
        "version": 1,
        "first": first.name,
        "second": second.name,
        "protocol": first.protocol.to_plain(),
        "rows": [asdict(r) for r in rows],
    }


def as_text(first: Measured, second: Measured, rows: list[Compared]) -> str:
    """Return the comparison as a Markdown table."""
    unit, scale = first.unit, first.scale

    def shown(e: Estimate, sign: str = "") -> str:
        return f"{scale * e.value:{sign}.2f} [{scale * e.low:{sign}.2f}, {scale * e.high:{sign}.2f}]"

    lines = [
        f"{len(first.protocol.scored)} frames, {first.protocol.target} ({first.protocol.rule}); second less first, "
        "frames paired",
        "",
        f"| row | first, {unit} | second, {unit} | difference, {unit} | second is |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {r.row} | {shown(r.first)} | {shown(r.second)} | {shown(r.difference.mean, '+')} | {r.verdict} |"
        for r in rows
    ]
    return "\n".join(lines)
