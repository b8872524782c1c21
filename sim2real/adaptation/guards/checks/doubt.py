"""A reason to look at frames before they are learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "units",
    "label frame",
    "joints",
    "outside",
    "swapped labels",
    "mislabelled",
    "another station",
    "moved camera",
    "swapped channels",
    "constant picture",
    "repeated frame",
    "contradicting labels",
]
Severity = Literal["refuse", "warn"]
_NAMED = 4


@dataclass(frozen=True)
class Doubt:
    """Something that looks wrong with labelled frames.

    Attributes:
        kind: of the fault.
        files: of the frames that it is about.
        text: one line: what, expected, got, where, what next.
        severity: "refuse": whatever is learned from these frames is worth nothing; "warn": look at them first.
    """

    kind: Kind
    files: tuple[str, ...]
    text: str
    severity: Severity

    def __str__(self) -> str:
        """Return the line with its kind."""
        return f"{self.kind}: {self.text}"


def named(files: Sequence[str]) -> str:
    """Return the first files of a list and how many there are beside."""
    more = f" and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
    return ", ".join(files[:_NAMED]) + more
