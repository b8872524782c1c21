"""Kernel distances of two sets of features: KID, and MMD with a permutation test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from sim2real.advice.arrays import Floats, two_samples
from sim2real.advice.distances.null import Null, halves_null

# A thousand frames a subset are usual (Binkowski et al. 2018).
_SUBSET = 1000
_SUBSETS = 50
_SPLITS = 50
_PERMUTATIONS = 499


@dataclass(frozen=True)
class KernelInceptionDistance:
    """A KID.

    Attributes:
        value: unbiased, so it may be below 0.
        subset_size: frames of each set that were compared at a time.
        subsets: how many times; 1 where all frames are compared at once.
        null: the same between halves of the first set; None unless asked for.
    """

    value: float
    subset_size: int
    subsets: int
    null: Null | None


@dataclass(frozen=True)
class MmdTest:
    """A squared maximum mean discrepancy and how probable one as large is where both sets come from one.

    Attributes:
        value: unbiased, so it may be below 0.
        p_value: of the permutation test, at least 1 / (permutations + 1).
        bandwidth: of the kernel.
        permutations: how many there were.
    """

    value: float
    p_value: float
    bandwidth: float
    permutations: int


def kid(
    first: ArrayLike,
    second: ArrayLike,
    seed: int = 0,
    subset_size: int = _SUBSET,
    subsets: int = _SUBSETS,
    null_splits: int = _SPLITS,
) -> KernelInceptionDistance:
    """Return the kernel distance of Binkowski et al. (2018): `mmd` with `polynomial_kernel`, unbiased.

    Sets larger than `subset_size` are compared by random subsets and averaged; smaller ones as a whole, since subsets
    of few frames would only add noise. It depends on the scale of the features, so it compares sets, not networks.

    Args:
        first: (N, D).
        second: (M, D).
        seed: of subsets and halves.
        subset_size: most frames of a set that are compared at a time.
        subsets: how many, where one of the sets is larger.
        null_splits: how many times the first set is halved for the null; 0: there is none.

    Raises:
        ValueError: other shapes, values that are not finite, fewer than two frames of a set, or four for the null.
    """
    a, b = two_samples(first, second)
    if subset_size < 2 or subsets < 1:
        raise ValueError(f"subset_size must be 2 or more and subsets 1 or more, got {subset_size} and {subsets}")
    size_a, size_b = min(subset_size, len(a)), min(subset_size, len(b))
    if size_a == len(a) and size_b == len(b):
        value, subsets = _kid(a, b), 1
    else:
        rng = np.random.default_rng([seed, 47])
        drawn = []
        for _ in range(subsets):
            part_a, part_b = rng.permutation(len(a))[:size_a], rng.permutation(len(b))[:size_b]
            drawn.append(_kid(a[part_a], b[part_b]))
        value = float(np.mean(drawn))
    null = None
    if null_splits:
        null = halves_null(a, lambda x, y, _: _kid(x[:subset_size], y[:subset_size]), seed, null_splits)
    return KernelInceptionDistance(value, min(size_a, size_b), subsets, null)


def _kid(a: Floats, b: Floats) -> float:
    return mmd(polynomial_kernel(a, a), polynomial_kernel(b, b), polynomial_kernel(a, b))


def polynomial_kernel(first: Floats, second: Floats) -> Floats:
    """Return (x . y / D + 1)^3 for rows of (N, D) and (M, D), as (N, M)."""
    return np.asarray((first @ second.T / first.shape[1] + 1.0) ** 3)


def rbf_kernel(first: Floats, second: Floats, bandwidth: float) -> Floats:
    """Return exp(-|x - y|^2 / (2 bandwidth^2)) for rows of (N, D) and (M, D), as (N, M)."""
    return np.asarray(np.exp(-squared_distances(first, second) / (2 * bandwidth**2)))


def squared_distances(first: Floats, second: Floats) -> Floats:
    """Return squared Euclidean distances (N, M) of rows of (N, D) and (M, D), never below 0."""
    # The common mean is taken off first: what cancels is then small.
    middle = first.mean(axis=0)
    a, b = first - middle, second - middle
    return np.asarray(np.maximum((a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T, 0.0))


def mmd(within_first: Floats, within_second: Floats, between: Floats) -> float:
    """Return the unbiased squared MMD of kernels (N, N), (M, M), (N, M) (Gretton et al. 2012, equation 3)."""
    n, m = between.shape
    a = (within_first.sum() - np.trace(within_first)) / (n * (n - 1))
    b = (within_second.sum() - np.trace(within_second)) / (m * (m - 1))
    return float(a + b - 2 * between.mean())


def mmd_test(
    first: ArrayLike,
    second: ArrayLike,
    seed: int = 0,
    permutations: int = _PERMUTATIONS,
    bandwidth: float | None = None,
) -> MmdTest:
    """Return the unbiased squared MMD with a Gaussian kernel, and its p-value by exchanging frames between the sets.

    Args:
        first: (N, D).
        second: (M, D).
        seed: of the permutations.
        permutations: how many.
        bandwidth: of the kernel; default: the median distance of any two frames of both sets (Gretton et al. 2012).

    Raises:
        ValueError: other shapes, values that are not finite, fewer than two frames of a set, or no permutation.
    """
    a, b = two_samples(first, second)
    if permutations < 1:
        raise ValueError(f"permutations must be 1 or more, got {permutations}")
    both, n = np.concatenate([a, b]), len(a)
    distance = squared_distances(both, both)
    if bandwidth is None:
        bandwidth = float(np.median(np.sqrt(distance[np.triu_indices(len(both), 1)]))) or 1.0
    kernel = np.exp(-distance / (2 * bandwidth**2))
    rng = np.random.default_rng([seed, 53])
    chosen = np.zeros((permutations + 1, len(both)))
    chosen[0, :n] = 1.0
    for row in chosen[1:]:
        row[rng.permutation(len(both))[:n]] = 1.0
    values = _mmd_of_choices(kernel, chosen)
    # What differs by rounding alone is as large.
    larger = int((values[1:] >= values[0] - 1e-12).sum())
    return MmdTest(float(values[0]), (1 + larger) / (1 + permutations), bandwidth, permutations)


def _mmd_of_choices(kernel: Floats, chosen: Floats) -> Floats:
    """Return the unbiased MMD for each row of `chosen` (P, N), 1 for the frames of the first set, else 0."""
    n = chosen[0].sum()
    m = len(kernel) - n
    own = np.diag(kernel)
    row_sum = chosen @ kernel
    within_first = (row_sum * chosen).sum(axis=1)
    between = (row_sum * (1 - chosen)).sum(axis=1)
    within_second = kernel.sum() - within_first - 2 * between
    a = (within_first - chosen @ own) / (n * (n - 1))
    b = (within_second - (1 - chosen) @ own) / (m * (m - 1))
    return np.asarray(a + b - 2 * between / (n * m))
