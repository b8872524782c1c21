"""Which groups of values explain what differs, one after another, by refits judged on frames that no refit saw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
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
    """Recorded frames, and how far those of a candidate world are from them."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """Names of what is compared, K of them."""

    @property
    def count(self) -> int:
        """How many frames."""

    def misfits(self, values: Values, chosen: Sequence[int]) -> Float:
        """Return how badly the world changed by `values` fits, (N, K) negative log-likelihoods of the chosen frames."""


@dataclass(frozen=True)
class Finding:
    """What the refit of one group explains.

    Attributes:
        group: its name.
        explained: by how much the misfit, summed over kinds, falls with the refit on frames that were not fitted, with
            its interval; natural logarithms.
        shrinks: the same as a share of a typical (geometric mean) difference: 0 for nothing, towards 1 for all.
        by_kind: that share of each kind.
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
        before: misfit of the nominal world on the frames that were not fitted, by kind.
        after: the same with all that was found.
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
    is kept; then each remaining group beside it, and so on. What was kept is refitted again whenever one joins.

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
    nominal = evidence.misfits({}, judging)
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
            own = {} if numbers is None else group.values(numbers)
            misfits = evidence.misfits(base | own, judging)
            fits.append((_finding(group.name, evidence, current, misfits, own, rng), group, numbers))
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
        current = evidence.misfits(base, judging)
    of_group = {group.name: group.values(numbers) for group, numbers in picked}
    return Diagnosis(
        tuple(replace(f, values=of_group[f.group]) for f in found),
        tuple(alone),
        _by_kind(evidence, nominal),
        _by_kind(evidence, current),
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
        return _cost(evidence.misfits(base | group.values(numbers), fitting)) + usual

    numbers, least = search(group, cost, rng, start)
    return numbers if least < _cost(evidence.misfits(base, fitting)) else None


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


def _finding(
    name: str, evidence: Evidence, before: Float, after: Float, values: Values, rng: np.random.Generator
) -> Finding:
    falls = before - after
    explained = float(falls.sum(axis=1).mean())
    frames, kinds = falls.shape
    weights = rng.multinomial(frames, np.full(frames, 1 / frames), size=_RESAMPLES) / frames
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(weights @ falls.sum(axis=1), [tail, 100 - tail]).tolist()
    method = "percentile bootstrap over frames that were not fitted"
    return Finding(
        name,
        Estimate(explained, min(low, explained), max(high, explained), CONFIDENCE, frames, "1", method),
        float(1 - np.exp(-explained / (2 * kinds))),
        {kind: float(1 - np.exp(-fall / 2)) for kind, fall in zip(evidence.kinds, falls.mean(axis=0), strict=True)},
        values,
    )


def _cost(misfits: Float) -> float:
    return float(misfits.sum(axis=1).mean())


def _by_kind(evidence: Evidence, misfits: Float) -> dict[str, float]:
    return {kind: float(v) for kind, v in zip(evidence.kinds, misfits.mean(axis=0), strict=True)}
