"""The gap of pictures: distances of features, each beside its null, and whether simulation covers the real looks."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from policies.perception import PerceptionModel
from sim2real.adaptation.image_level.looks import NAMES, coverage, looks
from sim2real.advice.distances.fixed_features import fixed_features
from sim2real.advice.distances.frechet import fid
from sim2real.advice.measure import domain_gap
from sim2real.advice.stages import answers, stage_names

SHARE = 0.98


def picture_gap(
    model: PerceptionModel,
    simulated: NDArray[np.uint8],
    real: NDArray[np.uint8],
    device: torch.device,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Return distances between simulated frames (N, H, W, 3) and photographs (M, H, W, 3), one row a kind of features.

    Rows: each stage of the model's own backbone, finest first, then filters that were never trained, which are the
    same for every model. KID, MMD and proxy A-distance have the null of two halves of the simulated frames beside them;
    the Frechet distance has the one between such halves, and is biased upwards for few pictures.
    """
    ours, theirs = answers(model, simulated, device).stages, answers(model, real, device).stages
    kinds = [(f"stage {name}", ours[k].pooled, theirs[k].pooled) for k, name in enumerate(stage_names(model))]
    kinds.append(("fixed filters", fixed_features(simulated), fixed_features(real)))
    rows = []
    for name, a, b in kinds:
        gap = domain_gap(a, b, seed)
        half = len(a) // 2
        rows.append(
            {
                "features": name,
                "dimensions": a.shape[1],
                "beyond_chance": gap.beyond_chance,
                "ratio_to_null": gap.ratio,
                **asdict(gap),
                "fid": asdict(fid(a, b)),
                "fid_null": asdict(fid(a[:half], a[half:])),
            }
        )
    return rows


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
