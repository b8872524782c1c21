"""How large an error may be: a radius that holds the truth with a chosen probability."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from calibration.errors import InputError

Source = Literal["held-out labelled frames", "simulated frames"]


@dataclass(frozen=True)
class ConformalRadius:
    """Errors of calibration frames, from which the radius for any probability follows.

    Split conformal prediction (Vovk et al. 2005; Angelopoulos and Bates 2023): for a frame exchangeable with the
    calibration frames, the error is below `radius(alpha)` with probability 1 - alpha or more, whatever the model.

    Attributes:
        errors: of the calibration frames, smallest first; finite ones.
        unit: of the radius.
        source: what it was calibrated on.
        missed: calibration frames in which nothing was predicted: their error is infinite.
    """

    errors: tuple[float, ...]
    unit: str
    source: Source
    missed: int = 0

    @classmethod
    def fit(cls, errors: ArrayLike, unit: str, source: Source) -> ConformalRadius:
        """Return the radius calibrated on frames that the model was not trained on.

        Args:
            errors: (N,) of the calibration frames; infinity where nothing was predicted.
            unit: of the errors.
            source: what the frames are.

        Raises:
            ValueError: no errors, or NaN among them.
        """
        e = np.asarray(errors, dtype=np.float64).ravel()
        if not len(e) or np.isnan(e).any() or (e < 0).any():
            raise ValueError(
                f"ConformalRadius needs errors of 0 or more, got {len(e)} with {int(np.isnan(e).sum())} NaN"
            )
        finite = e[np.isfinite(e)]
        return cls(tuple(float(v) for v in np.sort(finite)), unit, source, len(e) - len(finite))

    def radius(self, alpha: float) -> float:
        """Return the radius: the `ceil((n + 1) * (1 - alpha))`-th smallest of n errors.

        It is infinity where n is too small for alpha (`frames_needed`).

        Raises:
            InputError: alpha is not between 0 and 1.
        """
        if not 0.0 < alpha < 1.0:
            raise InputError(f"alpha must lie between 0 and 1, got {alpha:g}")
        rank = _rank(self.count, alpha)
        return self.errors[rank - 1] if rank <= len(self.errors) else math.inf

    @property
    def count(self) -> int:
        """How many frames it was calibrated on."""
        return len(self.errors) + self.missed

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
