"""CORAL: make the covariances of the features of two domains alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from sim2real.adaptation.feature_level.alignment import Alignment, check_features
from sim2real.adaptation.moments import symmetric_power
from sim2real.adaptation.seen import Seen

Direction = Literal["target_to_source", "source_to_target"]


def coral_loss(source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the squared Frobenius norm of the difference of covariances, over 4 D^2.

    Sun and Saenko 2016 (Deep CORAL), equations 1 to 3: covariances are unbiased and means are not compared. It is not
    the mean squared difference of covariances, nor does it add one of means, as the loss of that name does in some
    libraries. A rotation common to both domains changes nothing.

    Args:
        source: (N, D), N at least 2.
        target: (M, D), M at least 2.

    Raises:
        ValueError: other shapes.
    """
    check_features("coral_loss", source, target, least=2)
    difference = _covariance(source.double()) - _covariance(target.double())
    return ((difference**2).sum() / (4 * source.shape[1] ** 2)).to(source.dtype)


class Coral(Alignment):
    """`coral_loss` of the features."""

    def forward(self, source: Seen, target: Seen, labels: torch.Tensor, strength: float) -> torch.Tensor:
        """Return the loss times `strength`."""
        return strength * coral_loss(source.features, target.features)


@dataclass(frozen=True, eq=False)
class FeatureMap:
    """An affine map of features: `(x - from_mean) @ matrix + to_mean`, which is `x @ matrix + offset`.

    A linear layer `y @ weight.T + bias` that follows it is one layer with `weight @ matrix.T` and `weight @ offset +
    bias`.

    Attributes:
        matrix: (D, D), float64, for features in rows.
        from_mean: (D,), of the features that are mapped.
        to_mean: (D,), of the features that they are brought to.
    """

    matrix: torch.Tensor
    from_mean: torch.Tensor
    to_mean: torch.Tensor

    @property
    def offset(self) -> torch.Tensor:
        """Return what is added after the matrix, (D,)."""
        return self.to_mean - self.from_mean @ self.matrix

    def __call__(self, features: torch.Tensor) -> torch.Tensor:
        """Return mapped features (N, D), in the type that they came in."""
        return ((features.double() - self.from_mean) @ self.matrix + self.to_mean).to(features.dtype)


@torch.no_grad()
def coral_map(
    source: torch.Tensor, target: torch.Tensor, ridge: float, direction: Direction = "target_to_source"
) -> FeatureMap:
    """Return the map that whitens the features of one domain and recolours them with the covariance of the other.

    Sun, Feng and Saenko 2016 (Return of frustratingly easy domain adaptation), with symmetric square roots: (C_from +
    ridge I)^(-1/2) (C_to + ridge I)^(1/2). The paper maps source to target with ridge 1 and then trains; a map of the
    target to the source leaves a trained head as it is. Means are matched too.

    Args:
        source: (N, D), N at least 2.
        target: (M, D), M at least 2.
        ridge: added to the variances, in their units; above 0 where a covariance has no full rank.
        direction: which domain is mapped to which.

    Raises:
        ValueError: other shapes or a negative ridge.
        InputError: a singular covariance and no ridge.
    """
    check_features("coral_map", source, target, least=2)
    if not ridge >= 0.0:
        raise ValueError(f"coral_map needs ridge 0 or more, got {ridge:g}")
    if direction == "source_to_target":
        source, target = target, source
    moved, kept = target.double(), source.double()
    eye = ridge * torch.eye(moved.shape[1], dtype=torch.float64, device=moved.device)
    whiten = symmetric_power(_covariance(moved) + eye, -0.5)
    colour = symmetric_power(_covariance(kept) + eye, 0.5)
    return FeatureMap(whiten @ colour, moved.mean(dim=0), kept.mean(dim=0))


def _covariance(x: torch.Tensor) -> torch.Tensor:
    centred = x - x.mean(dim=0)
    return centred.T @ centred / (len(x) - 1)
