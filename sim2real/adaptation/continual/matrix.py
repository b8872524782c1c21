"""What every stage of continual fine-tuning does to every station."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibration.estimate import Estimate
from sim2real.adaptation.guards.paired import expanded_tail
from sim2real.statistics import CONFIDENCE

Array = NDArray[np.float64]
_RESAMPLES = 4000


@dataclass(frozen=True, eq=False)
class TransferMatrix:
    """Errors R[i, j] on the held-out frames of station j after stage i; stage 0 is before any, stage j is station j's.

    After Lopez-Paz and Ranzato 2017, "Gradient Episodic Memory for Continual Learning", section 2, with errors in place
    of accuracies: lower is better, and a difference above 0 is harm. Where the paper compares with an untrained model,
    this compares with the model before stage 1, which simulation has trained.

    Attributes:
        errors: [stage][station], (frames,) each; a station's frames are the same in every stage. NaN: no prediction.
        unit: of the errors.
    """

    errors: tuple[tuple[Array, ...], ...]
    unit: str

    def __post_init__(self) -> None:
        """Check that there is one stage a station and one before, all on the same frames."""
        stations = len(self.errors) - 1
        sizes = [[np.shape(e) for e in row] for row in self.errors]
        if stations < 2 or any(len(row) != stations for row in sizes) or any(row != sizes[0] for row in sizes):
            raise ValueError(f"TransferMatrix needs T + 1 rows of T stations on the same frames, got shapes {sizes}")

    @property
    def stations(self) -> int:
        """How many stations there are, T."""
        return len(self.errors) - 1

    def means(self) -> list[list[float | None]]:
        """Return the mean errors (T + 1, T); None where no frame has one."""
        return [[float(np.nanmean(e)) if np.isfinite(e).any() else None for e in row] for row in self.errors]

    def final_error(self) -> Estimate | None:
        """Return the mean over stations of R[T, j], equation 2 (ACC)."""
        return mean_over_stations(self.errors[-1], self.unit)

    def backward(self, station: int) -> Array:
        """Return R[T, j] - R[j, j] for each frame of station j, 1 to T: what stages after its own changed."""
        return np.asarray(self.errors[-1][station - 1] - self.errors[station][station - 1])

    def forward(self, station: int) -> Array:
        """Return R[j - 1, j] - R[0, j] for each frame of station j, 1 to T: what stages before its own changed."""
        return np.asarray(self.errors[station - 1][station - 1] - self.errors[0][station - 1])

    def backward_transfer(self) -> Estimate | None:
        """Return the mean over stations 1 to T - 1 of `backward`, equation 3 (BWT); above 0 is forgetting."""
        return mean_over_stations([self.backward(j) for j in range(1, self.stations)], self.unit)

    def forward_transfer(self) -> Estimate | None:
        """Return the mean over stations 2 to T of `forward`, equation 4 (FWT); below 0, earlier stations help."""
        return mean_over_stations([self.forward(j) for j in range(2, self.stations + 1)], self.unit)

    def by_station(self, change: Callable[[int], Array], numbers: Sequence[int]) -> list[Estimate | None]:
        """Return `change`, which is `backward` or `forward`, of some stations with intervals."""
        return [mean_over_stations([change(j)], self.unit) for j in numbers]


def mean_over_stations(values: Sequence[ArrayLike], unit: str, seed: int = 0) -> Estimate | None:
    """Return the mean over stations of their frames' means, with a stratified percentile bootstrap interval at 95 %.

    Frames are resampled within each station, so that every station counts alike. Give differences of errors on the same
    frames for a paired interval. Percentiles are expanded for few frames as in `guards.paired` (Hesterberg 2015), by
    the smallest station's frames and the degrees of freedom of all.

    Args:
        values: (frames,) of each station; NaN does not count.
        unit: of the values.
        seed: of the resampling.

    Returns:
        None where a station has fewer than two values, which leave no interval.
    """
    parts = [p[np.isfinite(p)] for p in (np.asarray(v, dtype=np.float64).ravel() for v in values)]
    if not parts or min(len(p) for p in parts) < 2:
        return None
    rng = np.random.default_rng(seed)
    drawn = np.mean([p[rng.integers(len(p), size=(_RESAMPLES, len(p)))].mean(axis=1) for p in parts], axis=0)
    value = float(np.mean([p.mean() for p in parts]))
    tail = expanded_tail(min(len(p) for p in parts), sum(len(p) - 1 for p in parts))
    low, high = np.quantile(drawn, [tail, 1 - tail])
    method = "percentile bootstrap over frames within stations, expanded"
    count = sum(len(p) for p in parts)
    return Estimate(value, min(float(low), value), max(float(high), value), CONFIDENCE, count, unit, method)
