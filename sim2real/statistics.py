"""Turn errors into estimates with intervals."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from calibration.estimate import Estimate

CONFIDENCE = 0.95
_RESAMPLES = 4000


def bootstrap_mean(errors: ArrayLike, unit: str, seed: int = 0) -> Estimate:
    """Return the mean of errors with a percentile bootstrap interval (Efron 1979).

    Args:
        errors: (frames,), or (runs, frames) for several training runs scored on the same frames; then both
            are resampled, so that the interval covers another run on other frames. NaN: not scored.
        unit: of the errors.
        seed: of the resampling.

    Raises:
        ValueError: nothing to average.
    """
    table = np.atleast_2d(np.asarray(errors, dtype=np.float64))
    if not np.isfinite(table).any():
        raise ValueError("bootstrap_mean needs at least one finite error, got none")
    rng = np.random.default_rng(seed)
    runs, frames = table.shape
    # How often each run and each frame is drawn in one resample; a mean is then a weighted one.
    run_counts = rng.multinomial(runs, np.full(runs, 1 / runs), size=_RESAMPLES)
    frame_counts = rng.multinomial(frames, np.full(frames, 1 / frames), size=_RESAMPLES)
    scored = np.isfinite(table)
    total = ((run_counts @ np.where(scored, table, 0.0)) * frame_counts).sum(axis=1)
    count = ((run_counts @ scored.astype(np.float64)) * frame_counts).sum(axis=1)
    means = total[count > 0] / count[count > 0]
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(means, [tail, 100 - tail])
    mean = float(table[scored].mean())
    seen = int(scored.any(axis=0).sum())
    method = "percentile bootstrap over frames" + (" and runs" if runs > 1 else "")
    return Estimate(mean, min(float(low), mean), max(float(high), mean), CONFIDENCE, seen, unit, method)


def describe(errors: ArrayLike, unit: str) -> dict[str, object]:
    """Return mean, median, 90th percentile, bootstrap interval, number of frames and unit of errors."""
    table = np.atleast_2d(np.asarray(errors, dtype=np.float64))
    if not np.isfinite(table).any():
        nothing = {"mean": None, "median": None, "p90": None, "interval": None}
        return {**nothing, "confidence": CONFIDENCE, "frames": 0, "runs": len(table), "unit": unit}
    estimate = bootstrap_mean(table, unit)
    return {
        "mean": estimate.value,
        "median": float(np.nanmedian(table)),
        "p90": float(np.nanpercentile(table, 90)),
        "interval": [estimate.low, estimate.high],
        "confidence": estimate.confidence,
        "frames": estimate.count,
        "runs": len(table),
        "unit": unit,
    }
