"""`sim2real calibrate intrinsics`."""

from __future__ import annotations

import numpy as np

from calibration.calibration_record import CalibrationRecord, Finding, rows_of
from calibration.errors import InputError
from calibration.estimate import Estimate
from calibration.intrinsics.choice import choose_lens
from calibration.intrinsics.coverage import covered_share, next_view
from calibration.intrinsics.fit import IntrinsicsFit, fit_intrinsics
from calibration.intrinsics.lens_models import LENS_KINDS
from sim2real.calibrate.configs import IntrinsicsConfig
from sim2real.calibrate.inputs import new_folder
from sim2real.calibrate.page import write_calibration
from sim2real.calibrate.plots import bars, coverage, scatter
from sim2real.calibrate.views import drawn, find_board, rejected

_METHOD = (
    "smallest reprojection error over the lens and a pose of the board a view (Zhang 2000); 95 % from the curvature"
)
_LITTLE = 0.6


def run(config: IntrinsicsConfig) -> tuple[str, int]:
    """Fit a lens; return one line and the exit status.

    Raises:
        InputError: an unknown lens, too few views, or no board.
    """
    if config.lens != "auto" and config.lens not in LENS_KINDS:
        raise InputError(f"--lens must be auto or one of {', '.join(LENS_KINDS)}, got '{config.lens}'")
    detection, pictures = find_board(config.board, config.real)
    out = new_folder(config.out)
    if config.lens == "auto":
        chosen = choose_lens(detection.views)
        fit, held_out = chosen.fit, chosen.held_out_px
    else:
        fit, held_out = fit_intrinsics(detection.views, config.lens), {}
    findings = [*rejected(detection), *_findings(fit)]
    record = intrinsics_record(fit, str(config.real), findings, held_out.get(fit.kind.name))
    predicted = [view.pixels + r for view, r in zip(fit.views, fit.residuals, strict=True)]
    every = np.concatenate(fit.residuals)
    errors = [float(np.sqrt((r**2).sum(axis=1).mean())) for r in fit.residuals]
    names = [v.name for v in fit.views] + [n for n, _ in fit.bad]
    plots = [
        scatter(every, "scatter", "Residuals of all points: a round cloud without a pattern is what should be here."),
        bars(names, [*errors, *(e for _, e in fit.bad)], [n for n, _ in fit.bad], "error, px (rms)", "views",
             "Error of each view; orange: left out."),
        coverage(np.concatenate([v.pixels for v in fit.views]), fit.views[0].size_px, "coverage", "Where points were."),
    ]  # fmt: skip
    table = ("Lens models", ("model", "error of held-out points, px"), [(k, f"{v:.3f}") for k, v in held_out.items()])
    line = write_calibration(
        out, f"Lens: {fit.kind.name}", record, plots, drawn(fit.views, predicted, pictures), [table]
    )
    return line, 0 if record.is_usable else 3


def intrinsics_record(
    fit: IntrinsicsFit, source: str, findings: list[Finding], held_out_px: float | None = None
) -> CalibrationRecord:
    """Return the record of a lens."""
    names = tuple(f"camera.{name}" for name in fit.kind.free)
    stds = np.sqrt(np.diag(fit.covariance))
    estimates = {
        name: Estimate.of_normal(float(v), float(s), len(fit.views), "px" if name.endswith("_px") else "1", _METHOD)
        for name, v, s in zip(names, fit.kind.values(fit.camera), stds, strict=True)
    }
    quality = {
        "width_px": float(fit.camera.width_px),
        "height_px": float(fit.camera.height_px),
        "rms_px": fit.rms_px,
        "noise_px": fit.noise_px,
        "covered_share": covered_share(fit.views),
    }
    if held_out_px is not None:
        quality["held_out_px"] = held_out_px
    return CalibrationRecord(
        "intrinsics", source, len(fit.views), estimates, names, rows_of(fit.covariance), quality, tuple(findings)
    )


def _findings(fit: IntrinsicsFit) -> list[Finding]:
    found = [
        Finding("warning", f"{name} contradicts the other views by {error:.1f} px and was left out", "take it again")
        for name, error in fit.bad
    ]
    share = covered_share(fit.views)
    if share < _LITTLE:
        found.append(
            Finding(
                "warning",
                f"points cover {100 * share:.0f} % of the picture",
                "take views with the board in its corners",
            )
        )
    words, gain = next_view(fit)
    found.append(
        Finding(
            "note",
            f"the next view that would help most: {words}",
            f"it narrows the intervals by about {100 * gain:.0f} %",
        )
    )
    return found
