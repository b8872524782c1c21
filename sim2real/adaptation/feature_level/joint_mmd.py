"""Joint maximum mean discrepancy: features and outputs compared together."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from sim2real.adaptation.feature_level.alignment import Alignment, check_features
from sim2real.adaptation.feature_level.mmd import (
    Bandwidths,
    discrepancy,
    gaussian_kernel,
    median_bandwidths,
    squared_distances,
)
from sim2real.adaptation.seen import Seen


def joint_mmd(
    source: Sequence[torch.Tensor],
    target: Sequence[torch.Tensor],
    bandwidths: Sequence[Bandwidths] | None = None,
    *,
    unbiased: bool = False,
) -> torch.Tensor:
    """Return the squared MMD under the product of the layers' kernels, each a mean of Gaussians as in `mmd`.

    Long et al. 2017 (JAN). Rows of all layers belong together, so the joint distribution is compared: it
    can differ where each layer's own distribution is the same.

    Args:
        source: layers (N, D_l), such as features and outputs.
        target: the same layers, (M, D_l).
        bandwidths: of each layer; None: `median_bandwidths` of each.
        unbiased: as in `mmd`.

    Raises:
        ValueError: other shapes or numbers of layers.
    """
    counts = {len(source), len(target), len(source) if bandwidths is None else len(bandwidths)}
    if len(counts) != 1 or not source:
        raise ValueError(f"joint_mmd needs as many layers of each domain (and bandwidths), got {sorted(counts)}")
    layers = []
    for k, (x, y) in enumerate(zip(source, target, strict=True)):
        check_features("joint_mmd", x, y, least=2 if unbiased else 1)
        a, b = x.double(), y.double()
        widths = median_bandwidths(a, b) if bandwidths is None else bandwidths[k]
        layers.append([gaussian_kernel(squared_distances(p, q), widths) for p, q in ((a, a), (b, b), (a, b))])
    kernels = (math.prod(parts[1:], start=parts[0]) for parts in zip(*layers, strict=True))
    return discrepancy(*kernels, unbiased=unbiased).to(source[0].dtype)


class JointMmd(Alignment):
    """`joint_mmd` of features and outputs, biased; the source's outputs count, not its labels, as in the paper."""

    def forward(self, source: Seen, target: Seen, labels: torch.Tensor, strength: float) -> torch.Tensor:
        """Return the loss times `strength`."""
        return strength * joint_mmd((source.features, source.output), (target.features, target.output))
