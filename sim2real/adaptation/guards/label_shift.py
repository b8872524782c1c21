"""Whether labels are distributed otherwise on photographs than in simulation, as far as predictions tell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from calibration.rig import Rig
from envs.rendering.choice import RendererName
from policies.perception import PerceptionModel
from sim2real.randomization import RandomizationSpec
from sim2real.stream import SimulatedFrames

Array = NDArray[np.float64]

# Share of the checks that warn although labels are distributed as in simulation.
FALSE_ALARMS = 0.01
# With fewer frames of either kind no permutation test says anything at that rate.
FEWEST = 5
_PERMUTATIONS = 999
# Simulated frames that are compared with, by numbers that no training draws, and how much of a target must be seen.
_FIRST, _SIMULATED, _PART, _SEEN = 70_000_000, 128, 16, 0.3


@dataclass(frozen=True)
class LabelShift:
    """A two-sample test of predicted labels.

    Attributes:
        p_value: how often a difference as large comes about by chance.
        distance: largest Kolmogorov-Smirnov distance of a coordinate, 0 to 1.
        where: that coordinate.
        simulated: its quartiles in simulation, pixels.
        photographs: the same on photographs.
    """

    p_value: float
    distance: float
    where: str
    simulated: tuple[float, float, float]
    photographs: tuple[float, float, float]

    @property
    def found(self) -> bool:
        """Whether labels are distributed otherwise beyond chance."""
        return self.p_value <= FALSE_ALARMS

    def __str__(self) -> str:
        """Return one line: what was found, and what it means for adaptation."""
        (low, middle, high), (near, half, far) = self.photographs, self.simulated
        text = (
            f"{self.where} has its median at {middle:.0f} px (quartiles {low:.0f} and {high:.0f}), in simulation at "
            f"{half:.0f} px ({near:.0f} and {far:.0f}); two-sample test, p = {self.p_value:.2g}"
        )
        if not self.found:
            return f"predicted labels are distributed as in simulation, as far as can be told: {text}"
        return (
            f"predicted labels are distributed otherwise than in simulation: {text}. Making all photographs alike to "
            "all simulated frames may then do harm that no check without labels can see; compare both models on a few "
            "labelled photographs, by sim2real gap"
        )


def check_label_shift(
    before: PerceptionModel,
    after: PerceptionModel,
    rig: Rig,
    spec: RandomizationSpec,
    pictures: NDArray[np.uint8],
    device: torch.device,
    seed: int = 0,
    renderer: RendererName = "auto",
) -> LabelShift | None:
    """Return whether labels are distributed otherwise on photographs than in frames of the simulation.

    Args:
        before: from simulation, with a keypoint head.
        after: adapted.
        rig: the station.
        spec: what varies in simulation.
        pictures: unlabelled photographs (N, H, W, 3) at the size that the models see.
        device: where the models are.
        seed: of the frames and of the test.
        renderer: what draws the frames.
    """
    stream = SimulatedFrames(rig, spec, seed, renderer=renderer)
    parts = [stream.draw(range(_FIRST + k, _FIRST + k + _PART)) for k in range(0, _SIMULATED, _PART)]
    stream.close()
    # Photographs on which the target is out of the picture are left out, too.
    simulated = np.concatenate([p.rgb[(p.visible > _SEEN).any(axis=1)] for p in parts])
    names = tuple(f"'{k.name}' {axis}" for k in rig.keypoints for axis in ("across", "down"))
    found = [_predicted(m, shown, device) for m, shown in ((before, simulated), (before, pictures), (after, pictures))]
    return label_shift(found[0], found[1], found[2], names, seed)


def label_shift(
    simulated: ArrayLike, before: ArrayLike, after: ArrayLike, names: tuple[str, ...] = (), seed: int = 0
) -> LabelShift | None:
    """Return the test of predictions on photographs against those on simulated frames; None with fewer than five.

    The statistic is the largest two-sample Kolmogorov-Smirnov distance of a coordinate, its p-value that of a
    permutation of frames, so that it holds for coordinates that depend on each other and whatever their number. Both
    models have to say so: a model that other looks have confused predicts other labels where there are none, and
    adaptation can move predictions. The larger p-value counts, which is above 0.01 in at least 99 % of the cases
    where photographs, to the model before, are drawn as simulated frames are.

    Args:
        simulated: (N, L) predictions of the model before on simulated frames, pixels.
        before: (M, L) of the same model on photographs.
        after: (M, L) of the adapted model on them.
        names: of the L coordinates; default: their numbers.
        seed: of the permutations.
    """
    source = _finite(simulated)
    tests = [_test(source, _finite(target), seed) for target in (before, after)]
    if any(t is None for t in tests):
        return None
    p_value, distances, target = max((t for t in tests if t is not None), key=lambda t: t[0])
    k = int(np.argmax(distances))
    where = names[k] if names else f"coordinate {k}"
    return LabelShift(p_value, float(distances[k]), where, _quartiles(source[:, k]), _quartiles(target[:, k]))


def _test(source: Array, target: Array, seed: int) -> tuple[float, Array, Array] | None:
    """Return p-value, distance of each coordinate (L,) and the target's finite rows; None with too few rows."""
    if min(len(source), len(target)) < FEWEST:
        return None
    rows = np.concatenate([source, target])
    is_target = np.zeros((1 + _PERMUTATIONS, len(rows)), bool)
    is_target[:, len(source) :] = True
    is_target[1:] = np.random.default_rng([seed, 11]).permuted(is_target[1:], axis=1)
    distances = np.stack([_distances(column, is_target) for column in rows.T], axis=1)
    largest = distances.max(axis=1)
    # Equal distances differ by rounding, depending on the order of their sums.
    p_value = (1 + int((largest[1:] >= largest[0] - 1e-9).sum())) / (1 + _PERMUTATIONS)
    return p_value, distances[0], target


def _distances(values: Array, is_target: NDArray[np.bool_]) -> Array:
    """Return the Kolmogorov-Smirnov distance (P,) of values (N,) for each way to divide them (P, N)."""
    order = np.argsort(values, kind="stable")
    count = int(is_target[0].sum())
    steps = np.where(is_target[:, order], 1.0 / count, -1.0 / (len(values) - count))
    # Of equal values only the last one ends a step of the distribution functions.
    ends = np.append(np.diff(values[order]) > 0, True)
    return np.asarray(np.abs(np.cumsum(steps, axis=1)[:, ends]).max(axis=1))


def _predicted(model: PerceptionModel, pictures: NDArray[np.uint8], device: torch.device) -> Array:
    found = model.predict(pictures, device).keypoints_px
    assert found is not None, "a regression head has no keypoints"
    return np.asarray(found, dtype=np.float64).reshape(len(pictures), -1)


def _finite(predictions: ArrayLike) -> Array:
    rows = np.asarray(predictions, dtype=np.float64)
    return rows[np.isfinite(rows).all(axis=1)]


def _quartiles(values: Array) -> tuple[float, float, float]:
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return float(low), float(middle), float(high)
