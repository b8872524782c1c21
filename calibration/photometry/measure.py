"""Everything that unlabelled frames of one station tell about its camera's photometry."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from calibration.calibration_record import CalibrationRecord, Finding
from calibration.estimate import Estimate
from calibration.photometry.colour_faults import cast_frames, swapped_against_colours, swapped_frames
from calibration.photometry.colour_statistics import colour_statistics
from calibration.photometry.edge_spread import edge_blur
from calibration.photometry.frames import Frames, FrameSet, blocks_of, frame_set
from calibration.photometry.gains import FrameGains, frame_gains
from calibration.photometry.intervals import of_spread
from calibration.photometry.noise_level import noise_level
from calibration.photometry.vignetting import vignetting
from calibration.photometry.white_balance import station_balance

FEWEST_FRAMES = 3
# Of the pictures, for what is alike in all of them.
_MOST_FRAMES = 16
_SPREAD = "standard deviation of per-frame gains on blocks that stay the same, normal frames, chi-square"


def measure_photometry(
    frames: Frames,
    *,
    gamma: float | Estimate = 1.0,
    reference: CalibrationRecord | Frames | None = None,
    known_rgb: Sequence[tuple[float, float, float]] = (),
) -> CalibrationRecord:
    """Return the photometry of a station from unlabelled frames, by paths of the world, with 95 % intervals.

    - `sensor.noise`, `sensor.grain`: grey levels of 255, from single frames (`noise_level`).
    - `sensor.blur_px`: an equivalent Gaussian on the sharpest edges (`edge_blur`).
    - `sensor.exposure_ev.std`: spread of exposure between frames, stops of display values, taken from green.
    - `sensor.white_balance.r.std`, `.b.std`: spread of gains relative to green, as a share of the gain.
    - `sensor.white_balance.r`, `.b`: the station's cast, green at 1 (`station_balance` says what it assumes).
    - `sensor.vignetting`: only over frames of different scenes (`vignetting`).

    `quality` holds `noise_at_level_48` and so on, `light_ev_std` (spread of green in stops of linear light),
    `still_share`, and the colours that `reference` is compared by.

    Args:
        frames: a folder of pictures, or a list of uint8 (H, W, 3) RGB, three or more.
        gamma: the station's `sensor.gamma`, as `measure_tone_curve` gives it; gains are of values before it.
        reference: a photometry record or frames of the station whose channels are in order, to compare with.
        known_rgb: colours of things in view, 0 to 1, to compare the order of channels with.

    Raises:
        InputError: bad frames, too few, or a reference without colours.
    """
    given = frame_set(frames, FEWEST_FRAMES, "an interval of their spread")
    blocks = blocks_of(given.pictures)
    gains = frame_gains(blocks)
    is_cast, findings = cast_frames(given, gains)
    findings += _channel_findings(given, reference, known_rgb)
    few = [given.pictures[k] for k in _spaced(len(given.pictures), _MOST_FRAMES)]
    noise = noise_level(few, gains.is_one_scene)
    blur, blur_findings = edge_blur(few)
    fall, fall_findings = vignetting(blocks)
    spreads, spread_findings = _spreads(gains, is_cast, gamma)
    quality = (
        noise.quality
        | colour_statistics([p for p, c in zip(given.pictures, is_cast, strict=True) if not c]).as_quality()
    )
    quality["still_share"] = float(np.median(gains.still_share))
    if spreads:
        in_light = frame_gains(blocks, light=True).stops[~is_cast, 1]
        quality["light_ev_std"] = float(np.nanstd(in_light, ddof=1))
    estimates = noise.estimates | spreads | station_balance(few)
    estimates |= {"sensor.blur_px": blur} if blur else {}
    estimates |= {"sensor.vignetting": fall} if fall else {}
    findings += noise.findings + blur_findings + fall_findings + spread_findings + _gamma_finding(gamma)
    return CalibrationRecord(
        "photometry", given.source, len(given.pictures), estimates, quality=quality, findings=findings
    )


def _spreads(
    gains: FrameGains, is_cast: NDArray[np.bool_], gamma: float | Estimate
) -> tuple[dict[str, Estimate], tuple[Finding, ...]]:
    if not gains.is_one_scene:
        share = 100 * float(np.median(gains.still_share))
        what = f"spreads of exposure and white balance are not identifiable: {share:.0f} % of a frame stays the same"
        return {}, (Finding("warning", what, "give frames of a fixed camera"),)
    used = np.isfinite(gains.stops).all(axis=1) & ~is_cast
    if used.sum() < FEWEST_FRAMES:
        what = f"spreads of exposure and white balance are not identifiable: {int(used.sum())} frames can be compared"
        return {}, (Finding("warning", what, f"add {FEWEST_FRAMES - int(used.sum())} more frames or better ones"),)
    exponent = gamma.value if isinstance(gamma, Estimate) else float(gamma)
    scale = gamma.std() / gamma.value if isinstance(gamma, Estimate) else 0.0
    stops, error = gains.stops[used] / exponent, gains.error[used] / exponent
    of_green = float(np.mean(error[:, 1] ** 2))
    found = {"sensor.exposure_ev.std": of_spread(stops[:, 1], "stop", _SPREAD, of_green, scale)}
    for name, k in (("r", 0), ("b", 2)):
        share = np.log(2) * (stops[:, k] - stops[:, 1])
        variance = float(np.log(2) ** 2 * (np.mean(error[:, k] ** 2) + of_green))
        found[f"sensor.white_balance.{name}.std"] = of_spread(share, "1", _SPREAD, variance, scale)
    unseen = int((~np.isfinite(gains.stops).all(axis=1)).sum())
    if unseen:
        what = f"{unseen} frames share too little unclipped with the others, spreads do not count them"
        return found, (Finding("warning", what, "the true spread of exposure is larger"),)
    return found, ()


def _channel_findings(
    given: FrameSet, reference: CalibrationRecord | Frames | None, known_rgb: Sequence[tuple[float, float, float]]
) -> tuple[Finding, ...]:
    found: tuple[Finding, ...] = ()
    if isinstance(reference, CalibrationRecord):
        found += swapped_frames(given, reference)
    elif reference is not None:
        found += swapped_frames(given, frame_set(reference, 1, "a reference of colours").pictures)
    if known_rgb:
        found += swapped_against_colours(given, known_rgb)
    if reference is None and not known_rgb:
        found += (Finding("note", "the order of channels was not checked", "give reference frames or known colours"),)
    return found


def _gamma_finding(gamma: float | Estimate) -> tuple[Finding, ...]:
    if gamma != 1.0:
        return ()
    what = (
        "sensor.gamma is not identifiable from frames at unknown exposures; spreads are of display values as they are"
    )
    return (Finding("note", what, "record one still scene at known exposures, see measure_tone_curve"),)


def _spaced(count: int, most: int) -> list[int]:
    return sorted({int(k) for k in np.linspace(0, count - 1, min(count, most)).round()})
