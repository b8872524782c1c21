"""The gap of pictures: distances of features, each beside its null, and whether simulation covers the real looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim2real.adaptation.image_level.looks import NAMES, coverage, looks
from sim2real.advice.arrays import Floats
from sim2real.advice.distances.fixed_features import fixed_features
from sim2real.advice.distances.frechet import fid
from sim2real.advice.distances.inception import Inception
from sim2real.advice.measure import domain_gap
from sim2real.advice.stages import Answers

SHARE = 0.98


def stage_gaps(names: Sequence[str], simulated: Answers, real: Answers, seed: int = 0) -> list[dict[str, Any]]:
    """Return distances between simulated frames and photographs in the stages of a model, finest first.

    KID, MMD and proxy A-distance have the null of two halves of the simulated frames beside them; the Frechet distance
    has the one between such halves, and is biased upwards for few pictures.

    Args:
        names: of the stages.
        simulated: what the model makes of simulated frames, N of them.
        real: what it makes of photographs, M of them.
        seed: of resampling.
    """
    return [
        _gap(f"stage {name}", ours.pooled, theirs.pooled, seed)
        for name, ours, theirs in zip(names, simulated.stages, real.stages, strict=True)
    ]


def fixed_gap(simulated: NDArray[np.uint8], real: NDArray[np.uint8], seed: int = 0) -> dict[str, Any]:
    """Return the same of pictures (N, H, W, 3) and (M, H, W, 3) in filters that were never trained."""
    return _gap("fixed filters", fixed_features(simulated), fixed_features(real), seed)


def inception_gap(
    network: Inception, simulated: NDArray[np.uint8], real: NDArray[np.uint8], seed: int = 0
) -> dict[str, Any]:
    """Return the same in Inception's last pooling."""
    return _gap("Inception v3", network.features(simulated), network.features(real), seed)


def _gap(name: str, simulated: Floats, real: Floats, seed: int) -> dict[str, Any]:
    gap, half = domain_gap(simulated, real, seed), len(simulated) // 2
    return {
        "features": name,
        "dimensions": simulated.shape[1],
        "beyond_chance": gap.beyond_chance,
        "ratio_to_null": gap.ratio,
        **asdict(gap),
        "fid": asdict(fid(simulated, real)),
        "fid_null": asdict(fid(simulated[:half], simulated[half:])),
    }


def looks_coverage(simulated: NDArray[np.uint8], real: NDArray[np.uint8]) -> list[dict[str, Any]]:
    """Return for each statistic of looks how many photographs lie inside what simulation draws, the fewest first."""
    ours, theirs = looks(simulated), looks(real)
    inside = coverage(ours, theirs, SHARE)
    low, high = np.quantile(ours, [(1 - SHARE) / 2, (1 + SHARE) / 2], axis=0)
    rows = [
        {
            "axis": name,
            "inside": float(inside[k]),
            "simulated": [float(low[k]), float(high[k])],
            "real": [float(theirs[:, k].min()), float(np.median(theirs[:, k])), float(theirs[:, k].max())],
        }
        for k, name in enumerate(NAMES)
    ]
    return sorted(rows, key=lambda r: float(r["inside"]))
