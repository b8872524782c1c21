"""Re-weighting of simulated frames by how likely their features are among those of photographs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from policies.perception import PerceptionModel
from sim2real.adaptation.reweighting.density_ratio import classifier_weights
from sim2real.adaptation.reweighting.kernel_mean_matching import kernel_mean_matching_weights
from sim2real.adaptation.reweighting.kliep import kliep_weights
from sim2real.adaptation.reweighting.rulsif import rulsif_weights
from sim2real.adaptation.seen import pooled

Weigh = Callable[[NDArray[np.float64], NDArray[np.float64], int], NDArray[np.float64]]

WEIGHTS: dict[str, Weigh] = {
    "classifier-weights": lambda source, target, seed: classifier_weights(source, target, seed=seed),
    "kmm": lambda source, target, seed: kernel_mean_matching_weights(source, target, largest=10.0),
    "kliep": lambda source, target, seed: kliep_weights(source, target, seed=seed),
    "rulsif": lambda source, target, seed: rulsif_weights(source, target, seed=seed),
}
# A few dozen photographs say nothing about the density in hundreds of dimensions.
_DIRECTIONS = 8


def frame_weights(
    name: str, model: PerceptionModel, source: NDArray[np.uint8], target: NDArray[np.uint8], stage: int, seed: int
) -> NDArray[np.float64]:
    """Return weights (N,) of simulated pictures, mean 1, by one of `WEIGHTS`.

    Densities are those of the first eight principal components of both domains' pooled features, each scaled to unit
    variance.

    Args:
        name: of the method.
        model: whose features are compared.
        source: simulated pictures (N, H, W, 3).
        target: photographs (M, H, W, 3).
        stage: whose features.
        seed: of what is random in the method.
    """
    features = [_features(model, pictures, stage) for pictures in (source, target)]
    both = np.concatenate(features)
    mean = both.mean(axis=0)
    _, _, axes = np.linalg.svd(both - mean, full_matrices=False)
    parts = [(f - mean) @ axes[:_DIRECTIONS].T for f in features]
    spread = np.maximum(np.concatenate(parts).std(axis=0), 1e-12)
    return WEIGHTS[name](parts[0] / spread, parts[1] / spread, seed)


@torch.no_grad()
def _features(model: PerceptionModel, pictures: NDArray[np.uint8], stage: int, batch: int = 16) -> NDArray[np.float64]:
    model.eval()
    device = next(model.parameters()).device
    found = []
    for start in range(0, len(pictures), batch):
        part = torch.from_numpy(np.ascontiguousarray(pictures[start : start + batch])).permute(0, 3, 1, 2).to(device)
        found.append(pooled(model.encode(part), stage).double().cpu().numpy())
    return np.concatenate(found)
