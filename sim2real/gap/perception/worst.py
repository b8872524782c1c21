"""The scored frames that are predicted worst, and what is nearest to them in the model's features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sim2real.gap.perception.neighbours import neighbours
from sim2real.realdata import RealFrame

MOST = 6


def worst_frames(
    stage: str,
    simulated: ArrayLike,
    photographs: ArrayLike,
    frames: Sequence[RealFrame],
    errors: Mapping[str, float],
) -> dict[str, Any]:
    """Return the scored frames with the largest errors, worst first, each with its nearest neighbours, as plain data.

    Args:
        stage: of which the features are.
        simulated: places (N, D) of a stage's channels on simulated frames, as of `advice.stages.StageFeatures`.
        photographs: the same (M, D) of all labelled frames.
        frames: the M labelled frames.
        errors: in metres of those that are scored, by file; one that is not finite is the worst.
    """
    scored = [k for k, f in enumerate(frames) if f.file in errors]
    finite = {f: e if np.isfinite(e) else np.inf for f, e in errors.items()}
    worst = sorted(scored, key=lambda k: (-finite[frames[k].file], frames[k].file))[:MOST]
    found = neighbours(simulated, photographs, worst)
    return {
        "stage": stage,
        "features": "where each channel looks",
        "null": found.null,
        "frames": [
            {
                "file": frames[n.photograph].file,
                "error": _or_none(errors[frames[n.photograph].file]),
                "simulated": n.simulated,
                "simulated_distance": n.simulated_distance,
                "real": None if n.real is None else frames[n.real].file,
                "real_distance": n.real_distance,
                "real_error": None if n.real is None else _or_none(errors.get(frames[n.real].file)),
            }
            for n in found.found
        ],
    }


def _or_none(error: float | None) -> float | None:
    return error if error is not None and np.isfinite(error) else None
