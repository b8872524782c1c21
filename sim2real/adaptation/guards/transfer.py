"""Whether transfer did harm: against training on the target alone, and on what was known before."""

from __future__ import annotations

from dataclasses import dataclass

from numpy.typing import ArrayLike

from calibration.estimate import Estimate
from sim2real.adaptation.guards.paired import paired_difference


@dataclass(frozen=True)
class Harm:
    """A difference of errors; above 0 is harm.

    Attributes:
        name: "negative transfer gap" or "forgetting".
        difference: mean, with its interval.
        median: the same of the median.
        is_harm: whether the interval of the mean is above 0.
    """

    name: str
    difference: Estimate
    median: Estimate
    is_harm: bool

    def __str__(self) -> str:
        """Return one line."""
        verdict = "harm" if self.is_harm else "no harm" if self.difference.high < 0 else "no harm beyond chance"
        return f"{self.name}: {self.difference}: {verdict}"


def negative_transfer(
    errors_transfer: ArrayLike, errors_target_only: ArrayLike, unit: str = "m", seed: int = 0
) -> Harm:
    """Return the negative transfer gap, errors with transfer less errors without (Wang et al. 2019, section 3).

    Above 0 beyond chance, training from the same labelled target frames alone would have been better.

    Args:
        errors_transfer: (frames,) or (runs, frames), of the model that was trained on the source first.
        errors_target_only: of the same shape on the same frames, of a model trained on the same target frames alone.
        unit: of the errors.
        seed: of the bootstrap.
    """
    return _harm("negative transfer gap", errors_transfer, errors_target_only, unit, seed)


def forgetting(errors_before: ArrayLike, errors_after: ArrayLike, unit: str = "m", seed: int = 0) -> Harm:
    """Return how much worse simulated validation frames are seen after adaptation than before.

    Args:
        errors_before: (frames,) or (runs, frames).
        errors_after: of the same shape on the same frames.
        unit: of the errors.
        seed: of the bootstrap.
    """
    return _harm("forgetting", errors_after, errors_before, unit, seed)


def _harm(name: str, first: ArrayLike, second: ArrayLike, unit: str, seed: int) -> Harm:
    found = paired_difference(first, second, unit, seed)
    return Harm(name, found.mean, found.median, found.mean.low > 0)
