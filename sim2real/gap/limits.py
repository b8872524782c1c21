"""Limits that a result must keep, so that a lab can gate a deployment on it."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from calibration.errors import InputError
from calibration.records import from_plain
from sim2real.gap.measured import Measured
from sim2real.statistics import mean_estimate

Number = Literal["mean", "upper", "median", "p90", "worst"]


@dataclass(frozen=True)
class Limit:
    """One line of a limits file.

    Attributes:
        row: name of a row of the result, as `sim2real gate` lists them.
        at_most_m: largest value allowed, metres.
        number: mean error, upper end of its 95 % interval, median, 90th percentile, or worst frame's mean over runs.
    """

    row: str
    at_most_m: float
    number: Number = "upper"


@dataclass(frozen=True)
class LimitsFile:
    """What a limits file holds: `[[limit]]` tables.

    Attributes:
        limit: the limits.
        fewest_frames: that must have been scored.
    """

    limit: tuple[Limit, ...]
    fewest_frames: int = 1


@dataclass(frozen=True)
class Checked:
    """A limit and what was found."""

    limit: Limit
    found_m: float
    kept: bool


def read_limits(path: Path) -> LimitsFile:
    """Return the limits of a TOML file.

    Raises:
        InputError: no such file, no TOML, unknown fields, no limit, or one that is not positive.
    """
    limits = from_plain(LimitsFile, read_table(path), str(path))
    if not limits.limit:
        raise InputError(f"limits {path} must hold at least one [[limit]], got none")
    for limit in limits.limit:
        if not limit.at_most_m > 0:
            raise InputError(f"at_most_m must be above 0, got {limit.at_most_m} for row '{limit.row}' ({path})")
    return limits


def check_limits(measured: Measured, limits: LimitsFile, where: str) -> list[Checked]:
    """Return for every limit what was found and whether it is kept.

    Raises:
        InputError: a row that the result does not have, or fewer frames than the file asks for.
    """
    frames = len(measured.protocol.scored)
    if frames < limits.fewest_frames:
        raise InputError(f"limits ask for {limits.fewest_frames} scored frames, got {frames} ({where})")
    found = []
    for limit in limits.limit:
        if limit.row not in measured.rows:
            raise InputError(f"row must be one of {'; '.join(measured.rows)}, got '{limit.row}' ({where})")
        value = _number(measured.rows[limit.row], limit.number)
        found.append(Checked(limit, value, value <= limit.at_most_m))
    return found


def as_text(measured: Measured, checked: list[Checked]) -> str:
    """Return one line a limit, and the verdict."""
    lines = [
        f"{'kept' if c.kept else 'BROKEN'}: {c.limit.row}: {c.limit.number} {measured.scale * c.found_m:.2f} "
        f"{measured.unit}, at most {measured.scale * c.limit.at_most_m:.2f}"
        for c in checked
    ]
    target = f"{len(measured.protocol.scored)} frames, {measured.protocol.target}"
    return "\n".join([*lines, verdict([c.kept for c in checked], target)])


def read_table(path: Path) -> dict[str, Any]:
    """Return what a limits file holds.

    Raises:
        InputError: no such file, or no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read limits {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"limits {path} must be TOML: {error}") from None


def verdict(kept: Sequence[bool], target: str) -> str:
    """Return how many limits are broken, in a line."""
    broken = len(kept) - sum(kept)
    return f"{broken} of {len(kept)} limits broken ({target})" if broken else f"all limits kept ({target})"


def _number(table: np.ndarray, which: Number) -> float:
    if np.isnan(table).any() and which == "worst":
        return float("inf")
    if which == "mean":
        return float(np.nanmean(table))
    if which == "upper":
        return mean_estimate(table, "m").high
    if which == "median":
        return float(np.nanmedian(table))
    if which == "p90":
        return float(np.nanpercentile(table, 90))
    return float(table.mean(axis=0).max())
