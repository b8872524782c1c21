"""Errors of the classical probes on features, each frame predicted without the labels of its own group."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from sim2real.adaptation.fine_tuning.probes import Probe, knn_probe, linear_probe
from sim2real.advice.arrays import Floats, paired

# Beside ridge regression, whose errors `linear_probe.probe_errors` gives in closed form.
PROBES: dict[str, Callable[[Floats, Floats], Probe]] = {
    "least squares": linear_probe,
    "nearest": lambda features, labels: knn_probe(features, labels, 3),
}


def left_out_errors(
    probe: str, features: ArrayLike, labels: ArrayLike, groups: Sequence[object] | None = None
) -> Floats:
    """Return the distance between label and prediction (N,) of one of `PROBES`, in the labels' unit.

    Args:
        probe: its name.
        features: (N, D).
        labels: (N, L).
        groups: (N,), each predicted from the others; default: each frame is its own.

    Raises:
        ValueError: other shapes, values that are not finite, or fewer than two groups.
    """
    f, y = paired(features, labels)
    own = np.array([str(g) for g in groups]) if groups is not None else np.arange(len(f)).astype(str)
    names = np.unique(own)
    if len(names) < 2:
        raise ValueError(f"a probe needs 2 or more groups of frames, got {len(names)}")
    errors = np.zeros(len(f))
    for name in names:
        out = own == name
        errors[out] = np.linalg.norm(PROBES[probe](f[~out], y[~out]).predict(f[out]) - y[out], axis=1)
    return errors
