"""`sim2real calibrate rigid`: one frame seen from another, from points known in both."""

from __future__ import annotations

import numpy as np

from calibration.errors import InputError
from calibration.rigid_fit import fit_rigid, rigid_record
from sim2real.calibrate.configs import RigidConfig
from sim2real.calibrate.inputs import new_folder
from sim2real.calibrate.logs import read_columns
from sim2real.calibrate.page import write_calibration
from sim2real.calibrate.plots import bars


def run(config: RigidConfig) -> tuple[str, int]:
    """Fit; return one line and the exit status.

    Raises:
        InputError: columns that are missing, or too few points.
    """
    for name, columns in (("--into", config.into), ("--points", config.points)):
        if len(set(columns)) != 3:
            raise InputError(f"{name} takes three different columns, x y z, got {', '.join(columns)}")
    values = read_columns(config.log, [*config.into, *config.points])
    fit = fit_rigid(np.column_stack(values[:3]), np.column_stack(values[3:]), ("into", "points"))
    record = rigid_record(fit, str(config.log))
    names = [str(k) for k in range(len(fit.residuals))]
    plot = bars(names, (fit.distances * 1e3).tolist(), [], "distance, mm", "pairs", "Distance of each pair of points.")
    line = write_calibration(new_folder(config.out), "Frame from points", record, [plot])
    mean, largest = fit.distances.mean() * 1e3, fit.distances.max() * 1e3
    return f"{line}; {mean:.2f} mm mean, {largest:.2f} mm at most", 0 if record.is_usable else 3
