"""What the report says in words and numbers, all of it from the result alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sim2real.figures import Line, Point
from sim2real.report_data import REAL, Node, Quantity, Result, Row

NOT_MEASURED = "not measured"
# Methods that are there to be compared with; the headline never takes its label-free number from them.
_REFERENCES = ("classical", "scratch")


@dataclass(frozen=True)
class Words:
    """The words that depend on what was looked at; held-out simulation is never called real."""

    subject: str
    label: str
    picture: str
    pictures: str

    @staticmethod
    def of(target: str) -> Words:
        """Return the words for `real photographs` or `held-out simulation`."""
        if target == REAL:
            return Words("Held-out real photographs", "real label", "photograph", "photographs")
        return Words("Held-out simulation", "target label", "frame", "frames")


class Numbers:
    """Errors in the display unit, all of one page with the same number of decimals."""

    def __init__(self, result: Result) -> None:
        self.quantity: Quantity = result.quantity
        means = [abs(row.mean) for row in result.rows if row.mean]
        means += [] if means else [abs(item.error) for item in result.predictions if item.error]
        smallest = min(means, default=1.0) * self.quantity.display_scale
        # Two significant digits of the smallest mean, and one decimal at least below 100.
        self.decimals = min(max(1 - math.floor(math.log10(smallest)), int(smallest < 100.0)), 6)

    def bare(self, value: float | None) -> str:
        """Return a number in the display unit without the unit."""
        return NOT_MEASURED if value is None else f"{value * self.quantity.display_scale:.{self.decimals}f}"

    def error(self, value: float | None) -> str:
        """Return a number with the display unit."""
        return self.bare(value) if value is None else f"{self.bare(value)} {self.quantity.display_unit}"

    def interval(self, interval: tuple[float, float] | None) -> str:
        """Return `[low, high]`, or nothing where the interval was not measured."""
        return "" if interval is None else f"[{self.bare(interval[0])}, {self.bare(interval[1])}]"

    def with_interval(self, row: Row) -> str:
        """Return the mean of a row with its unit and interval."""
        return f"{self.error(row.mean)} {self.interval(row.interval)}".strip()


@dataclass(frozen=True)
class Figure:
    """One key figure: what it is, the number, its unit and interval, and a line of detail."""

    label: str
    value: str
    unit: str
    interval: str
    detail: str


def best_first(rows: Sequence[Row]) -> list[Row]:
    """Return the rows by labelled frames, then lowest mean; unmeasured rows last within each number."""
    return sorted(rows, key=lambda row: (row.budget, row.mean is None, row.mean or 0.0, row.method))


def label_free(result: Result) -> list[Row]:
    """Return the measured rows that saw no target label, lowest mean first, without the reference methods."""
    rows = [
        row
        for row in best_first(result.rows)
        if row.selection == "none" and row.budget == 0 and row.mean is not None and row.key not in _REFERENCES
    ]
    return sorted(rows, key=lambda row: row.mean or 0.0)


def adapted(result: Result) -> Row | None:
    """Return the fine-tuned row with the most labelled frames; None where fine-tuning was not measured.

    Most frames, not lowest error: a choice by error on the scored frames would flatter the number.
    """
    rows = [
        row
        for row in best_first(result.rows)
        if row.key == "finetuned" and row.budget > 0 and row.selection != "oracle" and row.mean is not None
    ]
    return min(rows, key=lambda row: (-row.budget, row.mean or 0.0), default=None)


def reference(result: Result, key: str, budget: int | None = None) -> Row | None:
    """Return the measured row of a method with the lowest mean, at `budget` frames where that is given."""
    rows = [
        row
        for row in result.rows
        if row.key == key and row.mean is not None and row.selection != "oracle" and budget in (None, row.budget)
    ]
    return min(rows, key=lambda row: row.mean or 0.0, default=None)


def headline(result: Result, numbers: Numbers) -> str:
    """Return the answer in one sentence."""
    words = Words.of(result.target)
    free, tuned = next(iter(label_free(result)), None), adapted(result)
    if free is None and tuned is None:
        return f"{words.subject}: the error was not measured."
    parts = []
    if free is not None:
        parts.append(f"{numbers.with_interval(free)} without a {words.label}")
    if tuned is not None:
        parts.append(f"{numbers.with_interval(tuned)} after {count(tuned.budget, 'labelled frame')}")
    scored = sorted({row.frames for row in (free, tuned) if row is not None and row.frames is not None})
    seeds = {str(seed) for row in (free, tuned) if row is not None for seed in row.seeds}
    facts = []
    if scored:
        facts.append(f"{' or '.join(map(str, scored))} {plural('frame', scored[-1])} scored")
    if seeds:
        facts.append(count(len(seeds), "pretraining seed"))
    tail = f" ({', '.join(facts)})" if facts else ""
    return f"{words.subject}: {', '.join(parts)}{tail}."


def remarks(result: Result, numbers: Numbers) -> list[str]:
    """Return what belongs to the headline: what is measured, how it was chosen, what does better."""
    free, tuned = label_free(result), adapted(result)
    confidences = sorted({row.confidence for row in result.rows if row.confidence is not None})
    level = f"; brackets hold the {percent(confidences[0])} confidence interval" if len(confidences) == 1 else ""
    lines = [f"Mean error of {result.quantity.name}{level}."]
    if len(free) > 1:
        lines.append(
            f"The label-free number is {free[0].method}: the lowest of {len(free)} label-free methods "
            "on these same frames."
        )
    if free and tuned and free[0].interval and tuned.interval:
        (low, high), (other_low, other_high) = free[0].interval, tuned.interval
        if low <= other_high and other_low <= high:
            lines.append("The two intervals overlap.")
    fair = [row for row in result.rows if row.mean is not None and row.selection != "oracle"]
    best = min(fair, key=lambda row: row.mean or 0.0, default=None)
    if best is not None and best is not tuned and (tuned or (free and best is not free[0])):
        lines.append(
            f"The lowest mean of all rows is {numbers.with_interval(best)}: {best.method} "
            f"({count(best.budget, 'labelled frame')})."
        )
    return lines


def key_figures(result: Result, numbers: Numbers) -> list[Figure]:
    """Return up to four key figures: without labels, with labels, and what to compare them with."""
    words = Words.of(result.target)
    free, tuned = next(iter(label_free(result)), None), adapted(result)
    unit = result.quantity.display_unit
    figures = []

    def add(label: str, row: Row | None) -> None:
        if row is not None:
            figures.append(Figure(label, numbers.bare(row.mean), unit, numbers.interval(row.interval), row.method))

    add(f"Without a {words.label}", free)
    if tuned is not None:
        add(f"After {count(tuned.budget, 'labelled frame')}", tuned)
        scratch = reference(result, "scratch", tuned.budget)
        add(f"From scratch, {count(tuned.budget, 'labelled frame')}", scratch)
    add("Classical baseline", reference(result, "classical"))
    last = tuned or free
    if len(figures) < 4 and last is not None and last.p90 is not None:
        figures.append(Figure("90th percentile", numbers.bare(last.p90), unit, "", last.method))
    if len(figures) < 4 and last is not None and last.frames is not None:
        runs = f"{count(last.runs, 'run')} each" if last.runs is not None else ""
        figures.append(Figure("Frames scored", str(last.frames), "", "", runs))
    return figures


def curve_lines(result: Result) -> list[Line]:
    """Return the methods as lines of the curve, in the display unit.

    Rows with one key make one line; where two of them have the same number of frames, each method and
    selection of that key makes its own.
    """
    scale = result.quantity.display_scale
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in best_first(result.rows):
        if row.mean is not None:
            same = [other for other in result.rows if other.key == row.key and other.mean is not None]
            one_line = len({other.budget for other in same}) == len(same)
            groups.setdefault((row.key,) if one_line else (row.key, row.method, row.selection), []).append(row)
    lines = []
    for rows in groups.values():
        oracle = any(row.selection == "oracle" for row in rows)
        points = tuple(
            Point(row.budget, row.mean * scale, *(bound * scale for bound in row.interval or ()))
            for row in rows
            if row.mean is not None
        )
        label = rows[0].method + (" (selection: oracle)" if oracle else "")
        lines.append(Line(rows[0].key, label, points, dashed=oracle))
    return lines


def plural(noun: str, number: int) -> str:
    """Return the noun in the form that goes with the number."""
    return noun if number == 1 else f"{noun}s"


def count(number: int, noun: str) -> str:
    """Return the number with its noun: `1 frame`, `20 frames`."""
    return f"{number} {plural(noun, number)}"


def percent(share: float) -> str:
    """Return a share as per cent, such as `95 %`."""
    return f"{100.0 * share:.4g} %"


def duration(seconds: float | None) -> str:
    """Return a duration in the unit that suits it."""
    if seconds is None:
        return NOT_MEASURED
    if seconds < 120.0:
        return f"{seconds:.1f} s"
    return f"{seconds / 60.0:.1f} min" if seconds < 7200.0 else f"{seconds / 3600.0:.1f} h"


def split_remarks(result: Result) -> list[str]:
    """Return a warning for every way in which the stored files contradict the split."""
    split: Node = result.root.node("data").node("split")
    train, test = set(split.texts("train")), set(split.texts("test"))
    lines = []
    if both := train & test:
        lines.append(f"{count(len(both), 'file')} of the training list {_is(both)} in the test list as well.")
    foreign = {item.file for item in result.predictions} - test if test else set()
    if foreign:
        lines.append(f"{count(len(foreign), 'predicted file')} {_is(foreign)} not in the test list.")
    return lines


def _is(items: set[str]) -> str:
    return "is" if len(items) == 1 else "are"
