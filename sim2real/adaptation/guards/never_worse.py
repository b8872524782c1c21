"""Whether to use the adapted model or the one from simulation alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim2real.adaptation.guards.paired import paired_difference, verdict

Array = NDArray[np.float64]
Frame = TypeVar("Frame")
Use = Literal["adapted", "simulation only"]

# Cross-fitting needs this many labelled frames; with fewer the interval is wider than any effect.
FEWEST_LABELLED = 4
# Label-free evidence must be strong before adaptation is thrown away.
_SPREAD_SHARE = 0.2
_UNSTEADY = 2.0
_PLAUSIBLE_DROP = 0.2


@dataclass(frozen=True)
class Decision:
    """Which model to use.

    Attributes:
        use: "adapted" or "simulation only".
        reason: one line with the numbers behind it, and with what could not be checked.
        numbers: of the evidence, by name.
    """

    use: Use
    reason: str
    numbers: dict[str, float]


@dataclass(frozen=True, eq=False)
class LabelFree:
    """What can be known of a model's predictions on N unlabelled frames.

    Attributes:
        predictions: (N, L), such as keypoints in pixels.
        disagreement: (N,), how far they move under small views (`views.view_disagreement`); None: not measured.
        plausible: (N,), whether the geometry allows them (`self_training.plausibility`); None: not measured.
    """

    predictions: ArrayLike
    disagreement: ArrayLike | None = None
    plausible: ArrayLike | None = None


def folds(groups: Sequence[object], count: int, seed: int) -> list[list[int]]:
    """Return the frames' numbers in at most `count` folds of about equal size; a group is never divided."""
    names = list(dict.fromkeys(groups))
    order = np.random.default_rng(seed).permutation(len(names))
    members = {name: [k for k, g in enumerate(groups) if g == name] for name in names}
    parts: list[list[int]] = [[] for _ in range(min(count, len(names)))]
    # Large groups first into the smallest fold; the drawn order decides among equal ones.
    for name in sorted((names[k] for k in order), key=lambda n: -len(members[n])):
        min(parts, key=len).extend(members[name])
    return [sorted(part) for part in parts]


def cross_fitted_errors(
    frames: Sequence[Frame],
    adapt: Callable[[Sequence[Frame]], Callable[[Sequence[Frame]], ArrayLike]],
    count: int = 5,
    groups: Sequence[object] | None = None,
    seed: int = 0,
) -> Array:
    """Return the error of each frame (N,) by a model that was adapted without it.

    Args:
        frames: labelled; no frame on which results are reported.
        adapt: takes frames to learn from, and returns what gives the errors of other frames. It must start from the
            simulated model each time.
        count: of the folds.
        groups: of the frames, such as recordings, that are never divided; a single group, or none, is divided by frame.
        seed: of the division.

    Raises:
        ValueError: fewer than two frames, or errors of another number.
    """
    if len(frames) < 2:
        raise ValueError(f"cross_fitted_errors needs two or more frames, got {len(frames)}")
    kept = groups if groups is not None and len(set(groups)) > 1 else range(len(frames))
    errors = np.full(len(frames), np.nan)
    for part in folds(list(kept), count, seed):
        errors_of = adapt([frames[k] for k in range(len(frames)) if k not in set(part)])
        found = np.asarray(errors_of([frames[k] for k in part]), dtype=np.float64)
        if found.shape != (len(part),):
            raise ValueError(f"adapt must give one error a frame, got shape {found.shape} for {len(part)} frames")
        errors[part] = found
    return errors


def decide(simulation_errors: ArrayLike, adapted_errors: ArrayLike, unit: str, seed: int = 0) -> Decision:
    """Return the decision from errors of both models on the same labelled frames.

    It falls back to simulation when the adapted model is worse beyond chance, or gives no number where the other does.

    Args:
        simulation_errors: (N,), N `FEWEST_LABELLED` or more.
        adapted_errors: (N,), by models that did not see the frame (`cross_fitted_errors`).
        unit: of the errors.
        seed: of the bootstrap.

    Raises:
        ValueError: too few frames; use `decide_without_labels`.
    """
    simulation, adapted = (np.asarray(e, dtype=np.float64) for e in (simulation_errors, adapted_errors))
    lost = int((np.isfinite(simulation) & ~np.isfinite(adapted)).sum())
    if lost:
        reason = f"the adapted model gives no number in {lost} of {len(adapted)} frames, the simulated one does"
        return Decision("simulation only", reason, {"frames": float(len(adapted)), "lost": float(lost)})
    both = int((np.isfinite(simulation) & np.isfinite(adapted)).sum())
    if both < FEWEST_LABELLED:
        raise ValueError(f"decide needs {FEWEST_LABELLED} or more frames with both errors, got {both}")
    found = paired_difference(adapted, simulation, unit, seed)
    numbers = {
        "frames": float(found.mean.count),
        "simulation_mean": float(np.nanmean(simulation)),
        "adapted_mean": float(np.nanmean(adapted)),
        "difference_mean": found.mean.value,
        "difference_mean_low": found.mean.low,
        "difference_mean_high": found.mean.high,
        "difference_median": found.median.value,
        "difference_median_low": found.median.low,
        "difference_median_high": found.median.high,
    }
    said = verdict(found)
    text = {"worse": "worse", "better": "better", "no difference": "not worse beyond chance"}[said]
    reason = (
        f"cross-fitted on {found.mean.count} labelled frames, the adapted model is {text}: mean error "
        f"{numbers['adapted_mean']:.4g} {unit} against {numbers['simulation_mean']:.4g}, difference "
        f"{found.mean.value:+.3g} [{found.mean.low:+.3g}, {found.mean.high:+.3g}], median {found.median.value:+.3g} "
        f"[{found.median.low:+.3g}, {found.median.high:+.3g}]"
    )
    return Decision("simulation only" if said == "worse" else "adapted", reason, numbers)


def decide_without_labels(simulation: LabelFree, adapted: LabelFree, labelled: int = 0, seed: int = 0) -> Decision:
    """Return the decision where labelled frames are too few to compare errors.

    It falls back to simulation only on strong evidence: predictions that are no numbers or all alike, that move more
    than twice as much under small views, or that geometry forbids in at least a fifth more of the frames.

    Args:
        simulation: of the model from simulation, on N unlabelled frames.
        adapted: of the adapted model, on the same frames.
        labelled: how many labelled frames there were; too few to decide, named in the reason.
        seed: of the bootstrap.
    """
    before, after = (np.asarray(m.predictions, dtype=np.float64) for m in (simulation, adapted))
    before, after = (p.reshape(len(p), -1) for p in (before, after))
    few = f"{labelled} labelled frame{'s' if labelled != 1 else ''}" if labelled else "no labelled frame"
    unchecked = [f"whether predictions are right ({few}, {FEWEST_LABELLED} needed)"]
    numbers: dict[str, float] = {"frames": float(len(after)), "labelled": float(labelled)}
    faults: list[str] = []
    if (lost := int((np.isfinite(before).all(axis=1) & ~np.isfinite(after).all(axis=1)).sum())) > 0:
        faults.append(f"{lost} of {len(after)} predictions are no numbers")
    elif len(after) < 2:
        unchecked.append("collapse (fewer than 2 frames)")
    else:
        first, second = (float(np.nanstd(p, axis=0).mean()) for p in (before, after))
        numbers |= {"spread_simulation": first, "spread_adapted": second}
        if second < _SPREAD_SHARE * first:
            faults.append(f"predictions collapsed: spread {second:.3g}, {first:.3g} from simulation")
    _judge_steadiness(simulation.disagreement, adapted.disagreement, numbers, faults, unchecked, seed)
    _judge_geometry(simulation.plausible, adapted.plausible, numbers, faults, unchecked, seed)
    told = "; not checked: " + ", ".join(unchecked)
    if faults:
        return Decision("simulation only", "the adapted model looks worse: " + "; ".join(faults) + told, numbers)
    return Decision("adapted", f"nothing on {len(after)} unlabelled frames speaks against adaptation{told}", numbers)


def _judge_steadiness(
    before: ArrayLike | None,
    after: ArrayLike | None,
    numbers: dict[str, float],
    faults: list[str],
    unchecked: list[str],
    seed: int,
) -> None:
    """Add what small views say: the ratio of disagreements, geometric mean with its interval."""
    if before is None or after is None or len(np.asarray(after)) < FEWEST_LABELLED:
        unchecked.append("steadiness under small views")
        return
    first, second = (np.asarray(d, dtype=np.float64) for d in (before, after))
    least = 0.1 * max(float(np.nanmedian(first)), 1e-9)
    found = paired_difference(np.log(np.maximum(second, least)), np.log(np.maximum(first, least)), "1", seed).mean
    numbers |= {"disagreement_ratio": float(np.exp(found.value)), "disagreement_ratio_low": float(np.exp(found.low))}
    if found.value > np.log(_UNSTEADY) and found.low > 0:
        low, high = np.exp(found.low), np.exp(found.high)
        faults.append(
            f"predictions move {np.exp(found.value):.2g} times as much [{low:.2g}, {high:.2g}] under small views"
        )


def _judge_geometry(
    before: ArrayLike | None,
    after: ArrayLike | None,
    numbers: dict[str, float],
    faults: list[str],
    unchecked: list[str],
    seed: int,
) -> None:
    """Add what geometry says: the difference of the shares of plausible predictions."""
    if before is None or after is None or len(np.asarray(after)) < FEWEST_LABELLED:
        unchecked.append("geometry")
        return
    first, second = (np.asarray(p, dtype=np.float64) for p in (before, after))
    found = paired_difference(first, second, "1", seed).mean
    numbers |= {"plausible_simulation": float(first.mean()), "plausible_adapted": float(second.mean())}
    if found.value >= _PLAUSIBLE_DROP and found.low > 0:
        faults.append(
            f"geometry allows {100 * second.mean():.0f} % of the predictions, {100 * first.mean():.0f} % before"
        )
