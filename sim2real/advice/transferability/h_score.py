"""H-score: how much of the features' variance the labels explain, relative to all of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim2real.advice.arrays import Floats, paired, rows


def h_score(features: ArrayLike, labels: ArrayLike, regularised: bool = True) -> float:
    """Return tr(cov(f)^-1 cov(E[f|y])) with E[f|y] linear in the labels, fitted by least squares (with intercept).

    This is the regression form: for a linear Gaussian model it is the sum of the squared canonical correlations
    between features and labels, at most the number of label columns. See `binned_h_score` for the other form and
    `covariance_ratio` for what `regularised` does.

    Args:
        features: (N, D).
        labels: (N, L) or (N,).
        regularised: shrink the covariance of the features.

    Raises:
        ValueError: other shapes, fewer than two rows, or values that are not finite.
    """
    f, y = paired(features, labels)
    design = np.column_stack([np.ones(len(y)), y])
    coefficients = np.linalg.lstsq(design, f, rcond=None)[0]
    return covariance_ratio(f, design @ coefficients, regularised)


def binned_h_score(features: ArrayLike, classes: NDArray[np.int64], regularised: bool = True) -> float:
    """Return tr(cov(f)^-1 cov(E[f|y])) with E[f|y] the mean of each class (Bao et al. 2019).

    Args:
        features: (N, D).
        classes: (N,), for continuous labels their bins, as of `label_bins`.
        regularised: shrink the covariance of the features.

    Raises:
        ValueError: other shapes, fewer than two rows, or values that are not finite.
    """
    f, _ = paired(features, classes)
    _, inverse, counts = np.unique(classes, return_inverse=True, return_counts=True)
    sums = np.zeros((len(counts), f.shape[1]))
    np.add.at(sums, inverse, f)
    return covariance_ratio(f, (sums / counts[:, None])[inverse], regularised)


def covariance_ratio(features: Floats, expected: Floats, regularised: bool) -> float:
    """Return tr(C^-1 Z) of the covariance C of features (N, D) and Z of their expectations (N, D).

    Both are divided by N. Regularised, C is shrunk towards a multiple of the identity by Ledoit and Wolf's intensity a
    and the result is multiplied by 1 - a (Ibrahim et al. 2022); otherwise C is inverted where it is not 0
    (pseudo-inverse), which says nothing once D reaches N. Everything is done among the N rows, so D may be large.
    """
    n, d = features.shape
    centred = features - features.mean(axis=0)
    between = expected - features.mean(axis=0)
    _, s, vt = np.linalg.svd(centred, full_matrices=False)
    variance = s**2 / n
    if variance[0] <= 0:
        return 0.0
    # Expectations given the labels are combinations of the rows, so they lie in what the rows span.
    explained = ((between @ vt.T) ** 2).sum(axis=0) / n
    if not regularised:
        kept = s > s[0] * max(n, d) * np.finfo(np.float64).eps
        return float((explained[kept] / variance[kept]).sum())
    shrinkage = ledoit_wolf_shrinkage(centred)
    shrunk = (1 - shrinkage) * variance + shrinkage * variance.sum() / d
    kept = shrunk > 0
    return float((1 - shrinkage) * (explained[kept] / shrunk[kept]).sum())


def ledoit_wolf_shrinkage(centred: Floats) -> float:
    """Return the weight of the identity, 0 to 1, in the best estimate of a covariance (Ledoit and Wolf 2004).

    Args:
        centred: (N, D), its columns have mean 0.
    """
    n, d = centred.shape
    gram = centred @ centred.T if n <= d else centred.T @ centred
    mean = (centred**2).sum() / n / d
    squared = (gram**2).sum() / n**2
    distance = squared - d * mean**2
    noise = (((centred**2).sum(axis=1) ** 2).sum() / n - squared) / n
    if distance <= np.finfo(np.float64).eps * squared:
        return 1.0
    return float(np.clip(noise / distance, 0.0, 1.0))


def label_bins(labels: ArrayLike, bins: int) -> NDArray[np.int64]:
    """Return a class for each label (N, L): each column is cut into `bins` parts of equal count, their cells numbered.

    Equal values share a part.

    Raises:
        ValueError: fewer than one bin, or labels that are not finite.
    """
    y = rows(labels, "labels")
    if bins < 1:
        raise ValueError(f"bins must be 1 or more, got {bins}")
    codes = np.zeros(len(y), np.int64)
    for column in y.T:
        edges = np.quantile(column, np.arange(1, bins) / bins)
        codes = codes * bins + np.searchsorted(edges, column, side="left")
    return np.unique(codes, return_inverse=True)[1].astype(np.int64)
