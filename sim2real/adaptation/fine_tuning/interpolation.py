"""Weights between those before and those after fine-tuning."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

ALPHAS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
Weights = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class Sweep:
    """Scores along the line between two sets of weights.

    Attributes:
        alphas: shares of the tuned weights.
        scores: of each; lower is better.
        best: the share with the lowest score; of equal ones the smallest.
    """

    alphas: tuple[float, ...]
    scores: tuple[float, ...]
    best: float


def interpolate(start: Weights, tuned: Weights, alpha: float) -> dict[str, torch.Tensor]:
    """Return (1 - alpha) start + alpha tuned, as a new state dict; 0 is exactly `start`, 1 exactly `tuned`.

    Wortsman et al. 2022 (WiSE-FT). Statistics of normalization are averaged like weights; whole numbers, such as its
    count of batches, come from the nearer end.

    Raises:
        ValueError: other names or shapes, or alpha outside 0 to 1.
    """
    if not 0.0 <= alpha <= 1.0:
        raise ValueError(f"alpha must be from 0 to 1, got {alpha}")
    if start.keys() != tuned.keys():
        name = sorted(start.keys() ^ tuned.keys())[0]
        raise ValueError(f"both state dicts must have the same names, '{name}' is in one of them only")
    mixed = {}
    for name, value in start.items():
        other = tuned[name]
        if value.shape != other.shape:
            raise ValueError(f"'{name}' must have one shape, got {tuple(value.shape)} and {tuple(other.shape)}")
        if alpha in (0.0, 1.0) or not value.is_floating_point():
            mixed[name] = (other if alpha >= 0.5 else value).clone()
        else:
            mixed[name] = (1.0 - alpha) * value + alpha * other
    return mixed


def sweep(
    start: Weights,
    tuned: Weights,
    score: Callable[[dict[str, torch.Tensor]], float],
    alphas: Sequence[float] = ALPHAS,
) -> Sweep:
    """Return the score of each share of the tuned weights.

    Args:
        start: state dict before fine-tuning.
        tuned: and after it.
        score: of a state dict, lower is better, such as the error on frames that were not fitted.
        alphas: shares to try.

    Raises:
        ValueError: nothing to try, or no score is a number.
    """
    scores = tuple(float(score(interpolate(start, tuned, a))) for a in alphas)
    finite = [(s, a) for s, a in zip(scores, alphas, strict=True) if s == s]
    if not finite:
        raise ValueError(f"a sweep needs at least one score that is a number, got {scores}")
    return Sweep(tuple(alphas), scores, min(finite)[1])
