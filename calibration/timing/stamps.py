"""Period, jitter, lost and repeated samples of a stream, from its time stamps."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2, t

from calibration.calibration_record import CalibrationRecord, Finding
from calibration.errors import InputError
from calibration.estimate import Estimate
from calibration.timing.autocorrelation import correlation_time

Array = NDArray[np.float64]
Channel = Literal["frames", "observation", "actuation"]

# The world's path for a lost sample of each stream; an action that is lost is one that is held.
_LOST = {
    "frames": "frames.drop_probability",
    "observation": "observation.drop_probability",
    "actuation": "actuation.hold_probability",
}
_PERIOD = {"frames": "frames.period_s", "observation": "observation.period_s", "actuation": "period_s"}
_FEWEST = 4
# An interval this near to a multiple of the period is one, in periods, however regular the others are.
_SURELY_REGULAR = 0.1


@dataclass(frozen=True)
class Intervals:
    """What the intervals between fresh samples are made of.

    Attributes:
        period_s: time between two samples of which none is lost.
        deviation_s: of each regular interval (M,) from its multiple of the period.
        multiple: of the period (M,) that each regular interval is.
        late_s: intervals (L,) that are no multiple.
    """

    period_s: float
    deviation_s: Array
    multiple: Array
    late_s: Array

    @property
    def lost(self) -> int:
        """How many samples are missing in gaps."""
        return int(np.sum(self.multiple - 1))


def check_stamps(stamps_s: ArrayLike, source: str) -> Array:
    """Return time stamps (N,) as an array.

    Raises:
        InputError: none, not a list of finite numbers, or the clock goes back; it names the row, counted from 0.
    """
    stamps = np.asarray(stamps_s, dtype=np.float64)
    if stamps.ndim != 1:
        raise InputError(f"{source}: time stamps must have shape (N,), got {stamps.shape}")
    if not len(stamps):
        raise InputError(f"{source}: time stamps must not be empty, got 0 rows; record at least {_FEWEST}")
    if not np.isfinite(stamps).all():
        row = int(np.argmin(np.isfinite(stamps)))
        raise InputError(f"{source}, row {row}: a time stamp must be finite, got {stamps[row]}; remove the row")
    if (back := np.diff(stamps) < 0).any():
        row = int(np.argmax(back)) + 1
        raise InputError(
            f"{source}, row {row}: time must not go back, got {stamps[row]:.6g} s after {stamps[row - 1]:.6g} s; "
            "sort the rows, or split the log where the clock was set"
        )
    return stamps


def repeated(stamps: Array, pictures: Sequence[NDArray[np.uint8]] | None = None) -> NDArray[np.bool_]:
    """Return which samples (N,) repeat the one before: the same stamp, or the same bytes of a picture.

    A camera's noise makes no two pictures alike, so equal bytes are one picture delivered twice.
    """
    same = np.concatenate([[False], np.diff(stamps) == 0])
    if pictures is not None:
        digests = [hashlib.blake2b(p.tobytes(), digest_size=16).digest() for p in pictures]
        same[1:] |= np.array([a == b for a, b in zip(digests[1:], digests[:-1], strict=True)], dtype=bool)
    return same


def split_intervals(stamps: Array) -> Intervals:
    """Return the period of strictly increasing stamps (N,), and which intervals are a multiple of it.

    The period is the mean of the intervals near to their median, which also holds for stamps that are rounded to a
    slower clock; an interval is regular within four standard deviations of the bulk from a multiple.
    """
    interval = np.diff(stamps)
    middle = float(np.median(interval))
    period = float(np.mean(interval[(interval > 0.5 * middle) & (interval < 1.5 * middle)]))
    for _ in range(3):
        multiple = np.maximum(np.rint(interval / period), 1.0)
        deviation = interval - multiple * period
        # The 90th percentile of a normal deviation's size is 1.645 standard deviations.
        bulk = float(np.quantile(np.abs(deviation), 0.9)) / 1.645
        regular = np.abs(deviation) <= np.clip(4.0 * bulk, _SURELY_REGULAR * period, 0.5 * period)
        period = float(np.sum(interval[regular]) / np.sum(multiple[regular]))
    return Intervals(period, (interval - multiple * period)[regular], multiple[regular], interval[~regular])


def stamp_timing(
    stamps_s: ArrayLike,
    source: str,
    channel: Channel = "frames",
    pictures: Sequence[NDArray[np.uint8]] | None = None,
) -> CalibrationRecord:
    """Return period, jitter and losses of a stream, with 95 % intervals and what a person should know.

    Estimates: the period as `frames.period_s` or `observation.period_s` (`period_s` of an actuation), lost samples as
    `frames.drop_probability`, `observation.drop_probability` or `actuation.hold_probability`, and `jitter_s`, the
    standard deviation of an interval. The intervals allow for intervals that depend on each other (effective sample
    size by integrated autocorrelation time) and for losses in bursts (Wilson's interval for as many independent
    samples as there are bursts).

    Args:
        stamps_s: when each sample was taken (N,), seconds.
        source: named in errors and in the record.
        channel: which stream of the world it is.
        pictures: (H, W, 3) each, as many as stamps; finds pictures that were delivered twice.

    Raises:
        InputError: fewer than four fresh samples, a clock that goes back, or as many pictures as stamps are not there.
    """
    stamps = check_stamps(stamps_s, source)
    if pictures is not None and len(pictures) != len(stamps):
        raise InputError(f"{source}: there must be a picture for each of {len(stamps)} stamps, got {len(pictures)}")
    repeats = repeated(stamps, pictures)
    fresh = stamps[~repeats]
    if len(fresh) < _FEWEST:
        raise InputError(
            f"{source}: a period needs {_FEWEST} samples that are not repeats, got {len(fresh)} of {len(stamps)}; "
            "record longer"
        )
    found = split_intervals(fresh)
    estimates = {
        _PERIOD[channel]: _period(found),
        "jitter_s": _jitter(found),
        _LOST[channel]: _lost(found),
    }
    quality = {
        "rate_hz": 1.0 / found.period_s,
        "repeated": float(repeats.sum()),
        "lost": float(found.lost),
        "late": float(len(found.late_s)),
        "longest_interval_s": float(np.diff(fresh).max()),
    }
    return CalibrationRecord(
        "timing", source, len(stamps), estimates, quality=quality, findings=_findings(found, fresh, int(repeats.sum()))
    )


def _period(found: Intervals) -> Estimate:
    periods = float(np.sum(found.multiple))
    count = max(len(found.deviation_s) / correlation_time(found.deviation_s), 2.0)
    # Two stamps are off by their own jitter even where the intervals between cancel.
    std = float(np.std(found.deviation_s, ddof=1)) * len(found.deviation_s) / periods / np.sqrt(count)
    half = float(t.ppf(0.975, count - 1)) * std
    value = found.period_s
    return Estimate(value, value - half, value + half, 0.95, int(count), "s", "mean of regular intervals")


def _jitter(found: Intervals) -> Estimate:
    square = found.deviation_s**2
    value = float(np.sqrt(square.mean()))
    count = max(len(square) / correlation_time(square), 2.0)
    # Heavy tails make the spread less certain than a normal one's: the effective number of degrees of freedom
    # is the one whose chi-squared has the variance that the squares show.
    tails = float(square.var() / max(square.mean() ** 2, 1e-300)) / 2.0
    freedom = max((count - 1) / max(tails, 1.0), 1.0)
    low, high = (value * float(np.sqrt(freedom / chi2.ppf(q, freedom))) for q in (0.975, 0.025))
    return Estimate(value, min(low, value), max(high, value), 0.95, int(count), "s", "spread of regular intervals")


def _lost(found: Intervals) -> Estimate:
    sent = float(np.sum(found.multiple)) + len(found.late_s)
    gaps = found.multiple[found.multiple > 1] - 1
    count = sent / (float(gaps.mean()) if len(gaps) else 1.0)
    share, z = found.lost / sent, 1.959964
    centre = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * float(np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)))
    low, high = max(min(centre - half, share), 0.0), min(centre + half, 1.0)
    return Estimate(share, low, high, 0.95, int(count), "1", "gaps that are multiples of the period (Wilson 1927)")


def _findings(found: Intervals, fresh: Array, repeats: int) -> tuple[Finding, ...]:
    ms, findings = 1e3, []
    if repeats:
        findings.append(
            Finding(
                "warning",
                f"{repeats} of {repeats + len(fresh)} samples repeat the one before (same stamp or same bytes)",
                "read the stream no faster than it comes, or drop the repeats",
            )
        )
    if found.lost:
        findings.append(
            Finding(
                "warning",
                f"{found.lost} samples are lost in {int(np.sum(found.multiple > 1))} gaps, "
                f"the longest {np.diff(fresh).max() * ms:.3g} ms",
                "look for a full disk, a full queue or a loaded processor",
            )
        )
    if len(found.late_s):
        row = int(np.argmax(np.isin(np.diff(fresh), found.late_s))) + 1
        findings.append(
            Finding(
                "note",
                f"{len(found.late_s)} intervals of {found.late_s.min() * ms:.4g} to {found.late_s.max() * ms:.4g} ms "
                f"are no multiple of the period of {found.period_s * ms:.4g} ms, the first before fresh sample {row}",
                "leave out the start-up, or use the stamps and not a fixed step",
            )
        )
    spread = float(np.std(found.deviation_s)) / found.period_s
    if spread > 0.2:
        findings.append(
            Finding(
                "warning",
                f"jitter is {100 * spread:.0f} % of the period, so lost samples cannot be told from late ones",
                "stamp samples where they are taken, not where they arrive",
            )
        )
    return tuple(findings)
