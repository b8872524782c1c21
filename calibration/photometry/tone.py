"""The tone curve, from one still scene at known exposures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calibration.calibration_record import CalibrationRecord, Finding
from calibration.errors import InputError
from calibration.photometry.frames import Array, Frames, blocks_of, frame_set
from calibration.photometry.gains import frame_gains
from calibration.photometry.intervals import of_student

FEWEST_FRAMES = 4
_LEAST_RANGE_EV = 0.2
# Relative: noise that clips at black, and rounding, lie on all frames.
_SHARED = 1e-4
_METHOD = "slope of log ratios against known exposures (Mitsunaga & Nayar 1999 with one exponent), Student"


def measure_tone_curve(frames: Frames, exposures_ev: Sequence[float]) -> CalibrationRecord:
    """Return `sensor.gamma` from frames of one still scene at known exposures.

    Between two exposures whose display values differ by the factor 2^ev, an exponent gamma makes 2^(gamma * ev): the
    slope of the logarithms is gamma. That is the radiometric self-calibration of Mitsunaga & Nayar 1999 with one
    exponent. Without known steps an exponent cannot be told from the exposures (Grossberg & Nayar 2003).

    Args:
        frames: a folder of pictures, or a list of uint8 (H, W, 3) RGB, four or more.
        exposures_ev: (N,), stops of display values, in any origin, as `sensor.exposure_ev` counts them. For stops of
            light, as cameras give them, divide by 2.2.

    Raises:
        InputError: bad frames, too few, another number of exposures, or exposures that are not finite.
    """
    given = frame_set(frames, FEWEST_FRAMES, "an interval of the tone curve")
    steps = np.asarray(exposures_ev, np.float64)
    count = len(given.pictures)
    if steps.shape != (count,) or not np.isfinite(steps).all():
        raise InputError(
            f"exposures_ev must be {count} finite numbers, one a frame, got {list(exposures_ev)} ({given.source}); "
            "read them from the camera"
        )
    gains = frame_gains(blocks_of(given.pictures))
    seen = np.isfinite(gains.stops).all(axis=1)
    span = float(np.ptp(steps[seen])) if seen.any() else 0.0
    if not gains.is_one_scene or seen.sum() < FEWEST_FRAMES or span < _LEAST_RANGE_EV:
        what = (
            f"sensor.gamma is not identifiable: {int(seen.sum())} of {count} frames show one still scene, "
            f"over {span:.2f} stops"
        )
        finding = Finding("warning", what, f"record {FEWEST_FRAMES} or more exposures over one stop, nothing moving")
        return CalibrationRecord("photometry", given.source, count, {}, findings=(finding,))
    slope, std, misfit = _slope(steps[seen], gains.stops[seen].mean(axis=1))
    std = float(np.hypot(std, _SHARED * slope))
    estimate = of_student(slope, std, int(seen.sum()) - 2, int(seen.sum()), "1", _METHOD)
    quality = {"misfit_ev": misfit, "range_ev": span}
    findings: tuple[Finding, ...] = ()
    if misfit > 0.05:
        what = f"log ratios are off the line by {misfit:.2f} stops: not one exponent"
        findings = (Finding("warning", what, "the camera has a tone curve of another form, or the steps are wrong"),)
    return CalibrationRecord("photometry", given.source, count, {"sensor.gamma": estimate}, (), (), quality, findings)


def _slope(steps: Array, stops: Array) -> tuple[float, float, float]:
    """Return slope, its standard deviation, and the root mean square residual of a line."""
    centred = steps - steps.mean()
    power = float(centred @ centred)
    slope = float(centred @ stops) / power
    rest = stops - stops.mean() - slope * centred
    variance = float(rest @ rest) / max(len(steps) - 2, 1)
    return slope, float(np.sqrt(variance / power)), float(np.sqrt(np.mean(rest**2)))
