"""Classical models on the features of a network: ridge regression, least squares, nearest neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from policies.perception import PerceptionModel
from sim2real.adaptation.seen import pooled

Array = NDArray[np.float64]


class Probe(Protocol):
    """Predicts label vectors from features."""

    def predict(self, features: Array) -> Array:
        """Return labels (N, L) of features (N, D)."""
        ...


@dataclass(frozen=True, eq=False)
class LinearProbe:
    """An affine map.

    Attributes:
        weights: (D, L).
        offset: (L,).
        penalty: on the squared weights that was chosen; 0 for least squares.
        left_out: (P, L) mean squared error of frames that were left out in turn, for each penalty tried; None for least
            squares.
    """

    weights: Array
    offset: Array
    penalty: float
    left_out: Array | None

    def predict(self, features: Array) -> Array:
        """Return labels (N, L) of features (N, D)."""
        return np.asarray(features @ self.weights + self.offset)


@dataclass(frozen=True, eq=False)
class NeighbourProbe:
    """The mean label of the nearest frames.

    Attributes:
        features: (N, D) that are known.
        labels: (N, L), NaN where one is not known.
        neighbours: how many are averaged for each label.
    """

    features: Array
    labels: Array
    neighbours: int

    def predict(self, features: Array) -> Array:
        """Return labels (M, L) of features (M, D): means over the nearest frames that know the label."""
        squared = ((features[:, None, :] - self.features[None]) ** 2).sum(axis=2)
        order = np.argsort(squared, axis=1, kind="stable")
        out = np.empty((len(features), self.labels.shape[1]))
        for column in range(out.shape[1]):
            values = self.labels[:, column]
            known = np.isfinite(values)
            for row, ranked in enumerate(order):
                out[row, column] = values[ranked[known[ranked]][: self.neighbours]].mean()
        return out


@torch.no_grad()
def features_of(
    model: PerceptionModel, pictures: NDArray[np.uint8], device: torch.device, stage: int = -1, batch: int = 16
) -> Array:
    """Return features (N, D) of pictures uint8 (N, H, W, 3): one map of the backbone averaged over the picture.

    The model is left in evaluation mode.

    Args:
        model: whose backbone sees.
        pictures: at the size of the model's input.
        device: where the model is.
        stage: which map; 0 is the finest, -1 the coarsest.
        batch: pictures at a time.
    """
    model.eval()
    found = [np.zeros((0, model.backbone.channels[stage]))]
    for start in range(0, len(pictures), batch):
        part = torch.from_numpy(np.ascontiguousarray(pictures[start : start + batch])).permute(0, 3, 1, 2)
        found.append(pooled(model.encode(part.to(device)), stage).double().cpu().numpy())
    return np.concatenate(found)


def ridge_probe(features: Array, labels: Array, penalties: Sequence[float] | None = None) -> LinearProbe:
    """Return ridge regression with the penalty that predicts left-out frames best; the offset is not penalized.

    The error of each frame, left out of the fit, is its residual over one minus its leverage (Allen 1974), so no refit
    is needed. One penalty is chosen for all labels, by errors in units of each label's spread.

    Args:
        features: (N, D).
        labels: (N, L); NaN where one is not known.
        penalties: to choose from; default: from 1e-6 to 1e3 times the features' variance over all frames.

    Raises:
        ValueError: fewer than three frames know a label, a negative penalty, or shapes that do not fit.
    """
    _check(features, labels, 3)
    if penalties is None:
        scale = max(float(((features - features.mean(axis=0)) ** 2).sum()) / features.shape[1], 1e-12)
        penalties = [scale * factor for factor in np.geomspace(1e-6, 1e3, 19).tolist()]
    if not len(penalties) or min(penalties) <= 0:
        raise ValueError(f"penalties must be above 0, got {list(penalties)}")
    errors = np.empty((len(penalties), labels.shape[1]))
    spread = np.empty(labels.shape[1])
    for column, values in enumerate(labels.T):
        known = np.isfinite(values)
        spread[column] = max(float(values[known].std()), 1e-12)
        residuals = left_out_residuals(features[known], values[known], penalties)
        errors[:, column] = (residuals**2).mean(axis=1)
    best = int(np.argmin((errors / spread**2).mean(axis=1)))
    weights, offset = _fit(features, labels, float(penalties[best]))
    return LinearProbe(weights, offset, float(penalties[best]), errors)


def left_out_residuals(features: Array, values: Array, penalties: Sequence[float]) -> Array:
    """Return (P, N): for each penalty, the error of each frame as predicted by a fit of the others.

    Args:
        features: (N, D).
        values: (N,) of one label.
        penalties: above 0.
    """
    count = len(features)
    u, s, _ = np.linalg.svd(features - features.mean(axis=0), full_matrices=False)
    centred = values - values.mean()
    along = u.T @ centred
    out = np.empty((len(penalties), count))
    for k, penalty in enumerate(penalties):
        shrink = s**2 / (s**2 + penalty)
        leverage = 1.0 / count + (u**2) @ shrink
        residual = centred - u @ (shrink * along)
        out[k] = residual / np.maximum(1.0 - leverage, 1e-12)
    return out


def linear_probe(features: Array, labels: Array) -> LinearProbe:
    """Return least squares with an offset; where more than one map fits equally well, the one with the least weights.

    Args:
        features: (N, D).
        labels: (N, L); NaN where one is not known.

    Raises:
        ValueError: a label that no frame knows, or shapes that do not fit.
    """
    _check(features, labels, 1)
    weights, offset = _fit(features, labels, 0.0)
    return LinearProbe(weights, offset, 0.0, None)


def knn_probe(features: Array, labels: Array, neighbours: int = 3) -> NeighbourProbe:
    """Return a probe that averages the labels of the nearest known frames, by Euclidean distance of features.

    Args:
        features: (N, D).
        labels: (N, L); NaN where one is not known.
        neighbours: how many; fewer where fewer frames know a label.

    Raises:
        ValueError: a label that no frame knows, `neighbours` below 1, or shapes that do not fit.
    """
    _check(features, labels, 1)
    if neighbours < 1:
        raise ValueError(f"neighbours must be 1 or more, got {neighbours}")
    return NeighbourProbe(np.array(features, np.float64), np.array(labels, np.float64), neighbours)


def _fit(features: Array, labels: Array, penalty: float) -> tuple[Array, Array]:
    weights = np.empty((features.shape[1], labels.shape[1]))
    offset = np.empty(labels.shape[1])
    for column, values in enumerate(labels.T):
        known = np.isfinite(values)
        middle, mean = features[known].mean(axis=0), values[known].mean()
        u, s, vt = np.linalg.svd(features[known] - middle, full_matrices=False)
        if penalty:
            inverse = s / (s**2 + penalty)
        else:
            seen = s > s.max(initial=0.0) * max(features.shape) * np.finfo(np.float64).eps
            inverse = np.where(seen, 1.0 / np.where(seen, s, 1.0), 0.0)
        weights[:, column] = vt.T @ (inverse * (u.T @ (values[known] - mean)))
        offset[column] = mean - middle @ weights[:, column]
    return weights, offset


def _check(features: Array, labels: Array, least: int) -> None:
    if features.ndim != 2 or labels.ndim != 2 or len(features) != len(labels):
        raise ValueError(
            f"features and labels must be (N, D) and (N, L), got {np.shape(features)} and {np.shape(labels)}"
        )
    known = np.isfinite(labels).sum(axis=0)
    if known.size == 0 or known.min() < least:
        raise ValueError(f"each label must be known for {least} or more frames, got {known.tolist()}")
