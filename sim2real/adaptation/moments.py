"""First and second moments of features, and the map that gives features of one domain those of another."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from calibration.errors import InputError

# Directions with less than this share of the largest variance carry nothing that could be stretched soundly.
_SMALLEST = 1e-9


@dataclass(frozen=True, eq=False)
class Moments:
    """First and second moments of features.

    Attributes:
        mean: (D,) float64.
        covariance: (D, D) float64, of the population.
        pictures: from how many pictures they are.
    """

    mean: torch.Tensor
    covariance: torch.Tensor
    pictures: int

    def mixed(self, other: Moments, prior_count: float) -> Moments:
        """Return the moments of a mixture of `other` and of these, which count as `prior_count` pictures.

        Raises:
            InputError: a negative `prior_count`.
        """
        if not prior_count >= 0.0:
            raise InputError(f"prior_count must be 0 or more pictures, got {prior_count}")
        share = other.pictures / (prior_count + other.pictures)
        rest, apart = 1.0 - share, other.mean - self.mean
        mean = rest * self.mean + share * other.mean
        between = rest * share * torch.outer(apart, apart)
        return Moments(mean, rest * self.covariance + share * other.covariance + between, other.pictures)


class MomentSums:
    """Sums over rows of features, from which moments follow; neither order nor size of the parts counts."""

    def __init__(self, width: int, device: torch.device) -> None:
        self.total = torch.zeros(width, dtype=torch.float64, device=device)
        self.products = torch.zeros(width, width, dtype=torch.float64, device=device)
        self.rows = 0

    def add(self, features: torch.Tensor) -> None:
        """Add features (N, D) or (N, D, H, W), every cell of which is a row."""
        rows = features.detach().double().movedim(1, -1).reshape(-1, len(self.total))
        self.total.add_(rows.sum(dim=0))
        self.products.addmm_(rows.T, rows)
        self.rows += len(rows)

    def moments(self, pictures: int, where: str) -> Moments:
        """Return the moments of all rows.

        Raises:
            InputError: nothing was added, or something that is not finite.
        """
        if self.rows == 0:
            raise InputError("moments need at least one picture, got none")
        mean = self.total / self.rows
        covariance = self.products / self.rows - torch.outer(mean, mean)
        if not bool(torch.isfinite(covariance).all()):
            raise InputError(f"features before {where} are not finite; load a model that was trained soundly")
        return Moments(mean, covariance, pictures)


def transform_between(source: Moments, target: Moments, ridge: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return A (D, D) and c (D,) in float64: A x + c has the source's moments where x has the target's.

    A = (C_s + r I)^1/2 (C_t + r I)^-1/2 with symmetric roots (Sun, Feng and Saenko 2016), r the `ridge` times the
    source's mean variance, so that directions in which few pictures hardly differ are not stretched without bound.

    Raises:
        InputError: a negative ridge, or features of the target that span too few directions for this one.
    """
    if not ridge >= 0.0:
        raise InputError(f"ridge must be 0 or more, got {ridge}")
    eye = torch.eye(len(source.mean), dtype=torch.float64, device=source.mean.device)
    added = ridge * source.covariance.trace() / len(eye) * eye
    stretch = symmetric_power(source.covariance + added, 0.5) @ symmetric_power(target.covariance + added, -0.5)
    return stretch, source.mean - stretch @ target.mean


def symmetric_power(matrix: torch.Tensor, power: float) -> torch.Tensor:
    """Return a power of a symmetric matrix (D, D) without negative eigenvalues beyond rounding.

    Raises:
        InputError: a negative power of a matrix that is singular, or nearly so.
    """
    values, vectors = torch.linalg.eigh((matrix + matrix.T) / 2)
    if power < 0 and bool(values[0] <= _SMALLEST * values[-1]):
        raise InputError(
            f"features span fewer than {len(values)} directions: their smallest variance is {float(values[0]):.1e}, "
            f"their largest {float(values[-1]):.1e}; use a larger ridge or prior_count, or more pictures"
        )
    result: torch.Tensor = (vectors * values.clamp(min=0.0).pow(power)) @ vectors.T
    return result
