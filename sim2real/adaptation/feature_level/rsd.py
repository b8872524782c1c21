"""Representation subspace distance: align the subspaces that the features of two batches span."""

from __future__ import annotations

import torch

from calibration.errors import InputError
from sim2real.adaptation.feature_level.alignment import Alignment, check_features
from sim2real.adaptation.seen import Seen

_MISMATCH_WEIGHT = 0.1
# Directions below this share of the largest singular value are not spanned; sines below it are 0.
_RANK = 1e-9
# Squared singular values closer than this, as a share of the largest, turn into each other without a gradient.
_GAP = 1e-6


def rsd(source: torch.Tensor, target: torch.Tensor, mismatch_weight: float = _MISMATCH_WEIGHT) -> torch.Tensor:
    """Return the sum of `rsd_terms`, the second times `mismatch_weight`; shapes and errors as there."""
    distance, mismatch = rsd_terms(source, target)
    return distance + mismatch_weight * mismatch


def rsd_terms(source: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the sum of the sines of the principal angles, and the mismatch of bases.

    Chen et al. 2021 (Representation Subspace Distance): with U_s and U_t the left singular vectors of the features in
    columns and U_s^T U_t = P cos(theta) Q^T, the terms are sum(sin(theta)) and || |P| - |Q| ||, the Frobenius norm.
    Features are not centred. Neither the order of rows nor the size of the features counts, and a rotation common to
    both domains changes nothing. Where batches span subspaces of unequal dimension, the leading singular directions
    are compared.

    Sines are the singular values of U_t - U_s U_s^T U_t, exact for small angles, where sqrt(1 - cos^2) is NaN or has
    no gradient. Gradients are finite everywhere: that of an angle of 0 is 0, singular vectors with equal singular
    values do not mix.

    Args:
        source: (N, D), N below D.
        target: (M, D), M below D.

    Raises:
        InputError: a batch as large as the features or larger: it spans all space, so that every angle is 0.
    """
    check_features("rsd", source, target)
    rows, size = max(len(source), len(target)), source.shape[1]
    if rows >= size:
        raise InputError(
            f"rsd needs fewer pictures in a batch than features, got {rows} pictures and {size} features; "
            "make the batch smaller or take a stage with more channels"
        )
    x, y = source.double().T, target.double().T
    if not bool(torch.isfinite(x).all() and torch.isfinite(y).all()):
        nothing = (source.sum() + target.sum()) * torch.nan
        return nothing, nothing
    rank = min(_rank(x), _rank(y))
    us, ut = (_singular_vectors(a, rank)[0] for a in (x, y))
    cosines = us.T @ ut
    p, q = _singular_vectors(cosines, rank)
    distance = _nuclear_norm(ut - us @ cosines)
    return distance.to(source.dtype), torch.linalg.norm(p.abs() - q.abs()).to(source.dtype)


class Rsd(Alignment):
    """`rsd` of the features."""

    def forward(self, source: Seen, target: Seen, labels: torch.Tensor, strength: float) -> torch.Tensor:
        """Return the loss times `strength`."""
        return strength * rsd(source.features, target.features)


def _rank(a: torch.Tensor) -> int:
    values = torch.linalg.svdvals(a.detach())
    return int((values > _RANK * values[0]).sum())


def _singular_vectors(a: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the leading singular vectors, left and right, with a gradient that is finite where values are equal.

    Each is its value plus its differential in a, whose value is 0: autograd then gives the textbook derivative.
    """
    u, s, vh = torch.linalg.svd(a.detach(), full_matrices=False)
    v = vh.T
    change = a - a.detach()
    inner = u.T @ change @ v
    square = s**2
    gap = square[None, :] - square[:, None]
    blur = _GAP * square[:1].clamp(min=torch.finfo(s.dtype).tiny)
    turn = gap / (gap**2 + blur**2)
    inverse = torch.where(s > _RANK * s[:1], 1 / s, 0.0)
    left = u @ (turn * (inner * s + s[:, None] * inner.T)) + (change @ v - u @ inner) * inverse
    right = v @ (turn * (s[:, None] * inner + inner.T * s)) + (change.T @ u - v @ inner.T) * inverse
    return (u + left)[:, :count], (v + right)[:, :count]


def _nuclear_norm(a: torch.Tensor) -> torch.Tensor:
    """Return the sum of singular values; its gradient U V^T, which needs no gaps, leaves out those that are 0."""
    u, s, vh = torch.linalg.svd(a.detach(), full_matrices=False)
    kept = (s > _RANK).to(s.dtype)
    total: torch.Tensor = ((u * kept) @ vh * a).sum()
    return total
