"""What pretraining is worth in labelled frames: curves of error against their number, beside training from scratch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim2real.statistics import CONFIDENCE

Array = NDArray[np.float64]
_RESAMPLES = 2000


@dataclass(frozen=True, eq=False)
class Curve:
    """Errors of one method by the number of labelled frames.

    Attributes:
        budgets: (B,), rising.
        errors: (B, seeds, frames), metres.
    """

    budgets: tuple[int, ...]
    errors: Array

    @classmethod
    def of(cls, tables: Mapping[int, Array]) -> Curve:
        """Return the curve of error tables (seeds, frames) by budget."""
        budgets = tuple(sorted(tables))
        return cls(budgets, np.stack([tables[b] for b in budgets]))

    def means(self, run_share: Array | None = None, frame_share: Array | None = None) -> Array:
        """Return the mean error (B,), of one resample if shares of runs (seeds,) and frames (frames,) are given."""
        if run_share is None or frame_share is None:
            return np.asarray(self.errors.mean(axis=(1, 2)))
        return np.asarray(np.einsum("brf,r,f->b", self.errors, run_share, frame_share))


def labels_needed(budgets: tuple[int, ...], means: Array, error: float) -> float:
    """Return the smallest number of labelled frames whose mean error is `error` or less; infinity if none is.

    Between measured budgets the error is linear in the logarithm of their number; below the first one it is not known,
    so the first is returned.
    """
    for k, (budget, mean) in enumerate(zip(budgets, means, strict=True)):
        if mean <= error:
            if k == 0 or budgets[k - 1] == 0:
                return float(budget)
            share = (means[k - 1] - error) / (means[k - 1] - mean)
            low, high = np.log(budgets[k - 1]), np.log(budget)
            return float(np.exp(low + share * (high - low)))
    return float("inf")


def efficiency(tuned: Curve, scratch: Curve) -> dict[str, Any]:
    """Return what a fine-tuned curve gains over one from scratch, on the same frames and seeds, with 95 % intervals.

    - `higher_start`: scratch minus tuned at the smallest budget of both, metres (Torrey and Shavlik 2010).
    - `asymptote`: the same at the largest.
    - `slope`: by which factor the tuned error shrinks when labelled frames double, from a line through the logarithms.
    - `label_efficiency` by budget: how many times as many labelled frames scratch needs for the tuned error; infinity
      where it never gets there within its budgets, `reached_share` being the share of resamples in which it does.
    """
    common = [b for b in tuned.budgets if b in scratch.budgets]
    if not common:
        return {}
    rng = np.random.default_rng(0)
    runs, frames = tuned.errors.shape[1:]
    shares = [
        (
            rng.multinomial(runs, np.full(runs, 1 / runs)) / runs,
            rng.multinomial(frames, np.full(frames, 1 / frames)) / frames,
        )
        for _ in range(_RESAMPLES)
    ]
    drawn = [(tuned.means(r, f), scratch.means(r, f)) for r, f in shares]
    first, last = common[0], common[-1]

    def difference(budget: int) -> dict[str, Any]:
        a, b = tuned.budgets.index(budget), scratch.budgets.index(budget)
        values = np.array([s[b] - t[a] for t, s in drawn])
        return {"budget": budget, "value": float(scratch.means()[b] - tuned.means()[a]), "interval": _interval(values)}

    by_budget = {}
    for k, budget in enumerate(tuned.budgets):
        if budget == 0:
            continue
        ratios = np.array([labels_needed(scratch.budgets, s, t[k]) / budget for t, s in drawn])
        by_budget[str(budget)] = {
            "value": _finite(labels_needed(scratch.budgets, scratch.means(), tuned.means()[k]) / budget),
            "low": _finite(float(np.quantile(ratios, (1 - CONFIDENCE) / 2, method="lower"))),
            "reached_share": float(np.isfinite(ratios).mean()),
        }
    said: dict[str, Any] = {
        "higher_start": difference(first),
        "asymptote": difference(last),
        "label_efficiency": by_budget,
    }
    positive = [k for k, b in enumerate(tuned.budgets) if b > 0]
    if len(positive) > 1:
        x = np.log2([tuned.budgets[k] for k in positive])
        slopes = np.array([2.0 ** np.polyfit(x, np.log2(t[positive]), 1)[0] for t, _ in drawn])
        value = 2.0 ** np.polyfit(x, np.log2(tuned.means()[positive]), 1)[0]
        said["slope"] = {"value": float(value), "interval": _interval(slopes)}
    return said


def _interval(values: Array) -> list[float]:
    return [float(v) for v in np.quantile(values, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])]


def _finite(value: float) -> float | None:
    """Return a number, or None for infinity, which JSON does not have."""
    return value if np.isfinite(value) else None
