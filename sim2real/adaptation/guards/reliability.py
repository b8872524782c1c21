"""How far to trust a model on photographs: a radius for its errors, and when it should not answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.stats import t

from calibration.records import read_record, write_record
from policies.perception import PerceptionModel
from sim2real.adaptation.guards.novelty import Novelty
from sim2real.adaptation.guards.uncertainty import ConformalRadius, frames_needed
from sim2real.adaptation.seen import pooled

Array = NDArray[np.float64]
FILE = "reliability.json"

_PART = 16
# Share of frames like the fitted ones on which the model should answer.
_USUAL = 0.99


@dataclass(frozen=True)
class Reliability:
    """What is kept beside a fine-tuned model so that it can say how far to trust it.

    Attributes:
        radius: calibrated on labelled frames by models that were fine-tuned without them (cross-conformal prediction,
            Vovk 2015); None: there were too few, or no such models.
        novelty: of features of simulated and fitted frames, with scores of simulated frames that are held out.
        left_out: novelty scores of the fitted frames, each by a distribution fitted without it; smallest first.
    """

    radius: ConformalRadius | None
    novelty: Novelty
    left_out: tuple[float, ...]

    @property
    def limit(self) -> float:
        """Novelty above which the model abstains.

        It is the upper 99 % prediction limit for one more frame like the fitted ones, whose left-out scores are taken
        as log-normal (Student's t; Hahn and Meeker 1991, "Statistical Intervals", one future observation), but
        nothing beyond all simulated and all fitted frames: with few fitted frames that comes first.
        """
        seen = max(*self.novelty.held_out[-1:], *self.left_out[-1:])
        count = len(self.left_out)
        if count < 2:
            return seen
        logs = np.log(np.maximum(self.left_out, 1e-9))
        reach = float(t.ppf(_USUAL, count - 1)) * float(logs.std(ddof=1)) * math.sqrt(1 + 1 / count)
        return min(math.exp(min(float(logs.mean()) + reach, 700.0)), seen)

    def radius_m(self, level: float) -> tuple[float | None, str]:
        """Return the radius that holds the truth with this probability, and a line on what it is good for.

        The radius is None where there are too few calibration frames for the level: n of them allow n / (n + 1).

        Raises:
            InputError: the level is not between 0 and 1.
        """
        if self.radius is None:
            return None, "no radius: the model was fine-tuned without cross-fitting, or on fewer than 4 labelled frames"
        count = self.radius.count
        found = self.radius.radius(1 - level)
        if not np.isfinite(found):
            if frames_needed(1 - level) > count:
                return None, (
                    f"no radius at level {level:g}: it needs {frames_needed(1 - level)} calibration frames, the model "
                    f"has {count}, which allow {count / (count + 1):.3f}"
                )
            return (
                None,
                f"no radius at level {level:g}: in {self.radius.missed} of {count} frames nothing was predicted",
            )
        return found, f"cross-fitted on {count} labelled frames: holds for frames taken like them"

    def save(self, folder: Path, provenance: dict[str, object]) -> None:
        """Write it beside a model's weights; before its card, so that a folder with a card is complete."""
        folder.mkdir(parents=True, exist_ok=True)
        write_record(folder / FILE, self, provenance)


def load_reliability(model: Path) -> Reliability | None:
    """Return what is kept beside the model of a run or checkpoint folder; None: nothing.

    Raises:
        InputError: a file of another kind or version.
    """
    place = model / "model" if (model / "model").is_dir() else model
    path = place / FILE
    return read_record(path, Reliability) if path.is_file() else None


@torch.no_grad()
def stage_features(model: PerceptionModel, pictures: NDArray[np.uint8], device: torch.device) -> list[Array]:
    """Return pooled features (N, D) of each stage, finest first, of pictures uint8 (N, H, W, 3)."""
    model.eval()
    parts: list[list[Array]] = []
    for start in range(0, len(pictures), _PART):
        shown = torch.from_numpy(np.ascontiguousarray(pictures[start : start + _PART])).permute(0, 3, 1, 2)
        maps = model.encode(shown.to(device))
        parts.append([pooled(maps, k).double().cpu().numpy() for k in range(len(maps))])
    return [np.concatenate(stage) for stage in zip(*parts, strict=True)]


def fit_reliability(
    simulated: Sequence[ArrayLike], held_out: Sequence[ArrayLike], fitted: Sequence[ArrayLike], errors: ArrayLike | None
) -> Reliability:
    """Return the record of a model from features of each stage, as `stage_features` gives them.

    Args:
        simulated: (N, D) each, of simulated frames.
        held_out: (M, D) each, of other simulated frames.
        fitted: (k, D) each, of the labelled photographs.
        errors: (k,), metres, of those photographs by models that did not see them; NaN: nothing was predicted.

    Raises:
        ValueError: as `Novelty.fit`.
    """
    sim, real = ([np.asarray(f, dtype=np.float64) for f in part] for part in (simulated, fitted))
    count = len(real[0])

    def fit(used: NDArray[np.bool_]) -> Novelty:
        domains = ["simulated"] * len(sim[0]) + ["real"] * int(used.sum())
        return Novelty.fit([np.concatenate([s, r[used]]) for s, r in zip(sim, real, strict=True)], held_out, domains)

    left_out = []
    for k in range(count):
        used = np.arange(count) != k
        left_out.append(float(fit(used).scores([r[k : k + 1] for r in real])[0]))
    radius = None
    if errors is not None:
        e = np.asarray(errors, dtype=np.float64)
        radius = ConformalRadius.fit(np.where(np.isfinite(e), e, np.inf), "m", "held-out labelled frames")
    return Reliability(radius, fit(np.ones(count, dtype=np.bool_)), tuple(sorted(left_out)))


@dataclass(frozen=True, eq=False)
class Judged:
    """How far to trust a model on N photographs.

    Attributes:
        level: probability with which the radius holds the truth.
        radius_m: the same for every frame; None: there is none.
        note: what the radius is good for, or why there is none.
        novelty: (N,) of each frame.
        limit: of novelty.
        abstained: (N,), whether the model should not answer.
    """

    level: float
    radius_m: float | None
    note: str
    novelty: Array
    limit: float
    abstained: NDArray[np.bool_]

    def summary(self, files: Sequence[str], errors: ArrayLike) -> dict[str, object]:
        """Return what came of it on N labelled frames: errors in metres with and without those abstained on."""
        e = np.asarray(errors, dtype=np.float64)
        answered = ~self.abstained
        held = None if self.radius_m is None else int((e[answered] <= self.radius_m).sum())
        return {
            "level": self.level,
            "radius_m": self.radius_m,
            "note": self.note,
            "answered": int(answered.sum()),
            "within_radius": held,
            "coverage": held / int(answered.sum()) if held is not None and answered.any() else None,
            "abstained": [file for file, stop in zip(files, self.abstained, strict=True) if stop],
            "novelty_limit": self.limit,
            "mean_answered": _mean(e[answered]),
            "mean_abstained": _mean(e[self.abstained]),
        }


def judge(
    reliability: Reliability, model: PerceptionModel, pictures: NDArray[np.uint8], level: float, device: torch.device
) -> Judged:
    """Return how far to trust the model on pictures uint8 (N, H, W, 3).

    Raises:
        InputError: the level is not between 0 and 1.
    """
    radius, note = reliability.radius_m(level)
    novelty = reliability.novelty.scores(stage_features(model, pictures, device))
    return Judged(level, radius, note, novelty, reliability.limit, novelty > reliability.limit)


def _mean(errors: Array) -> float | None:
    return float(np.nanmean(errors)) if np.isfinite(errors).any() else None
