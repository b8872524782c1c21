"""Whether a fixed camera still sees the station as it did when its record was made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import t

from calibration.calibration_record import Finding
from calibration.camera import CameraIntrinsics
from calibration.picture_shift import Shift
from calibration.station_record import FrameLook, Spread, StationRecord, check_frames, frame_look, gains
from calibration.timing.stamps import stamp_timing

Picture = NDArray[np.uint8]

# How often a good frame may lie beyond a limit that the record's own spread sets.
_FALSE_ALARM = 0.005
# Below these a change is of no consequence, whatever the spread.
_LEAST = {"exposure": 0.05, "red": 0.04, "blue": 0.04, "sharpness": 0.15, "noise": 0.5, "shift_px": 0.5}
_BALANCE = "fix the camera's white balance, or light the station as before"
# What each number is called, and what to do when it changed.
_LOOKS = {
    "exposure": ("brightness", "set exposure and gain back and fix them, or light the station as before"),
    "red": ("white balance: red over green", _BALANCE),
    "blue": ("white balance: blue over green", _BALANCE),
    "sharpness": ("sharpness", "clean and focus the lens, and look for motion blur"),
    "noise": ("noise", "look at gain, light and compression"),
}
_PERIOD_SHARE = 0.05
_FEWEST_STAMPS = 4


@dataclass(frozen=True)
class StationCheck:
    """What became of a station since its record.

    Attributes:
        findings: what changed, each with its number, its limit and what to do next.
        measured: by name: `shift_px` and `shift_rad` of the camera; `exposure`, `red`, `blue` (gains, 1: as before);
            `sharpness` (factor), `noise` (levels of 255), `period_s`.
        limits: for `measured` where there is one: the largest change, in the same unit.
    """

    findings: tuple[Finding, ...]
    measured: dict[str, float]
    limits: dict[str, float]

    @property
    def verdict(self) -> Literal["ok", "changed"]:
        """Whether anything changed that is more than a note."""
        return "changed" if any(f.level != "note" for f in self.findings) else "ok"


def check_station(
    record: StationRecord,
    frames: Sequence[Picture],
    stamps_s: ArrayLike | None = None,
    intrinsics: CameraIntrinsics | None = None,
    source: str = "frames",
) -> StationCheck:
    """Return what changed at a station: camera, exposure, white balance, order of channels, sharpness, noise, timing.

    Each number is the median over the frames. It is compared with the interval that 99 % of single frames fall into by
    the spread of the record (prediction interval), or with the least change of consequence if that is wider. See
    `calibration.picture_shift` for how the camera's motion is told from motion in front of it.

    Args:
        record: made by `station_record`.
        frames: one or more (H, W, 3), RGB.
        stamps_s: when each was taken (N,), seconds; four or more are compared with the record's period.
        intrinsics: of the camera, to tell its motion as an angle.
        source: named in errors.

    Raises:
        InputError: no frames, different sizes, or a clock that goes back.
    """
    check_frames(frames, source, 1)
    findings, measured, limits = _timing(record, frames, stamps_s, source)
    height, width = frames[0].shape[:2]
    if (width, height) != (record.width_px, record.height_px):
        what = f"frames are {width} x {height}, and {record.width_px} x {record.height_px} in the record"
        size = Finding("fault", what, "set the camera's size back, or make a new record and new intrinsics")
        return StationCheck((size, *findings), measured, limits)
    background, still = record.background(), record.still()
    if is_swapped := _is_swapped(background, frames):
        what = "red and blue are swapped: the colours fit the record when they are exchanged"
        findings.insert(0, Finding("fault", what, "frames must be RGB; convert what OpenCV reads (BGR)"))
    ordered = [f[..., ::-1] if is_swapped else f for f in frames]
    looks = [frame_look(background, still, np.ascontiguousarray(f)) for f in ordered]
    camera = _camera(record, [look.shift for look in looks], intrinsics, measured, limits)
    # Of another scene only the brightness says something: whether the lens is covered.
    names = tuple(_LOOKS) if "shift_px" in measured else ("exposure",)
    return StationCheck((*camera, *_looks(record, looks, names, measured, limits), *findings), measured, limits)


def limit_of(spread: Spread, least: float) -> float:
    """Return how far a single frame may lie from the centre of a spread, `least` or more (prediction interval)."""
    quantile = float(t.isf(_FALSE_ALARM, spread.count - 1))
    return max(least, quantile * spread.std * float(np.sqrt(1 + 1 / spread.count)))


def _is_swapped(background: Picture, frames: Sequence[Picture]) -> bool:
    """Return whether the frames' difference of red and blue fits the background's far better with its sign changed."""
    size = (background.shape[1], background.shape[0])
    picks = [frames[i] for i in np.unique(np.linspace(0, len(frames) - 1, 9).astype(int))]
    seen = np.median([cv2.resize(f, size, interpolation=cv2.INTER_AREA) for f in picks], axis=0)
    as_is, exchanged = (
        float(np.mean(np.abs(_colour(background, one) - _colour(one, one)))) for one in (seen, seen[..., ::-1])
    )
    return exchanged < 0.5 * as_is


def _colour(picture: NDArray[np.generic], like: NDArray[np.generic]) -> NDArray[np.float64]:
    """Return red less blue (h, w) of a picture at the brightness of another, without what a white balance adds."""
    values = picture.astype(np.float64)
    green = gains(picture, like)[1]
    difference = (values[..., 0] - values[..., 2]) * green
    return np.asarray(difference - np.median(difference))


def _camera(
    record: StationRecord,
    shifts: list[Shift | None],
    intrinsics: CameraIntrinsics | None,
    measured: dict[str, float],
    limits: dict[str, float],
) -> list[Finding]:
    """Return whether the camera moved: in the median of all frames, or of the last third."""
    seen = [s for s in shifts if s is not None]
    step = "put the camera back until this passes, or calibrate it again and make a new record"
    if 2 * len(seen) < len(shifts) or not seen:
        what = f"{len(shifts) - len(seen)} of {len(shifts)} frames do not show the scene of the record"
        return [Finding("fault", what, "look for a covered or turned camera, or no light; " + step)]
    late = seen[-max(len(seen) // 3, 1) :]
    worst = max((seen, late), key=lambda some: float(np.median([s.mean_px for s in some])))
    middle = sorted(worst, key=lambda s: s.mean_px)[len(worst) // 2]
    measured["shift_px"] = middle.mean_px
    limits["shift_px"] = record.shift_px.centre + limit_of(record.shift_px, _LEAST["shift_px"])
    degrees = ""
    if intrinsics is not None:
        focal = 0.5 * (intrinsics.fx_px + intrinsics.fy_px)
        measured["shift_rad"] = float(np.arctan(middle.mean_px / focal))
        degrees = f" ({np.degrees(measured['shift_rad']):.2f} degrees if it turned)"
    if middle.mean_px <= limits["shift_px"]:
        return []
    what = (
        f"the camera moved by {middle.mean_px:.1f} px{degrees}, limit {limits['shift_px']:.1f} px: the picture went "
        f"{middle.right_px:+.1f} px right, {middle.down_px:+.1f} px down, turned {np.degrees(middle.roll_rad):+.2f} "
        f"degrees, {100 * (middle.zoom - 1):+.1f} % in size"
    )
    return [Finding("fault", what, step)]


def _looks(
    record: StationRecord,
    looks: list[FrameLook],
    names: tuple[str, ...],
    measured: dict[str, float],
    limits: dict[str, float],
) -> list[Finding]:
    """Return what else changed in how frames look."""
    findings = []
    for name in names:
        what, step = _LOOKS[name]
        spread: Spread = getattr(record, name)
        change = float(np.median([getattr(look, name) for look in looks])) - spread.centre
        limit = limit_of(spread, _LEAST[name])
        is_factor = name != "noise"
        measured[name] = float(np.exp(change)) if is_factor else change + spread.centre
        limits[name] = float(np.expm1(limit)) if is_factor else limit
        if abs(change) <= limit or (name == "sharpness" and change > 0):
            continue
        now = (
            f"{measured[name]:.2f} times the record's, limits {np.exp(-limit):.2f} to {np.exp(limit):.2f}"
            if is_factor
            else f"{measured[name]:.1f} levels, {spread.centre:.1f} in the record, limit {limit:.1f} more or less"
        )
        findings.append(Finding("warning", f"{what} is {now}", step))
    return findings


def _timing(
    record: StationRecord, frames: Sequence[Picture], stamps_s: ArrayLike | None, source: str
) -> tuple[list[Finding], dict[str, float], dict[str, float]]:
    """Return what is late, lost or repeated, the period, and its limit."""
    if stamps_s is None:
        return [], {}, {}
    if len(np.atleast_1d(stamps_s)) < _FEWEST_STAMPS:
        few = Finding("note", f"timing was not checked: fewer than {_FEWEST_STAMPS} stamps", "give more frames")
        return [few], {}, {}
    timing = stamp_timing(stamps_s, source, pictures=frames)
    findings = [replace(f, what=f"timing: {f.what}") for f in timing.findings]
    period, jitter = timing.estimates["frames.period_s"], timing.estimates["jitter_s"]
    measured = {"period_s": period.value}
    limits: dict[str, float] = {}
    if record.period_s is None or record.jitter_s is None:
        return findings, measured, limits
    before, unsure = record.period_s, np.hypot(record.period_s.high - record.period_s.value, period.high - period.value)
    limits["period_s"] = max(_PERIOD_SHARE * before.value, float(unsure))
    if abs(period.value - before.value) > limits["period_s"]:
        what = (
            f"frames come every {period.value * 1e3:.4g} ms, and every {before.value * 1e3:.4g} ms in the record, "
            f"limit {limits['period_s'] * 1e3:.2g} ms more or less"
        )
        findings.append(Finding("warning", what, "set the camera's rate back, or lighten the load of the computer"))
    if jitter.low > max(2 * record.jitter_s.high, _PERIOD_SHARE * before.value):
        what = (
            f"frames come late: jitter is {jitter.value * 1e3:.3g} ms, and {record.jitter_s.value * 1e3:.3g} ms in the "
            f"record, limit {max(2 * record.jitter_s.high, _PERIOD_SHARE * before.value) * 1e3:.3g} ms"
        )
        findings.append(Finding("warning", what, "lighten the load of the computer, or use a shorter queue"))
    return findings, measured, limits
