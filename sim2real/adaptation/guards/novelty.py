"""Whether a frame is like anything that the model has seen."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import solve_triangular

from calibration.errors import InputError
from sim2real.adaptation.guards.covariance import ledoit_wolf

Array = NDArray[np.float64]

# Share of the mean variance that is added to every direction, so that a constant feature does not divide by 0.
_FLOOR = 1e-6


@dataclass(frozen=True)
class Stage:
    """The distribution of one stage's pooled features.

    Attributes:
        dimension: of the features.
        means: (C, D), of each domain, as base64 of 32-bit floats.
        factor: lower triangle, row by row, of the Cholesky factor of the shrunk covariance, as base64 of 32-bit floats.
        scale: median distance of the frames that it was fitted to; distances are given in it.
        shrinkage: of the covariance, 0 to 1.
    """

    dimension: int
    means: str
    factor: str
    scale: float
    shrinkage: float

    def distances(self, features: ArrayLike) -> Array:
        """Return the Mahalanobis distance (N,) of features (N, D) to the nearest domain's mean, over `scale`."""
        x = np.asarray(features, dtype=np.float64)
        if x.ndim != 2 or x.shape[1] != self.dimension:
            raise ValueError(
                f"features must be (N, {self.dimension}), got shape {x.shape}; use the model of the record"
            )
        means: Array = _decoded(self.means).reshape(-1, self.dimension)
        factor = np.zeros((self.dimension, self.dimension))
        factor[np.tril_indices(self.dimension)] = _decoded(self.factor)
        return np.asarray(np.min([_lengths(factor, x - mean) for mean in means], axis=0) / self.scale)


@dataclass(frozen=True)
class Novelty:
    """What training frames look like to a model, and how far held-out frames of the same kind lie.

    Mahalanobis distances of pooled features at several stages, to the mean of the nearest domain with one covariance
    for all (Lee et al. 2018; domains take the place of classes), with the covariance shrunk (Ledoit and Wolf 2004). The
    largest stage's distance is a frame's score, and its p-value is conformal (Vovk et al. 2005): uniform, or larger,
    for a frame exchangeable with the held-out ones.

    Attributes:
        stages: finest first.
        held_out: scores of the held-out frames, smallest first.
    """

    stages: tuple[Stage, ...]
    held_out: tuple[float, ...]

    @classmethod
    def fit(
        cls,
        features_by_stage: Sequence[ArrayLike],
        held_out_by_stage: Sequence[ArrayLike],
        domains: Sequence[object] | None = None,
    ) -> Novelty:
        """Return the record of training frames, simulated and real.

        Args:
            features_by_stage: (N, D) of each stage, averaged over the picture (`sim2real.adaptation.seen.pooled`).
            held_out_by_stage: (M, D) of each stage, of frames not trained on that are taken like those to come.
            domains: of the N frames, such as "simulated" and "real"; each has its own mean.

        Raises:
            ValueError: no stage, fewer than two training frames, no held-out frame, or values that are not finite.
        """
        if not features_by_stage or len(features_by_stage) != len(held_out_by_stage):
            raise ValueError(
                f"Novelty needs stages, got {len(features_by_stage)} and {len(held_out_by_stage)} held out"
            )
        train = [np.asarray(f, dtype=np.float64) for f in features_by_stage]
        held = [np.asarray(f, dtype=np.float64) for f in held_out_by_stage]
        if len(train[0]) < 2 or not len(held[0]) or not all(np.isfinite(f).all() for f in train + held):
            raise ValueError(
                "Novelty needs two or more training frames and a held-out one, all finite, got "
                f"{len(train[0])} and {len(held[0])}"
            )
        names = list(domains) if domains is not None else [0] * len(train[0])
        stages = tuple(_stage(f, names) for f in train)
        scores = np.max([s.distances(f) for s, f in zip(stages, held, strict=True)], axis=0)
        return cls(stages, tuple(float(v) for v in np.sort(scores)))

    def scores(self, features_by_stage: Sequence[ArrayLike]) -> Array:
        """Return how far each of N frames lies (N,), infinity where features are not finite.

        1 is usual for training frames.
        """
        if len(features_by_stage) != len(self.stages):
            raise ValueError(f"features of {len(self.stages)} stages are needed, got {len(features_by_stage)}")
        found = np.max([s.distances(f) for s, f in zip(self.stages, features_by_stage, strict=True)], axis=0)
        return np.asarray(np.nan_to_num(found, nan=np.inf, posinf=np.inf))

    def p_value(self, features_by_stage: Sequence[ArrayLike]) -> Array:
        """Return for each of N frames the probability (N,) of one as far or farther among frames like held-out ones."""
        farther = len(self.held_out) - np.searchsorted(self.held_out, self.scores(features_by_stage), side="left")
        return np.asarray((farther + 1) / (len(self.held_out) + 1))

    def abstain(self, features_by_stage: Sequence[ArrayLike], alpha: float) -> NDArray[np.bool_]:
        """Return for which of N frames the model should not answer; of usual frames a share of `alpha` or less.

        Raises:
            InputError: there are too few held-out frames for this alpha.
        """
        least = 1 / (len(self.held_out) + 1)
        if not least <= alpha < 1:
            raise InputError(
                f"alpha must be {least:.3g} or more and below 1 with {len(self.held_out)} held-out frames, got "
                f"{alpha:g}; hold out more frames, or abstain at a larger alpha"
            )
        return np.asarray(self.p_value(features_by_stage) <= alpha)


def _stage(features: Array, domains: Sequence[object]) -> Stage:
    kinds = list(dict.fromkeys(domains))
    member = np.array([kinds.index(d) for d in domains])
    means = np.stack([features[member == k].mean(axis=0) for k in range(len(kinds))])
    covariance, shrinkage = ledoit_wolf(features - means[member])
    size = covariance.shape[0]
    floor = max(_FLOOR * float(np.trace(covariance)) / size, 1e-12)
    factor = np.linalg.cholesky(covariance + floor * np.eye(size)).astype(np.float32).astype(np.float64)
    distances = np.min([_lengths(factor, features - mean) for mean in means], axis=0)
    scale = max(float(np.median(distances)), 1e-9)
    return Stage(size, _encoded(means), _encoded(factor[np.tril_indices(size)]), scale, shrinkage)


def _lengths(factor: Array, offsets: Array) -> Array:
    whitened = solve_triangular(factor, offsets.T, lower=True, check_finite=False)
    return np.asarray(np.linalg.norm(whitened, axis=0))


def _encoded(values: Array) -> str:
    return base64.b64encode(values.astype("<f4").tobytes()).decode("ascii")


def _decoded(text: str) -> Array:
    return np.frombuffer(base64.b64decode(text), "<f4").astype(np.float64)
