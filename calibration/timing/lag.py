"""The lag at which one signal explains another best, with an interval that allows for errors that remember."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2, t

from calibration.timing.autocorrelation import common_count, correlation_time

Array = NDArray[np.float64]

# Blocks of the jackknife: few enough to be longer than the errors' memory, enough for a spread.
_BLOCKS = (5, 30)
_TIMES_PER_BLOCK = 4.0
# The chance that unrelated signals are taken for related ones, and that a rival lag is ruled out wrongly.
_FALSE_ALARM = 1e-3
# Two lags that leave the same share of the observations, but for this, are alike whatever the noise.
_SAME_MISFIT = 0.02


@dataclass(frozen=True)
class LagFit:
    """The result of a search for a lag.

    Attributes:
        lag_s: best lag.
        half_s: half of its 95 % interval.
        blocks: of the jackknife, each longer than the memory of the errors if `is_long_enough`.
        count: independent samples that the lag rests on.
        is_long_enough: whether there are enough blocks for the interval to hold.
        correlation: of the two signals at the best lag, 0 to 1.
        needed_correlation: what unrelated signals reach once in a thousand times at any lag that was tried.
        is_related: whether the correlation, or that of the changes from sample to sample, is more than that.
        rival_s: another lag that the signals cannot rule out, such as a period away; None if there is none.
        at_end: whether the best lag lies at the end of the search, so that it is none.
    """

    lag_s: float
    half_s: float
    blocks: int
    count: int
    is_long_enough: bool
    correlation: float
    needed_correlation: float
    is_related: bool
    rival_s: float | None
    at_end: bool


def fit_lag(
    predict: Callable[[float], Array], observed: Array, nuisance: Array, longest_s: float, step_s: float
) -> LagFit:
    """Return the lag in -longest_s..longest_s at which a + b * prediction leaves the least of the observations.

    That is the lag of the highest normalised cross-correlation. The interval comes from leaving out one block of
    samples after the other (delete-block jackknife, Kuensch 1989) with Student's quantile, as a standard deviation
    from independent residuals would be far too small where residuals remember.

    Args:
        predict: maps a lag in seconds to what it predicts for the observations (N, D).
        observed: observations (N, D) in the order of time.
        nuisance: what explains them besides (N, K), such as a constant.
        longest_s: longest lag to try, either way.
        step_s: of the first search: well below the time in which the signals change.
    """
    basis, _ = np.linalg.qr(nuisance)

    def rest(values: Array) -> Array:
        return np.asarray(values - basis @ (basis.T @ values))

    wanted = rest(observed)
    wanted = wanted / np.maximum(np.linalg.norm(wanted, axis=0), 1e-300)

    def predictions(lags: Array) -> Array:
        return np.stack([rest(predict(float(lag))) for lag in lags])

    lags = np.arange(-np.ceil(longest_s / step_s), np.ceil(longest_s / step_s) + 1) * step_s
    coarse = predictions(lags)
    whole = _Sums.of(coarse, wanted, 1)
    misfit = whole.misfit(whole.total())
    best = int(np.argmin(misfit))
    correlation = float(np.sqrt(max(1.0 - misfit[best] / wanted.shape[1], 0.0)))
    residual, score = _errors(coarse, wanted, best, step_s)
    memory = correlation_time(score)
    # Slow errors cancel over a whole motion, so a block must outlast what they remember, not only their pull.
    per_block = _TIMES_PER_BLOCK * max(memory, *(correlation_time(column) for column in residual.T))
    blocks = int(np.clip(len(wanted) / per_block, *_BLOCKS))
    lag, half = _refine(predictions, wanted, float(lags[best]), step_s, blocks)
    return LagFit(
        lag_s=lag,
        half_s=half,
        blocks=blocks,
        count=max(int(len(wanted) / memory), 1),
        is_long_enough=len(wanted) / per_block >= _BLOCKS[0],
        correlation=correlation,
        needed_correlation=_needed(coarse[best], wanted, len(lags) * step_s, step_s),
        is_related=_is_related(coarse[best], wanted, len(lags) * step_s, step_s),
        rival_s=_rival(misfit / wanted.shape[1], lags, best, len(wanted) / memory),
        at_end=best in (0, len(lags) - 1),
    )


@dataclass(frozen=True)
class _Sums:
    """Sums over each block (B) of predictions at each lag (G) and observations, per column (D)."""

    square: Array
    product: Array
    wanted: Array

    @classmethod
    def of(cls, predicted: Array, wanted: Array, blocks: int) -> _Sums:
        starts = np.linspace(0, len(wanted), blocks, endpoint=False).astype(int)
        return cls(
            np.add.reduceat(predicted**2, starts, axis=1),
            np.add.reduceat(predicted * wanted, starts, axis=1),
            np.add.reduceat(wanted**2, starts, axis=0),
        )

    def total(self) -> tuple[Array, Array, Array]:
        return self.square.sum(axis=1), self.product.sum(axis=1), self.wanted.sum(axis=0)

    def without_each(self) -> tuple[Array, Array, Array]:
        """Return the sums without one block, for each block: (B, G, D), (B, G, D) and (B, 1, D)."""
        square, product, wanted = self.total()
        return (
            np.moveaxis(square[:, None] - self.square, 1, 0),
            np.moveaxis(product[:, None] - self.product, 1, 0),
            (wanted - self.wanted)[:, None, :],
        )

    @staticmethod
    def misfit(sums: tuple[Array, Array, Array]) -> Array:
        """Return what is left of the observations (..., G) when a prediction explains them, which must not oppose."""
        square, product, wanted = sums
        explained = np.maximum(product, 0.0) ** 2 / np.maximum(square, 1e-300)
        return np.asarray(np.sum(wanted - explained, axis=-1))


def _errors(coarse: Array, wanted: Array, best: int, step_s: float) -> tuple[Array, Array]:
    """Return residuals (N, D), and each sample's pull (N,) on the lag: residual times slope against the lag."""
    at = min(max(best, 1), len(coarse) - 2)
    predicted = coarse[at]
    gain = np.sum(predicted * wanted, axis=0) / np.maximum(np.sum(predicted**2, axis=0), 1e-300)
    slope = (coarse[at + 1] - coarse[at - 1]) / (2 * step_s)
    residual = np.asarray(wanted - gain * predicted)
    return residual, np.asarray(np.sum(residual * gain * slope, axis=1))


def _refine(
    predictions: Callable[[Array], Array], wanted: Array, start: float, step_s: float, blocks: int
) -> tuple[float, float]:
    """Return the lag to below a step, and half of its 95 % interval."""
    reach, centre = 1.5 * step_s, start
    for _ in range(4):
        lags = centre + np.linspace(-reach, reach, 31)
        sums = _Sums.of(predictions(lags), wanted, blocks)
        lag = float(_lowest(_Sums.misfit(sums.total())[None], lags)[0])
        each = _lowest(_Sums.misfit(sums.without_each()), lags)
        std = float(np.sqrt((blocks - 1) / blocks * np.sum((each - each.mean()) ** 2)))
        outer = np.concatenate([each, [lag]])
        if outer.min() > lags[1] and outer.max() < lags[-2]:
            break
        reach, centre = 3.0 * reach, lag
    return lag, float(t.ppf(0.975, blocks - 1)) * std


def _lowest(misfit: Array, lags: Array) -> Array:
    """Return where each row (B, G) is lowest, by the parabola through the lowest three."""
    at = np.clip(np.argmin(misfit, axis=1), 1, len(lags) - 2)
    rows = np.arange(len(misfit))
    left, middle, right = misfit[rows, at - 1], misfit[rows, at], misfit[rows, at + 1]
    bend = left - 2 * middle + right
    shift = np.where(bend > 0, 0.5 * (left - right) / np.maximum(bend, 1e-300), 0.0)
    return np.asarray(lags[at] + np.clip(shift, -1.0, 1.0) * (lags[1] - lags[0]))


def _needed(predicted: Array, wanted: Array, range_s: float, step_s: float) -> float:
    """Return the correlation that unrelated signals (N, D) like these reach once in a thousand searches."""
    count = sum(common_count(p, w) for p, w in zip(predicted.T, wanted.T, strict=True))
    tried = max(range_s / (correlation_time(wanted[:, 0]) * step_s), 1.0) * wanted.shape[1]
    freedom = max(count - 2.0, 1.0)
    limit = float(t.isf(_FALSE_ALARM / (4 * tried), freedom))
    return limit / float(np.sqrt(freedom + limit**2))


def _is_related(predicted: Array, wanted: Array, range_s: float, step_s: float) -> bool:
    """Return whether the signals have to do with each other: as they are, or in how they change.

    Slow signals hold few independent samples, but their changes may hold many.
    """
    for one, other in ((predicted, wanted), (np.diff(predicted, axis=0), np.diff(wanted, axis=0))):
        scale = np.linalg.norm(one, axis=0) * np.linalg.norm(other, axis=0)
        correlation = np.sum(one * other, axis=0) / np.maximum(scale, 1e-300)
        together = float(np.sqrt(np.mean(np.maximum(correlation, 0.0) ** 2)))
        if together >= _needed(one, other, range_s, step_s):
            return True
    return False


def _rival(misfit: Array, lags: Array, best: int, count: float) -> float | None:
    """Return the lag of another valley of the misfit (G) that so many independent samples do not rule out.

    It is ruled out by the likelihood ratio of normal residuals, and if it explains two per cent less.
    """
    inner = (misfit[1:-1] < misfit[:-2]) & (misfit[1:-1] <= misfit[2:])
    valleys = [int(i) + 1 for i in np.flatnonzero(inner) if i + 1 != best]
    # The ends count as well: beyond them may lie a deeper valley.
    valleys += [i for i in (0, len(lags) - 1) if abs(i - best) > 2]
    limit = float(chi2.isf(_FALSE_ALARM, 1))
    least = max(float(misfit[best]), 1e-300)
    rivals = [i for i in valleys if misfit[i] <= least + _SAME_MISFIT or count * np.log(misfit[i] / least) <= limit]
    return float(lags[min(rivals, key=lambda i: float(misfit[i]))]) if rivals else None
