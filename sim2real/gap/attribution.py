"""Where a gap comes from: one group of parameters at a time is set to the target's, or back to the source's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibration.estimate import Estimate
from sim2real.statistics import CONFIDENCE

Array = NDArray[np.float64]
Errors = Callable[[frozenset[str]], ArrayLike]
# What is lost (not finite) on one side only counts as this far, in the unit of the outcomes.
LOST = 1.0
_RESAMPLES = 4000


@dataclass(frozen=True)
class Share:
    """What a group of parameters explains.

    Attributes:
        group: its name.
        alone: how much the error rises when the group alone takes the target's values.
        last: how much it falls when, of all groups, this one alone goes back to the source's.
        explained: mean of both, with its interval; the unit of the errors.
        share: of the gap; None where the gap's interval holds 0, since shares of nothing say nothing.
    """

    group: str
    alone: float
    last: float
    explained: Estimate
    share: float | None


@dataclass(frozen=True)
class Attribution:
    """A gap and its parts, the largest first.

    Attributes:
        gap: error with all of the target's values less that with none, with its interval.
        shares: of the groups.
        rest: the gap less the sum of what groups explain: what they do only together.
    """

    gap: Estimate
    shares: tuple[Share, ...]
    rest: float


def attribute(groups: Sequence[str], errors: Errors, unit: str, seed: int = 0) -> Attribution:
    """Return how much of a gap each group of parameters explains.

    With E(S) the mean error where the groups in S have the target's values and all others the source's, a group g
    explains the mean of E({g}) - E({}) and E(all) - E(all without g): the first and the last step of a Shapley value
    (Shapley 1953), which is exact where groups act apart or in pairs, at 2 G + 2 measurements instead of 2^G.
    Intervals are percentile bootstrap over frames (or episodes), the same draws everywhere, since frames are the same.

    Args:
        groups: names, two or more differ in nothing else.
        errors: maps the set of groups that have the target's values to errors (frames,) on the same frames in the same
            order, or to losses such as 1 for failure and 0 for success of the same episodes.
        unit: of the errors.
        seed: of the resampling.

    Raises:
        ValueError: no group, one named twice, or errors that differ in shape or are not finite.
    """
    if not groups or len(set(groups)) != len(groups):
        raise ValueError(f"attribute needs groups with names of their own, got {list(groups)}")
    everything = frozenset(groups)
    none, full = _checked(errors(frozenset()), None), _checked(errors(everything), None)
    frames = len(none)
    alone = np.stack([_checked(errors(frozenset((g,))), frames) for g in groups]) - none
    if len(groups) > 1:
        last = _checked(full, frames) - np.stack([_checked(errors(everything - {g}), frames) for g in groups])
    else:
        last = alone
    explained = (alone + last) / 2
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(frames, np.full(frames, 1 / frames), size=_RESAMPLES) / frames
    gap = _estimate(full - none, weights, unit)
    certain = gap.low > 0
    shares = [
        Share(
            group,
            float(alone[k].mean()),
            float(last[k].mean()),
            _estimate(explained[k], weights, unit),
            float(explained[k].mean() / gap.value) if certain else None,
        )
        for k, group in enumerate(groups)
    ]
    shares.sort(key=lambda s: -s.explained.value)
    return Attribution(gap, tuple(shares), float(gap.value - explained.mean(axis=1).sum()))


def difference_from_target(groups: Sequence[str], outcomes: Errors) -> Errors:
    """Return what `attribute` takes, for what happens itself in place of how bad it is.

    An error can be the same, or smaller, where a group changes what happens: two causes may cancel, and some help. How
    far the source's outcome is from the target's on the same frame or episode cannot; a group explains by how much its
    values bring the source nearer to the target, and the "gap" is how far the source is from it.

    Args:
        groups: all names.
        outcomes: maps the set of groups that have the target's values to outcomes (N, ..., D): predicted points of
            frames, or places of bodies over the steps of episodes; distances over D are averaged over all axes but N.
    """
    target, target_lost = _with_zeros(outcomes(frozenset(groups)))

    def errors(taken: frozenset[str]) -> Array:
        found, lost = _with_zeros(outcomes(taken))
        apart = np.where(lost == target_lost, np.linalg.norm(found - target, axis=-1), LOST)
        return np.asarray(-apart.reshape(len(apart), -1).mean(axis=1))

    return errors


def _with_zeros(outcomes: ArrayLike) -> tuple[Array, NDArray[np.bool_]]:
    """Return outcomes with zeros for lost ones, and which are lost."""
    values = np.asarray(outcomes, np.float64)
    lost: NDArray[np.bool_] = np.asarray(~np.isfinite(values).all(axis=-1))
    return np.where(lost[..., None], 0.0, values), lost


def _checked(found: ArrayLike, frames: int | None) -> Array:
    values = np.asarray(found, dtype=np.float64)
    if values.ndim != 1 or not len(values) or (frames is not None and len(values) != frames):
        wanted = "(frames,)" if frames is None else f"({frames},)"
        raise ValueError(f"errors must be {wanted} for every set of groups, got {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError("errors must be finite for every set of groups; leave out frames that cannot be scored")
    return values


def _estimate(values: Array, weights: Array, unit: str) -> Estimate:
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(weights @ values, [tail, 100 - tail])
    mean = float(values.mean())
    method = "paired percentile bootstrap over frames"
    return Estimate(mean, min(float(low), mean), max(float(high), mean), CONFIDENCE, len(values), unit, method)
