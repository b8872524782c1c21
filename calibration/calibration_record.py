"""What every calibration ends as: numbers with intervals, how they vary together, and what was found wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from calibration.estimate import Estimate

Level = Literal["fault", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """Something that a person should know.

    Attributes:
        level: "fault" when the result must not be used, "warning" when it may mislead, else "note".
        what: was found, with its numbers, in one line.
        next_step: what to do about it.
    """

    level: Level
    what: str
    next_step: str = ""

    def __str__(self) -> str:
        """Return one line."""
        return f"{self.level}: {self.what}" + (f"; {self.next_step}" if self.next_step else "")


@dataclass(frozen=True)
class CalibrationRecord:
    """The result of one calibration; `calibration.records.write_record` keeps it.

    Attributes:
        kind: what was calibrated: "intrinsics", "hand_eye", "camera", "photometry", "timing" or "dynamics".
        source: the folder or file that it rests on.
        count: how many frames, or seconds of a recording, were used.
        estimates: by name.
        correlated: names of estimates that vary together, in the order of `covariance`.
        covariance: of their errors, in their units; empty when not known.
        quality: other numbers, by name with its unit, such as `held_out_px`.
        findings: what a person should know.
    """

    kind: str
    source: str
    count: int
    estimates: dict[str, Estimate]
    correlated: tuple[str, ...] = ()
    covariance: tuple[tuple[float, ...], ...] = ()
    quality: dict[str, float] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    def __post_init__(self) -> None:
        """Check that the covariance is one of the named estimates."""
        if unknown := set(self.correlated) - set(self.estimates):
            raise ValueError(f"correlated must name estimates, got '{min(unknown)}'")
        if self.covariance and any(len(row) != len(self.correlated) for row in (self.covariance, *self.covariance)):
            raise ValueError(f"covariance must be {len(self.correlated)} x {len(self.correlated)}")

    @property
    def is_usable(self) -> bool:
        """Whether no fault was found."""
        return all(finding.level != "fault" for finding in self.findings)

    def covariance_matrix(self) -> NDArray[np.float64]:
        """Return the covariance (E, E) of the `correlated` estimates; without one, from the intervals alone.

        An interval of a normal error with its confidence tells the standard deviation.
        """
        if self.covariance:
            return np.array(self.covariance)
        return np.diag([(self.estimates[name].std()) ** 2 for name in self.correlated])


def rows_of(matrix: NDArray[np.float64]) -> tuple[tuple[float, ...], ...]:
    """Return a matrix as a record keeps it."""
    return tuple(tuple(float(v) for v in row) for row in matrix)
