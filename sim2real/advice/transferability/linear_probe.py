"""The error of a ridge regression on features, each frame predicted without its own label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim2real.advice.arrays import Floats, paired

# Ridge strengths to choose from, in units of the mean squared length of the centred features.
STRENGTHS: tuple[float, ...] = tuple(float(v) for v in np.geomspace(1e-5, 1e2, 15))


@dataclass(frozen=True, eq=False)
class ProbeErrors:
    """Errors of a cross-validated linear probe.

    Attributes:
        errors: (N,), distance between label and prediction, in the labels' unit.
        chance: (N,), the same for predicting the mean of the other labels.
        groups: how many folds there were.
    """

    errors: Floats
    chance: Floats
    groups: int


def probe_errors(
    features: ArrayLike, labels: ArrayLike, groups: Sequence[object] | None = None, strengths: Sequence[float] = ()
) -> ProbeErrors:
    """Return the errors of a ridge regression with intercept; frames of one group are predicted from the others.

    The strength is chosen anew for each left-out group, by the closed-form errors of the rest, so that the errors are
    not the best of many.

    Args:
        features: (N, D).
        labels: (N, L) or (N,).
        groups: (N,); default: each frame is its own.
        strengths: to choose from; default: `STRENGTHS`.

    Raises:
        ValueError: other shapes, values that are not finite, or fewer than three groups.
    """
    f, y = paired(features, labels)
    codes = _codes(len(f), groups)
    count = int(codes.max()) + 1
    if count < 3:
        raise ValueError(f"a probe needs 3 or more groups of frames, got {count}")
    kernel = f @ f.T
    errors, chance = np.zeros(len(f)), np.zeros(len(f))
    for left_out in range(count):
        out = codes == left_out
        train = kernel[np.ix_(~out, ~out)]
        unit = _mean_square(train) or 1.0
        tried = [s * unit for s in strengths or STRENGTHS]
        scores = [_mean_error(r) for r in left_out_residuals(train, y[~out], codes[~out], tried)]
        predicted = _predict(train, kernel[np.ix_(out, ~out)], y[~out], tried[int(np.argmin(scores))])
        errors[out] = np.linalg.norm(predicted - y[out], axis=1)
        chance[out] = np.linalg.norm(y[~out].mean(axis=0) - y[out], axis=1)
    return ProbeErrors(errors, chance, count)


def left_out_residuals(
    kernel: Floats, labels: Floats, codes: NDArray[np.int64], strengths: Sequence[float]
) -> list[Floats]:
    """Return, by strength, label minus prediction (N, L) of ridge regression, each group left out of its own fit.

    In closed form: with the hat matrix H and the residuals r of one fit to all, those of a left-out group g are
    (I - H_gg)^-1 r_g, the block form of the PRESS residual (Allen 1974).

    Args:
        kernel: (N, N), inner products of the features.
        labels: (N, L).
        codes: (N,), group of each frame, 0 and up.
        strengths: of the penalty, which leaves the intercept free.
    """
    n = len(kernel)
    middle = np.eye(n) - 1.0 / n
    values, vectors = np.linalg.eigh(middle @ kernel @ middle)
    values = np.maximum(values, 0.0)
    members = [np.flatnonzero(codes == code) for code in np.unique(codes)]
    found = []
    for strength in strengths:
        hat = 1.0 / n + (vectors * (values / (values + strength))) @ vectors.T
        residual = labels - hat @ labels
        if len(members) == n:
            found.append(residual / (1.0 - np.diag(hat))[:, None])
            continue
        for own in members:
            residual[own] = np.linalg.solve(np.eye(len(own)) - hat[np.ix_(own, own)], residual[own])
        found.append(residual)
    return found


def _codes(count: int, groups: Sequence[object] | None) -> NDArray[np.int64]:
    if groups is None:
        return np.arange(count)
    if len(groups) != count:
        raise ValueError(f"groups must be one a frame, {count}, got {len(groups)}")
    known: dict[object, int] = {}
    return np.array([known.setdefault(g, len(known)) for g in groups])


def _predict(kernel: Floats, between: Floats, labels: Floats, strength: float) -> Floats:
    mean, column_mean = labels.mean(axis=0), kernel.mean(axis=0)
    middle = np.eye(len(kernel)) - 1.0 / len(kernel)
    weights = np.linalg.solve(middle @ kernel @ middle + strength * np.eye(len(kernel)), labels - mean)
    return np.asarray(mean + (between - column_mean) @ (middle @ weights))


def _mean_square(kernel: Floats) -> float:
    return float(np.trace(kernel) / len(kernel) - kernel.mean())


def _mean_error(residuals: Floats) -> float:
    return float(np.linalg.norm(residuals, axis=1).mean())
