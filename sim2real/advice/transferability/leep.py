"""LEEP: how well a source classifier's answers predict the labels of the target."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim2real.advice.arrays import rows


def leep(probabilities: ArrayLike, classes: NDArray[np.int64]) -> float:
    """Return the log expected empirical prediction per sample, in nats, at most 0 (Nguyen et al. 2020).

    For continuous labels the classes are bins (`h_score.label_bins`), and for a keypoint model the probabilities are
    shares of its heatmap in coarse cells.

    Args:
        probabilities: (N, Z) of the source's answers, rows sum to 1.
        classes: (N,) of the target.

    Raises:
        ValueError: other shapes, or rows that are no probabilities.
    """
    p = rows(probabilities, "probabilities")
    if (p < 0).any() or not np.allclose(p.sum(axis=1), 1.0, atol=1e-4):
        raise ValueError("probabilities must be 0 or more and sum to 1 in each row")
    if np.shape(classes) != (len(p),):
        raise ValueError(f"classes must be ({len(p)},), got shape {np.shape(classes)}")
    _, inverse, counts = np.unique(classes, return_inverse=True, return_counts=True)
    joint = np.zeros((len(counts), p.shape[1]))
    np.add.at(joint, inverse, p / len(p))
    marginal = joint.sum(axis=0)
    conditional = np.divide(joint, marginal, out=np.zeros_like(joint), where=marginal > 0)
    expected = (conditional[inverse] * p).sum(axis=1)
    return float(np.log(expected).mean())
