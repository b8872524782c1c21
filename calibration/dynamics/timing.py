"""When each joint was read: joints that are asked one after another are logged as if at once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from calibration.dynamics.logs import MotionLog
from calibration.dynamics.model import Float


def advanced(log: MotionLog, joint_lag_s: Float) -> MotionLog:
    """Return a log in which what each joint reported late, by `joint_lag_s` (J,), is put back to when it was.

    Between samples values are linear; at the ends the last one is held.
    """
    times = np.arange(len(log.positions)) * log.step_s

    def put_back(values: Float) -> Float:
        columns = [np.interp(times + lag, times, v) for lag, v in zip(joint_lag_s, values.T, strict=True)]
        return np.stack(columns, axis=1)

    return replace(log, positions=put_back(log.positions), torques=put_back(log.torques))
