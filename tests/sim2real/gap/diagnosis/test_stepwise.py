"""Forward selection on evidence whose truth is known: numbers that were recorded with noise."""

from collections.abc import Sequence

import numpy as np
import pytest

from sim2real.gap.diagnosis.groups import Float, Group, Values, added
from sim2real.gap.diagnosis.search import search
from sim2real.gap.diagnosis.stepwise import diagnose


class Recorded:
    """Frames that are a number of each path, seen through a random matrix, with noise; two kinds of cells."""

    kinds = ("first", "second")

    def __init__(self, truth: dict[str, float], frames: int = 12, noise: float = 0.05, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self._names = ["a", "b", "c", "d"]
        self._mix = rng.normal(size=(frames, 40, 4))
        world = np.array([truth.get(name, 0.0) for name in self._names])
        self._seen = self._mix @ world + noise * rng.normal(size=(frames, 40))

    @property
    def count(self) -> int:
        return len(self._seen)

    def misfits(self, values: Values, chosen: Sequence[int]) -> Float:
        world = np.array([values.get(name, 0.0) for name in self._names])
        apart = self._seen[list(chosen)] - self._mix[list(chosen)] @ world
        cells = np.log1p((apart / 0.1) ** 2)
        return np.stack([cells[:, :20].mean(axis=1), cells[:, 20:].mean(axis=1)], axis=1)


GROUPS = tuple(Group(name, (added(name, 0.0, 1.0),)) for name in "abcd")


def test_two_planted_causes_are_found_with_their_values_and_no_third() -> None:
    found = diagnose(GROUPS, Recorded({"b": 0.8, "d": -0.4}), seed=1)
    assert [f.group for f in found.found] == ["b", "d"]
    assert found.found[0].values["b"] == pytest.approx(0.8, abs=0.02)
    assert found.found[1].values["d"] == pytest.approx(-0.4, abs=0.02)
    assert all(f.explained.low > 0 and 0 < f.shrinks < 1 for f in found.found)
    assert all(found.after[kind] < 0.4 * found.before[kind] for kind in ("first", "second"))


def test_alone_ranks_every_group_by_what_it_explains() -> None:
    found = diagnose(GROUPS, Recorded({"c": 0.5}), seed=0, most=1)
    assert {f.group for f in found.alone} == set("abcd")
    assert found.alone[0].group == "c"
    explained = [f.explained.value for f in found.alone]
    assert explained == sorted(explained, reverse=True)


def test_where_nothing_differs_hardly_anything_is_found() -> None:
    false = [len(diagnose(GROUPS, Recorded({}, seed=k), seed=k, most=1).found) for k in range(20)]
    assert sum(false) <= 3


def test_what_is_fitted_does_not_judge() -> None:
    """A cause that is there in the fitted frames alone explains nothing of the others."""
    evidence = Recorded({})
    evidence._seen[::2] += evidence._mix[::2, :, 0] * 0.7
    found = diagnose(GROUPS, evidence, seed=0)
    assert not found.found


def test_refits_are_counted_and_two_frames_are_needed() -> None:
    counted: list[int] = []
    diagnose(GROUPS, Recorded({"a": 0.5}), seed=0, most=1, advance=counted.append)
    assert counted == [1, 2, 3, 4]
    with pytest.raises(ValueError, match="2 frames"):
        diagnose(GROUPS, Recorded({}, frames=1), seed=0)


def test_search_finds_a_minimum_and_improves_a_start() -> None:
    group = Group("g", (added("a", (0.0, 0.0), 1.0),))
    target = np.array([0.6, -1.1])

    def cost(u: Float) -> float:
        return float(np.log1p(((u - target) ** 2).sum() / 0.01))

    numbers, least = search(group, cost, np.random.default_rng(0))
    assert numbers == pytest.approx(target, abs=0.1)
    assert least == pytest.approx(cost(numbers))
    start = target + 0.3
    assert search(group, cost, np.random.default_rng(0), start)[1] < cost(start)
