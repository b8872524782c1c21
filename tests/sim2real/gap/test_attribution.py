"""Shares of a gap against closed forms: groups that act apart, in pairs, and not at all."""

from typing import Any

import numpy as np
import pytest

from sim2real.gap.attribution import LOST, attribute, difference_from_target

GROUPS = ("tilt", "light", "noise", "focal")


def additive(effects: dict[str, float], pair: float = 0.0, frames: int = 40) -> Any:
    base = np.random.default_rng(0).gamma(4.0, 0.5, frames)

    def errors(target: frozenset[str]) -> Any:
        found = base + sum(effects.get(g, 0.0) for g in target)
        return found + pair * ({"tilt", "focal"} <= target)

    return errors


def test_groups_that_act_apart_get_their_own_effects_and_nothing_is_left() -> None:
    found = attribute(GROUPS, additive({"tilt": 3.0, "light": 1.0, "focal": -0.5}), "px")
    assert [s.group for s in found.shares] == ["tilt", "light", "noise", "focal"]
    assert [s.explained.value for s in found.shares] == pytest.approx([3.0, 1.0, 0.0, -0.5])
    assert found.gap.value == pytest.approx(3.5)
    assert found.rest == pytest.approx(0.0)
    assert found.shares[0].share == pytest.approx(3.0 / 3.5)
    # Frames are paired: effects that are the same on all have no width, however much frames differ.
    assert found.shares[0].explained.high - found.shares[0].explained.low == pytest.approx(0.0, abs=1e-9)


def test_what_two_groups_do_only_together_is_halved_as_shapley_does() -> None:
    found = attribute(GROUPS, additive({"light": 1.0}, pair=2.0), "px")
    by_group = {s.group: s for s in found.shares}
    assert by_group["tilt"].alone == pytest.approx(0.0)
    assert by_group["tilt"].last == pytest.approx(2.0)
    assert by_group["tilt"].explained.value == by_group["focal"].explained.value == pytest.approx(1.0)
    assert found.rest == pytest.approx(0.0)


def test_a_group_that_moves_outcomes_without_more_error_is_found_by_the_difference() -> None:
    # The truth is 0: tilt turns +1 into -1, which is no worse; light adds 0.5 along another axis.
    def outcomes(target: frozenset[str]) -> Any:
        return np.tile([-1.0 if "tilt" in target else 1.0, 0.5 * ("light" in target)], (6, 3, 1))

    worse = attribute(GROUPS, lambda taken: np.linalg.norm(outcomes(taken), axis=-1).mean(axis=1), "m")
    assert {s.group: s.explained.value for s in worse.shares}["tilt"] == pytest.approx(0.0)
    found = attribute(GROUPS, difference_from_target(GROUPS, outcomes), "m")
    assert found.shares[0].group == "tilt"
    assert found.gap.value == pytest.approx(np.hypot(2.0, 0.5))
    assert {s.group: s.explained.value for s in found.shares}["noise"] == 0.0


def test_what_is_lost_on_one_side_only_is_far_and_on_both_is_alike() -> None:
    def outcomes(target: frozenset[str]) -> Any:
        found = np.zeros((3, 2))
        found[0] = np.nan
        found[1, 0] = np.nan if "tilt" in target else 0.0
        return found

    errors = difference_from_target(GROUPS, outcomes)
    np.testing.assert_allclose(errors(frozenset()), [0.0, -LOST, 0.0])
    np.testing.assert_allclose(errors(frozenset(("tilt",))), [0.0, 0.0, 0.0])


def test_shares_of_no_gap_are_not_given() -> None:
    rng = np.random.default_rng(1)
    drawn: dict[frozenset[str], Any] = {}

    def errors(target: frozenset[str]) -> Any:
        return drawn.setdefault(target, rng.normal(5.0, 1.0, 30))

    found = attribute(GROUPS, errors, "px")
    assert found.gap.low < 0 < found.gap.high
    assert all(s.share is None for s in found.shares)


def test_intervals_cover_the_effect() -> None:
    rng = np.random.default_rng(2)
    hits = 0
    for case in range(150):
        noise = {k: rng.normal(0, 0.5, 40) for k in range(20)}
        order: list[frozenset[str]] = []

        def errors(target: frozenset[str], order: Any = order, noise: Any = noise) -> Any:
            order.append(target)
            return 2.0 + 0.4 * ("tilt" in target) + noise[len(order)]

        found = attribute(("tilt", "light"), errors, "px", case)
        tilt = next(s for s in found.shares if s.group == "tilt").explained
        hits += tilt.low <= 0.4 <= tilt.high
    assert 0.88 <= hits / 150 <= 0.99


def test_one_group_explains_the_gap() -> None:
    found = attribute(("tilt",), additive({"tilt": 2.0}), "px")
    assert found.shares[0].explained.value == pytest.approx(found.gap.value)


def test_what_cannot_be_attributed() -> None:
    with pytest.raises(ValueError, match="groups with names of their own"):
        attribute(("a", "a"), additive({}), "px")
    with pytest.raises(ValueError, match=r"must be \(2,\) for every set of groups, got \(3,\)"):
        attribute(("a", "b"), lambda s: np.zeros(3 if s == {"a"} else 2), "px")
    with pytest.raises(ValueError, match="must be finite"):
        attribute(("a", "b"), lambda s: np.full(2, np.nan), "px")
