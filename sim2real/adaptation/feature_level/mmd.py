"""Maximum mean discrepancy: how far apart two samples are, by kernels."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from sim2real.adaptation.feature_level.alignment import Alignment, check_features
from sim2real.adaptation.seen import Seen

# Bandwidths as multiples of the median distance.
FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)
Bandwidths = Sequence[float] | torch.Tensor


def mmd(
    source: torch.Tensor, target: torch.Tensor, bandwidths: Bandwidths | None = None, *, unbiased: bool = False
) -> torch.Tensor:
    """Return the squared maximum mean discrepancy with a MEAN of Gaussian kernels exp(-||x - y||^2 / (2 s^2)).

    Gretton et al. 2012: equation 3 (unbiased U-statistic) or 5 (biased V-statistic); the mean over several bandwidths
    s is the multi-kernel MMD of Long et al. 2015 (DAN) with equal weights. A rotation or a shift common to both
    domains changes nothing.

    Args:
        source: (N, D).
        target: (M, D).
        bandwidths: each s, in units of the features; None: `median_bandwidths`, which carry no gradient.
        unbiased: leave out the pairs of a row with itself (N and M at least 2); may be negative and is not clipped, so
            it is for measuring. The biased one is never negative and is for losses.

    Raises:
        ValueError: other shapes.
    """
    check_features("mmd", source, target, least=2 if unbiased else 1)
    x, y = source.double(), target.double()
    widths = median_bandwidths(x, y) if bandwidths is None else bandwidths
    kernels = (gaussian_kernel(squared_distances(a, b), widths) for a, b in ((x, x), (y, y), (x, y)))
    return discrepancy(*kernels, unbiased=unbiased).to(source.dtype)


class Mmd(Alignment):
    """`mmd` of the features, biased, with five bandwidths around the median distance."""

    def forward(self, source: Seen, target: Seen, labels: torch.Tensor, strength: float) -> torch.Tensor:
        """Return the loss times `strength`."""
        return strength * mmd(source.features, target.features)


def squared_distances(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return ||x_i - y_j||^2, (N, M), from differences: exactly 0, with gradient 0, where rows are equal."""
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist") ** 2


@torch.no_grad()
def median_bandwidths(source: torch.Tensor, target: torch.Tensor, factors: Sequence[float] = FACTORS) -> torch.Tensor:
    """Return multiples of the median distance between two different rows of both domains together, without gradient.

    Pairs of equal rows do not count; where all rows are equal the median counts as 1, since any bandwidth is as good.
    """
    both = torch.cat([source, target]).double()
    distances = torch.nn.functional.pdist(both)
    distances = distances[distances > 0].sort().values
    count = len(distances)
    median = (distances[(count - 1) // 2] + distances[count // 2]) / 2 if count else both.new_tensor(1.0)
    return median * torch.tensor(factors, dtype=torch.float64, device=both.device)


def gaussian_kernel(squared: torch.Tensor, bandwidths: Bandwidths) -> torch.Tensor:
    """Return the mean over bandwidths s of exp(-squared / (2 s^2)), of the shape of `squared`."""
    total = torch.zeros_like(squared)
    for width in bandwidths:
        total = total + torch.exp(-squared / (2 * width**2))
    return total / len(bandwidths)


def discrepancy(
    source: torch.Tensor, target: torch.Tensor, between: torch.Tensor, *, unbiased: bool = False
) -> torch.Tensor:
    """Return the squared MMD of kernel matrices (N, N), (M, M) and (N, M)."""
    return _mean(source, unbiased) + _mean(target, unbiased) - 2 * between.mean()


def _mean(kernel: torch.Tensor, unbiased: bool) -> torch.Tensor:
    if not unbiased:
        return kernel.mean()
    n = len(kernel)
    return (kernel.sum() - kernel.diagonal().sum()) / (n * (n - 1))
