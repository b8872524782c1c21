"""What to do next about a gap: one list, what brings most first, each with the number behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sim2real.gap.attribution import Attribution
from sim2real.gap.refits import LIGHT

_COVERED = 0.9


@dataclass(frozen=True)
class Step:
    """One thing to do.

    Attributes:
        what: in words.
        gain_m: by how much the mean error would fall, metres; None where nothing measured says it.
        interval_m: of the gain.
        source: what the number rests on.
        command: that does it.
        expected_m: the error to be expected then, with its interval; None where it was not forecast.
    """

    what: str
    gain_m: float | None
    interval_m: tuple[float, float] | None
    source: str
    command: str
    expected_m: tuple[float, float, float] | None = None


def next_steps(
    attribution: Attribution | None,
    rows: Sequence[Mapping[str, Any]],
    coverage: Sequence[Mapping[str, Any]],
    more: Sequence[Step] = (),
) -> list[Step]:
    """Return what to do, what brings most first and what has no number last; what would bring harm is left out.

    Args:
        attribution: by refits, of the first row's model.
        rows: of the perception gap, the first one before adaptation; later ones have `gain` and `gain_interval`.
        coverage: of looks, as `looks_coverage` gives it.
        more: steps from elsewhere, such as a forecast; those without a number come before coverage.
    """
    steps = [s for s in more if s.gain_m is not None]
    better = [row for row in rows[1:] if row.get("gain") is not None]
    if better:
        # One can be used; what the others bring is in the table of errors.
        row = max(better, key=lambda r: float(r["gain"]))
        low, high = row["gain_interval"]
        steps.append(
            Step(
                f"use the model {row['name']} ({row['selection']})",
                row["gain"],
                (low, high),
                "measured on the scored frames",
                f"sim2real evaluate --model {row['name']}",
            )
        )
    for share in attribution.shares if attribution is not None else ():
        light = share.group == LIGHT
        steps.append(
            Step(
                "bring simulated and real light and colour together" if light else f"measure the {share.group} better",
                share.explained.value,
                (share.explained.low, share.explained.high),
                "attribution by refits, on frames that no refit saw",
                "sim2real adapt --methods histogram" if light else "sim2real calibrate camera",
            )
        )
    steps = sorted((s for s in steps if (s.gain_m or 0.0) > 0), key=lambda s: -(s.gain_m or 0.0))
    steps += [s for s in more if s.gain_m is None]
    for row in coverage:
        if row["inside"] < _COVERED:
            steps.append(
                Step(
                    f"widen what looks are drawn: {row['axis']} covers {100 * row['inside']:.0f} % of the pictures",
                    None,
                    None,
                    "coverage of looks",
                    "sim2real adapt --methods photometric",
                )
            )
    return steps
