"""Name frames whose colours are wrong: a cast, or channels in another order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from calibration.calibration_record import CalibrationRecord, Finding
from calibration.photometry.colour_statistics import ColourStatistics, colour_statistics, likely_order
from calibration.photometry.frames import Array, FrameSet, Picture
from calibration.photometry.gains import FrameGains

# A cast is visible and far outside the ordinary scatter of the frames.
_VISIBLE_STOPS = 0.12
_SPREADS = 6.0
_FEWEST_FRAMES = 5
_CLEARLY_BETTER = 0.35
_ALL = 0.5
# A colour of the rig that is this much stronger in one channel than in another tells the order.
_LEAST_SATURATION = 0.25
_NEAR = 0.35
_FEWEST_PIXELS = 30


def cast_frames(given: FrameSet, gains: FrameGains) -> tuple[NDArray[np.bool_], tuple[Finding, ...]]:
    """Return which frames (N,) have a colour cast, and a finding that names each.

    Distances of log2(red / green) and log2(blue / green) from the median are judged against their own median (robust
    score), so that a few such frames do not hide each other. Fewer than five frames tell nothing. Gains of what stays
    the same are used; in frames of different scenes the mean colours are.
    """
    stops = gains.stops if gains.is_one_scene else _mean_stops(given.pictures)
    if len(stops) < _FEWEST_FRAMES:
        return np.zeros(len(stops), bool), ()
    chroma = stops[:, [0, 2]] - stops[:, [1]]
    shift = chroma - np.nanmedian(chroma, axis=0)
    distance = np.linalg.norm(shift, axis=1)
    limit = max(_VISIBLE_STOPS, _SPREADS * 1.4826 * float(np.nanmedian(distance)))
    is_cast = distance > limit
    findings = tuple(
        Finding(
            "warning",
            f"{given.names[k]} has a colour cast: red / green {shift[k, 0]:+.2f} and blue / green {shift[k, 1]:+.2f} "
            f"stops from the other frames, limit {limit:.2f}",
            "it is left out of the spreads; look at it before training on it",
        )
        for k in np.flatnonzero(is_cast)
    )
    return is_cast, findings


def swapped_frames(
    given: FrameSet, reference: ColourStatistics | CalibrationRecord | Sequence[Picture]
) -> tuple[Finding, ...]:
    """Return a finding for frames whose channels arrive in another order than those of the reference.

    Args:
        given: the frames to judge.
        reference: a photometry record, frames of the same station that are right, or their statistics.
    """
    right = _reference_of(reference)
    found: dict[str, list[str]] = {}
    for name, picture in zip(given.names, given.pictures, strict=True):
        order, margin = likely_order(colour_statistics([picture]), right)
        if order != "rgb" and margin > _CLEARLY_BETTER:
            found.setdefault(order, []).append(name)
    return tuple(_order_finding(order, names, len(given.names)) for order, names in found.items())


def swapped_against_colours(given: FrameSet, known_rgb: Sequence[tuple[float, float, float]]) -> tuple[Finding, ...]:
    """Return a finding when the rig's colours (0 to 1) are seen with red and blue swapped, or cannot tell.

    Pixels near the chroma of each strong colour are counted, as it is and with red and blue swapped.
    """
    colours = np.array([c for c in known_rgb if abs(c[0] - c[2]) > _LEAST_SATURATION], np.float64).reshape(-1, 3)
    if not len(colours):
        what = "the order of channels is not identifiable: no colour of the rig tells red from blue"
        return (Finding("note", what, "give reference frames"),)
    straight, swapped = _counts(given.pictures, colours), _counts(given.pictures, colours[:, ::-1])
    if max(straight, swapped) < _FEWEST_PIXELS:
        what = "the order of channels is not identifiable: none of the rig's colours is seen"
        return (Finding("note", what, "give reference frames, or colours as the camera shows them"),)
    if swapped > 2 * straight:
        return (_order_finding("bgr", list(given.names), len(given.names)),)
    return ()


def _reference_of(reference: ColourStatistics | CalibrationRecord | Sequence[Picture]) -> ColourStatistics:
    if isinstance(reference, ColourStatistics):
        return reference
    if isinstance(reference, CalibrationRecord):
        return ColourStatistics.of_record(reference)
    return colour_statistics(reference)


def _order_finding(order: str, names: list[str], count: int) -> Finding:
    swap = "red and blue are swapped" if order == "bgr" else "channels are in the wrong order"
    few = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    what = f'{swap}: channels arrive as "{order}" in {len(names)} of {count} frames ({few})'
    level = "fault" if len(names) > _ALL * count else "warning"
    return Finding("fault" if level == "fault" else "warning", what, "convert the frames to RGB where they are read")


def _mean_stops(pictures: Sequence[Picture]) -> Array:
    return np.array([np.log2(p.reshape(-1, 3).mean(axis=0) + 1.0) for p in pictures])


def _counts(pictures: Sequence[Picture], colours: Array) -> int:
    wanted = np.log2(colours + 0.03)
    wanted -= wanted.mean(axis=1, keepdims=True)
    count = 0
    for picture in pictures:
        pixels = picture[::2, ::2].reshape(-1, 3).astype(np.float64) / 255
        logs = np.log2(pixels[pixels.max(axis=1) > 0.15] + 0.03)
        logs -= logs.mean(axis=1, keepdims=True)
        near = np.min([np.linalg.norm(logs - w, axis=1) for w in wanted], axis=0) if len(logs) else np.zeros(0)
        count += int((near < _NEAR).sum())
    return count
