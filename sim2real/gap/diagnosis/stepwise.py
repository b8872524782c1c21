"""Which groups of values explain what differs, one after another, by refits judged on frames that no refit saw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from calibration.estimate import Estimate
from sim2real.gap.diagnosis.groups import Float, Group, Values
from sim2real.gap.diagnosis.search import search
from sim2real.statistics import CONFIDENCE

_RESAMPLES = 2000
# As many independent observations as a set of frames is taken for where the fit is weighed against what is usual.
_OBSERVATIONS = 200.0


class Evidence(Protocol):
    """Recorded frames or episodes, and how far those of a candidate world are from them.

    Attributes:
        kinds: names of what is compared, K of them.
        floors: (K,) mean squares below which no difference is believed.
        count: of frames or episodes.
    """

    @property
    def kinds(self) -> tuple[str, ...]:
        """Names of what is compared."""

    @property
    def floors(self) -> Float:
        """Mean squares below which no difference is believed."""

    @property
    def count(self) -> int:
        """How many frames or episodes."""

    def residuals(self, values: Values, chosen: Sequence[int]) -> Float:
        """Return mean squares (N, K) of what differs in the chosen frames, the world changed by `values`."""


@dataclass(frozen=True)
class Finding:
    """What the refit of one group explains.

    Attributes:
        group: its name.
        explained: by how much the geometric mean, over kinds, of the mean squares on frames that were not fitted falls
            with the refit, in natural logarithms, with its interval.
        shrinks: the same as a share of the root mean square, 0 for nothing and 1 for all.
        by_kind: share of each kind.
        values: refitted, by path.
    """

    group: str
    explained: Estimate
    shrinks: float
    by_kind: dict[str, float]
    values: Values


@dataclass(frozen=True)
class Diagnosis:
    """What differs.

    Attributes:
        found: groups one after another, each beside those before it, while their intervals are above 0.
        alone: every group alone, what explains most first.
        before: (K,) root mean squares of the nominal world on the frames that were not fitted.
        after: (K,) the same with all that was found.
    """

    found: tuple[Finding, ...]
    alone: tuple[Finding, ...]
    before: dict[str, float]
    after: dict[str, float]


def diagnose(
    groups: Sequence[Group],
    evidence: Evidence,
    seed: int,
    most: int = 3,
    advance: Callable[[int], None] = lambda done: None,
) -> Diagnosis:
    """Return which groups explain the difference between a nominal world and what was recorded.

    Forward selection: each group is refitted alone on every second frame, and the one that explains most of the others
    is kept; then each remaining group beside it, and so on. What was kept is refitted again whenever one joins. The
    cost is the sum over kinds of the logarithm of the mean square, the profile log-likelihood of Gaussian differences
    whose spread is unknown for each kind, so that colours in levels and logarithms of sharpness add up without weights.

    Args:
        groups: that may differ.
        evidence: two frames or more.
        seed: of starts and resampling.
        most: groups to find.
        advance: called with how many refits are done.

    Raises:
        ValueError: fewer than two frames.
    """
    if evidence.count < 2:
        raise ValueError(f"diagnose needs 2 frames or more, half of them to judge by, got {evidence.count}")
    rng = np.random.default_rng(seed)
    fitting, judging = range(0, evidence.count, 2), range(1, evidence.count, 2)
    nominal = evidence.residuals({}, judging)
    picked: list[tuple[Group, Float]] = []
    found: list[Finding] = []
    alone: list[Finding] = []
    base: Values = {}
    current = nominal
    done = 0
    while len(found) < most:
        left = [g for g in groups if g.name not in {f.group for f in found}]
        fits = []
        for group in left:
            numbers = _fit(group, evidence, base, fitting, rng)
            done += 1
            advance(done)
            values = base if numbers is None else base | group.values(numbers)
            residuals = evidence.residuals(values, judging)
            own = {} if numbers is None else group.values(numbers)
            fits.append((_finding(group.name, evidence, current, residuals, own, rng), group, numbers))
        fits.sort(key=lambda fit: -fit[0].explained.value)
        alone = alone or [fit[0] for fit in fits]
        if not fits:
            break
        best, group, numbers = fits[0]
        if numbers is None or best.explained.low <= 0:
            break
        found.append(best)
        picked.append((group, numbers))
        picked = _polished(picked, evidence, fitting, rng)
        base = _joined(picked)
        current = evidence.residuals(base, judging)
    of_group = {group.name: group.values(numbers) for group, numbers in picked}
    return Diagnosis(
        tuple(Finding(f.group, f.explained, f.shrinks, f.by_kind, of_group[f.group]) for f in found),
        tuple(alone),
        _root(evidence, nominal),
        _root(evidence, current),
    )


def _joined(picked: Sequence[tuple[Group, Float]]) -> Values:
    values: Values = {}
    for group, numbers in picked:
        values |= group.values(numbers)
    return values


def _fit(
    group: Group,
    evidence: Evidence,
    base: Values,
    fitting: Sequence[int],
    rng: np.random.Generator,
    start: Float | None = None,
) -> Float | None:
    """Return the numbers that fit best beside `base`, or None where leaving the group as it is fits better."""

    def cost(numbers: Float) -> float:
        usual = float(numbers @ numbers) / _OBSERVATIONS
        return _log(evidence, evidence.residuals(base | group.values(numbers), fitting)) + usual

    numbers, least = search(group, cost, rng, start)
    return numbers if least < _log(evidence, evidence.residuals(base, fitting)) else None


def _polished(
    picked: list[tuple[Group, Float]], evidence: Evidence, fitting: Sequence[int], rng: np.random.Generator
) -> list[tuple[Group, Float]]:
    """Return the groups with numbers refitted one after another, since the first took up what belongs to the others."""
    if len(picked) < 2:
        return picked
    for k, (group, numbers) in enumerate(picked):
        others = _joined([*picked[:k], *picked[k + 1 :]])
        again = _fit(group, evidence, others, fitting, rng, numbers)
        picked[k] = group, numbers if again is None else again
    return picked


def _log(evidence: Evidence, residuals: Float, weights: Float | None = None) -> float:
    means = residuals.mean(axis=0) if weights is None else weights @ residuals
    return float(np.log(means + evidence.floors).sum())


def _finding(
    name: str, evidence: Evidence, before: Float, after: Float, values: Values, rng: np.random.Generator
) -> Finding:
    explained = _log(evidence, before) - _log(evidence, after)
    frames = len(before)
    weights = rng.multinomial(frames, np.full(frames, 1 / frames), size=_RESAMPLES) / frames
    floors = evidence.floors
    drawn = (np.log(weights @ before + floors) - np.log(weights @ after + floors)).sum(axis=1)
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(drawn, [tail, 100 - tail]).tolist()
    method = "percentile bootstrap over frames that were not fitted"
    ratios = (after.mean(axis=0) + floors) / (before.mean(axis=0) + floors)
    return Finding(
        name,
        Estimate(explained, min(low, explained), max(high, explained), CONFIDENCE, frames, "1", method),
        float(1 - np.exp(-explained / (2 * len(floors)))),
        {kind: float(1 - np.sqrt(r)) for kind, r in zip(evidence.kinds, ratios, strict=True)},
        values,
    )


def _root(evidence: Evidence, residuals: Float) -> dict[str, float]:
    return {k: float(v) for k, v in zip(evidence.kinds, np.sqrt(residuals.mean(axis=0)), strict=True)}
