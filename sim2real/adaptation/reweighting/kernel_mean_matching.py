"""Kernel mean matching: weights by which the source has the target's mean in a kernel's space."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq, minimize

from sim2real.adaptation.reweighting.kernels import gaussian, median_bandwidth
from sim2real.adaptation.reweighting.weights import checked, with_mean_one

# Keeps the problem strictly convex where rows of the source are equal.
_RIDGE = 1e-8


def kernel_mean_matching_weights(
    source: ArrayLike,
    target: ArrayLike,
    bandwidth: float | None = None,
    largest: float = 100.0,
    slack: float | None = None,
) -> NDArray[np.float64]:
    """Return weights (N,) of the source, mean 1, that bring its mean in the kernel's space nearest to the target's.

    Huang et al. 2007 (Correcting sample selection bias by unlabeled data): minimize w^T K w / 2 - kappa^T w with
    kappa_i = N / M sum_j k(x_i, y_j), 0 <= w <= `largest` and |mean(w) - 1| <= `slack`; k is Gaussian. Afterwards
    weights are divided by their mean.

    Args:
        source: (N, D).
        target: (M, D).
        bandwidth: s in exp(-||x - y||^2 / (2 s^2)); None: the median distance.
        largest: bound of a weight, above 1.
        slack: of the mean, 0 or more; None: (sqrt(N) - 1) / sqrt(N), as in the paper.

    Raises:
        ValueError: other shapes, values that are not finite, or a setting out of range.
    """
    x, y = checked("kernel_mean_matching_weights", source, target)
    n = len(x)
    width = median_bandwidth(x, y) if bandwidth is None else bandwidth
    loose = (np.sqrt(n) - 1) / np.sqrt(n) if slack is None else slack
    if width <= 0 or largest <= 1 or loose < 0:
        raise ValueError(
            f"kernel_mean_matching_weights needs bandwidth above 0, largest above 1 and slack 0 or more, got {width}, "
            f"{largest} and {loose}"
        )
    kernel = gaussian(x, x, width)
    kernel[np.diag_indices(n)] += _RIDGE
    kappa = n * gaussian(x, y, width).mean(axis=1)
    return with_mean_one(_quadratic_program(kernel, kappa, largest, max(1 - loose, 0.0), 1 + loose))


def _quadratic_program(
    kernel: NDArray[np.float64], kappa: NDArray[np.float64], largest: float, low: float, high: float
) -> NDArray[np.float64]:
    """Return the minimizer of w^T K w / 2 - kappa^T w with 0 <= w <= largest and low <= mean(w) <= high.

    The bound on the mean has one multiplier; for each value of it a box is all that is left, and the mean falls as it
    grows.
    """
    n = len(kappa)
    last = np.ones(n)

    def in_box(multiplier: float) -> NDArray[np.float64]:
        nonlocal last

        def objective(w: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            pulled = kernel @ w
            linear = kappa - multiplier
            return float(w @ (0.5 * pulled - linear)) / n, (pulled - linear) / n

        options = {"maxiter": 2000, "maxfun": 4000, "ftol": 1e-14, "gtol": 1e-9, "maxcor": 30}
        found = minimize(objective, last, jac=True, bounds=[(0.0, largest)] * n, method="L-BFGS-B", options=options)
        last = np.asarray(found.x, dtype=np.float64)
        return last

    free = in_box(0.0)
    if low <= free.mean() <= high:
        return free
    wanted = high if free.mean() > high else low
    # With this multiplier or its negative, kappa is outweighed everywhere: all weights are 0, or all the largest.
    far = float(np.abs(kappa).max() + largest * kernel.sum(axis=1).max()) + 1.0
    ends = (0.0, far) if free.mean() > high else (-far, 0.0)
    multiplier = brentq(lambda m: in_box(m).mean() - wanted, *ends, xtol=1e-9 * far, rtol=1e-10, maxiter=60)
    return in_box(multiplier)
