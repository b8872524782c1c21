"""`sim2real calibrate timing`."""

from __future__ import annotations

import numpy as np

from calibration.errors import InputError
from calibration.timing.latency import motion_delay
from calibration.timing.motion import track_motion
from calibration.timing.stamps import stamp_timing
from sim2real.calibrate.configs import TimingConfig
from sim2real.calibrate.inputs import new_folder
from sim2real.calibrate.logs import read_columns
from sim2real.calibrate.page import write_calibration
from sim2real.calibrate.plots import curves


def run(config: TimingConfig) -> tuple[str, int]:
    """Measure; return one line and the exit status.

    Raises:
        InputError: an empty log, a clock that goes back, or one signal without the other.
    """
    if (config.reference is None) != (config.delayed is None):
        raise InputError("a delay is between two signals: give both --reference and --delayed")
    if config.reference is None or config.delayed is None:
        stamps = read_columns(config.log, [config.time])[0]
        record = stamp_timing(stamps, str(config.log))
        between = np.diff(stamps) * 1e3
        plot = curves(
            stamps[1:], [("interval", between)], ("time, s", "between stamps, ms"), "intervals", "Between time stamps."
        )
    else:
        stamps, first = read_columns(config.log, [config.time, config.reference])
        later_stamps, later = read_columns(config.other or config.log, [config.time, config.delayed])
        reference = track_motion(stamps, first, config.reference)
        record = motion_delay(reference, track_motion(later_stamps, later, config.delayed))
        grid = np.linspace(max(stamps[0], later_stamps[0]), min(stamps[-1], later_stamps[-1]), 600)
        lines = [
            (config.reference, np.interp(grid, stamps, first)),
            (config.delayed, np.interp(grid, later_stamps, later)),
        ]
        plot = curves(grid, lines, ("time, s", "signal, in its unit"), "signals", "The two signals as recorded.")
    return write_calibration(new_folder(config.out), "Timing", record, [plot]), 0 if record.is_usable else 3
