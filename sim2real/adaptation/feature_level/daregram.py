"""DARE-GRAM: align the inverse Gram matrices of the features, on which a linear regressor depends."""

from __future__ import annotations

import torch

from sim2real.adaptation.feature_level.alignment import Alignment, check_features
from sim2real.adaptation.seen import Seen

_THRESHOLD = 0.99
_ANGLE_WEIGHT = 1.0
# The slope of the scale is 30 to 100 times that of the angle for pooled features of trained networks.
_SCALE_WEIGHT = 0.02
# Eigenvalues below this share of the largest cannot be inverted.
_FLOOR = 1e-10
# A kept and a left out eigenvalue closer than this, as a share of the largest, do not change places by a gradient.
_GAP = 1e-6


def daregram(
    source: torch.Tensor,
    target: torch.Tensor,
    threshold: float = _THRESHOLD,
    angle_weight: float = _ANGLE_WEIGHT,
    scale_weight: float = _SCALE_WEIGHT,
) -> torch.Tensor:
    """Return the weighted sum of `daregram_terms`; shapes and errors as there."""
    angle, scale = daregram_terms(source, target, threshold)
    return angle_weight * angle + scale_weight * scale


def daregram_terms(
    source: torch.Tensor, target: torch.Tensor, threshold: float = _THRESHOLD, rank: int | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return how far the inverse Gram matrices differ in angle, and the Gram matrices in scale.

    Nejjar et al. 2023 (DARE-GRAM): A is the features with a column of ones, G = A^T A / N. The k
    leading eigenvalues of each G are kept, k being the least whose share of the sum reaches `threshold` in both
    domains.

    - angle: the mean over the D + 1 columns of 1 - cos(column of the pseudo-inverse of G_s, the same of G_t). A column
      that is 0 in both counts as alike.
    - scale: the Euclidean norm of the difference of the k leading eigenvalues, over k. The published code does not
      divide G by N, so that its scale grows with the batch.

    The order of rows does not count. A rotation of the features common to both domains changes the angle, whose
    columns are features, but not the scale. The pseudo-inverse is A^T f(K) A / N with K = A A^T / N and f(x) = x^-2 on
    what is kept, so that nothing larger than N x (D + 1) is made; gradients are those of f (Daleckii and Krein), exact
    where kept eigenvalues are equal.

    Args:
        source: (N, D).
        target: (M, D).
        threshold: above 0, at most 1.
        rank: k, instead of a threshold; no more than both batches have.

    Raises:
        ValueError: other shapes, or a threshold or rank out of range.
    """
    check_features("daregram", source, target)
    if not 0 < threshold <= 1 or (rank is not None and rank < 1):
        raise ValueError(f"daregram needs 0 < threshold <= 1 and rank 1 or more, got {threshold} and {rank}")
    a, b = (torch.nn.functional.pad(x.double(), (1, 0), value=1.0) for x in (source, target))
    if not bool(torch.isfinite(a).all() and torch.isfinite(b).all()):
        nothing = (source.sum() + target.sum()) * torch.nan
        return nothing, nothing
    spectra = [torch.linalg.eigh((x @ x.T / len(x)).detach()) for x in (a, b)]
    values = [s.eigenvalues.flip(0) for s in spectra]
    vectors = [s.eigenvectors.flip(1) for s in spectra]
    invertible = min(int((v > _FLOOR * v[0]).sum()) for v in values)
    k = min(rank or max(_needed(v, threshold) for v in values), invertible)
    source_factor, source_leading = _factor(a, values[0], vectors[0], k)
    target_factor, target_leading = _factor(b, values[1], vectors[1], k)
    dot = (source_factor * (a @ b.T @ target_factor)).sum(dim=0)
    source_square = (source_factor * (a @ a.T @ source_factor)).sum(dim=0)
    target_square = (target_factor * (b @ b.T @ target_factor)).sum(dim=0)
    angle = (1 - _cosine(dot, source_square, target_square)).mean()
    scale = torch.linalg.norm(source_leading - target_leading) / k
    return angle.to(source.dtype), scale.to(source.dtype)


class DareGram(Alignment):
    """`daregram` of the features."""

    def forward(self, source: Seen, target: Seen, labels: torch.Tensor, strength: float) -> torch.Tensor:
        """Return the loss times `strength`."""
        return strength * daregram(source.features, target.features)


def _needed(values: torch.Tensor, threshold: float) -> int:
    share = values.clamp(min=0.0).cumsum(0) / values.clamp(min=0.0).sum()
    # Rounding must not ask for one more than all of them.
    return min(int((share < threshold).sum()) + 1, len(values))


def _factor(a: torch.Tensor, values: torch.Tensor, vectors: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return f(K) A / N, of which A^T times it is the pseudo-inverse, and the k leading eigenvalues, with gradients.

    Values and vectors of K come without gradient, largest first. What is returned is its value plus its differential in
    K, whose value is 0; that of f(K) has the divided differences of f, (f(x) - f(y)) / (x - y), which for x^-2 are
    -(x + y) / (x y)^2 also where x = y.
    """
    kept = values[:k]
    divided = torch.zeros_like(vectors)
    divided[:k, :k] = -(kept[:, None] + kept[None, :]) / (kept[:, None] * kept[None, :]) ** 2
    gap = kept[:, None] - values[None, k:]
    divided[:k, k:] = kept[:, None] ** -2 * gap / (gap**2 + (_GAP * values[0]) ** 2)
    divided[k:, :k] = divided[:k, k:].T
    f = torch.nn.functional.pad(kept**-2, (0, len(values) - k))
    change = vectors.T @ (a @ a.T / len(a)) @ vectors
    change = change - change.detach()
    power = vectors @ (torch.diag(f) + divided * change) @ vectors.T
    return power @ a / len(a), kept + change.diagonal()[:k]


def _cosine(dot: torch.Tensor, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Return cosines from inner products and squared lengths; 1 where both lengths are 0, 0 where one is."""
    there = [square > 1e-20 * square.detach().max() for square in (first, second)]
    both = there[0] & there[1]
    lengths = torch.where(both, first, 1.0).sqrt() * torch.where(both, second, 1.0).sqrt()
    return torch.where(both, (dot / lengths).clamp(max=1.0), (~(there[0] | there[1])).to(dot.dtype))
