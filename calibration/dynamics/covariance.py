"""Covariance of an estimate whose residuals hang together within blocks and within runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2, t

from calibration.dynamics.model import Float


@dataclass(frozen=True)
class Spread:
    """How far an estimate may be off.

    Attributes:
        covariance: (K, K).
        widening: Student's quantile over the normal one, for 95 %.
        blocks: independent ones that it rests on.
        runs_disagree: whether runs differ by more than their blocks explain, so that runs were the blocks.
    """

    covariance: Float
    widening: float
    blocks: int
    runs_disagree: bool


def clustered(score: Float, information: Float, run: Float) -> Spread:
    """Return the covariance of the zero of a sum of scores.

    The jackknife over blocks (CR3; Bell and McCaffrey 2002), which needs residuals to be independent between blocks
    only. With three runs or more the same is done over runs; where a variance is larger than that over blocks beyond
    chance (chi-squared, 0.1 %), standard deviations are raised to those over runs.

    Args:
        score: (W, K), the gradient of each block at the estimate.
        information: (W, K, K), its Hessian.
        run: (W,), the run that each block is from.
    """
    covariance = _jackknife(score, information)
    blocks = len(score)
    runs = np.unique(run)
    raised = False
    if len(runs) >= 3:
        by_run = [np.stack([part[run == r].sum(0) for r in runs]) for part in (score, information)]
        ratio = np.diag(_jackknife(*by_run)) / np.maximum(np.diag(covariance), 1e-300)
        raised = bool(ratio.max() > chi2.ppf(0.999, len(runs) - 1) / (len(runs) - 1))
        if raised:
            factor = np.sqrt(np.maximum(ratio, 1.0))
            covariance = covariance * np.outer(factor, factor)
            blocks = len(runs)
    widening = float(t.ppf(0.975, max(blocks - 1, 1)) / 1.959964)
    return Spread(covariance, widening, blocks, raised)


def _jackknife(score: Float, information: Float) -> Float:
    total = information.sum(0)
    scale = 1 / np.sqrt(np.maximum(np.diag(total), 1e-300))
    count = len(score)
    moved = []
    for one, own in zip(score, information, strict=True):
        rest = (total - own) * np.outer(scale, scale)
        moved.append(-scale * (np.linalg.pinv(rest, rcond=1e-12) @ (scale * one)))
    out = np.array(moved)
    return np.asarray((count - 1) / max(count, 1) * out.T @ out)
