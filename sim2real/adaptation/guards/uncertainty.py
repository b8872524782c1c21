"""How large an error may be: a radius that holds the truth with a chosen probability."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibration.errors import InputError

Array = NDArray[np.float64]
Source = Literal["held-out labelled frames", "simulated frames"]

_STEEPEST = 4.0


@dataclass(frozen=True)
class Difficulty:
    """The expected size of an error by a score: `exp(intercept + slope * log(score + offset))`.

    Attributes:
        intercept: of the line.
        slope: of the line; 0: the score says nothing.
        offset: keeps a score of 0 finite.
    """

    intercept: float
    slope: float
    offset: float

    @classmethod
    def fit(cls, scores: ArrayLike, errors: ArrayLike) -> Difficulty:
        """Return the line fitted to logarithms by least squares.

        Args:
            scores: (N,), 0 or more, larger where the model is less sure: disagreement, or 1 - confidence.
            errors: (N,), of frames that are not used for calibration; N 2 or more.

        Raises:
            ValueError: fewer than two frames, or a negative score.
        """
        s, e = (np.asarray(v, dtype=np.float64) for v in (scores, errors))
        if s.shape != e.shape or s.ndim != 1 or len(s) < 2 or not (s >= 0).all():
            raise ValueError(
                f"Difficulty needs two or more scores of 0 or more, and an error each, got {s.shape}, {e.shape}"
            )
        # Nearly perfect frames would rule a fit to logarithms.
        offset = max(0.1 * float(np.median(s)), 1e-9)
        x, y = np.log(s + offset), np.log(np.maximum(e, max(0.1 * float(np.median(e)), 1e-12)))
        varies = float(((x - x.mean()) ** 2).sum())
        slope = float(((x - x.mean()) * (y - y.mean())).sum()) / varies if varies > 1e-12 else 0.0
        # A score that says less where it should say more is not used.
        slope = min(max(slope, 0.0), _STEEPEST)
        return cls(float(y.mean() - slope * x.mean()), slope, offset)

    def __call__(self, scores: ArrayLike) -> Array:
        """Return the expected size of the error for each score."""
        s = np.maximum(np.asarray(scores, dtype=np.float64), 0.0)
        return np.asarray(np.exp(self.intercept + self.slope * np.log(s + self.offset)))


@dataclass(frozen=True)
class ConformalRadius:
    """Errors of calibration frames, from which the radius for any probability follows.

    Split conformal prediction (Vovk et al. 2005; Angelopoulos and Bates 2023): for a frame exchangeable with the
    calibration frames, the error is below `radius(alpha)` with probability 1 - alpha or more, whatever the model. With
    a `difficulty` it is larger where the model is less sure (normalised scores, Papadopoulos et al. 2008).

    Attributes:
        ratios: errors over their expected size, or errors, smallest first; finite ones.
        unit: of the radius.
        source: what it was calibrated on.
        missed: calibration frames in which nothing was predicted: their error is infinite.
        difficulty: from scores to the expected size of an error; None: one radius for all frames.
    """

    ratios: tuple[float, ...]
    unit: str
    source: Source
    missed: int = 0
    difficulty: Difficulty | None = None

    @classmethod
    def fit(
        cls,
        errors: ArrayLike,
        unit: str,
        source: Source,
        scores: ArrayLike | None = None,
        difficulty: Difficulty | None = None,
    ) -> ConformalRadius:
        """Return the radius calibrated on frames that the model was not trained on.

        Args:
            errors: (N,) of the calibration frames; infinity where nothing was predicted.
            unit: of the errors.
            source: what the frames are.
            scores: (N,) of the same frames, when there is a difficulty.
            difficulty: fitted on other frames than these.

        Raises:
            ValueError: no errors, NaN among them, or only one of scores and difficulty.
        """
        e = np.asarray(errors, dtype=np.float64).ravel()
        if not len(e) or np.isnan(e).any() or (e < 0).any():
            raise ValueError(
                f"ConformalRadius needs errors of 0 or more, got {len(e)} with {int(np.isnan(e).sum())} NaN"
            )
        if (scores is None) != (difficulty is None):
            raise ValueError("ConformalRadius needs both scores and difficulty, or neither")
        if difficulty is not None and scores is not None:
            e = e / difficulty(np.asarray(scores, dtype=np.float64).ravel())
        finite = e[np.isfinite(e)]
        return cls(tuple(float(v) for v in np.sort(finite)), unit, source, len(e) - len(finite), difficulty)

    def radius(self, alpha: float, scores: ArrayLike | None = None) -> Array:
        """Return the radius for each score (N,), or one value without a difficulty.

        It is the `ceil((n + 1) * (1 - alpha))`-th smallest of the n ratios, times the expected size of the error;
        infinity where n is too small for alpha (`frames_needed`).

        Raises:
            InputError: alpha is not between 0 and 1.
            ValueError: a difficulty without scores.
        """
        if not 0.0 < alpha < 1.0:
            raise InputError(f"alpha must lie between 0 and 1, got {alpha:g}")
        rank = _rank(self.count, alpha)
        quantile = self.ratios[rank - 1] if rank <= len(self.ratios) else math.inf
        if self.difficulty is None:
            return np.full(np.shape(scores) if scores is not None else (1,), quantile)
        if scores is None:
            raise ValueError("radius needs scores, as this radius has a difficulty")
        return np.asarray(quantile * self.difficulty(scores))

    @property
    def count(self) -> int:
        """How many frames it was calibrated on."""
        return len(self.ratios) + self.missed

    @property
    def note(self) -> str:
        """What the radius is good for, in one line."""
        if self.source == "simulated frames":
            return f"calibrated on {self.count} simulated frames: on real frames errors may be larger"
        return f"calibrated on {self.count} held-out labelled frames: holds for frames taken like them"


def frames_needed(alpha: float) -> int:
    """Return how many calibration frames a finite radius at this alpha needs."""
    n = max(1, math.ceil(1 / alpha) - 2)
    while _rank(n, alpha) > n:
        n += 1
    return n


def _rank(n: int, alpha: float) -> int:
    # Rounding must not lift a whole number, such as 20 * 0.95, to the next.
    return max(1, math.ceil((n + 1) * (1 - alpha) - 1e-9))
