"""The adapted model is used unless it is worse beyond chance, on frames that it has not seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from sim2real.adaptation.guards import paired
from sim2real.adaptation.guards.never_worse import (
    LabelFree,
    cross_fitted_errors,
    decide,
    decide_without_labels,
    folds,
)

Array = NDArray[np.float64]


def test_folds_hold_each_frame_once_and_no_group_twice() -> None:
    groups = ["a", "a", "b", "c", "c", "c", "d", "e"]
    parts = folds(groups, 3, seed=0)
    assert sorted(k for part in parts for k in part) == list(range(8))
    assert all(len({groups[k] for k in p} & {groups[k] for q in parts if q is not p for k in q}) == 0 for p in parts)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert len(folds(["a", "b"], 5, 0)) == 2
    assert folds(list(range(10)), 5, 1) != folds(list(range(10)), 5, 2)
    assert folds(list(range(10)), 5, 1) == folds(list(range(10)), 5, 1)


def test_no_frame_is_scored_by_a_model_that_saw_it() -> None:
    scored: list[int] = []

    def adapt(train: Sequence[int]) -> Callable[[Sequence[int]], list[float]]:
        def errors(held: Sequence[int]) -> list[float]:
            assert not set(held) & set(train)
            assert len(held) + len(train) == 11
            scored.extend(held)
            return [float(10 * k) for k in held]

        return errors

    found = cross_fitted_errors(list(range(11)), adapt)
    assert sorted(scored) == list(range(11))
    assert np.array_equal(found, 10.0 * np.arange(11))


def test_a_mean_is_cross_fitted_by_hand() -> None:
    values = np.array([1.0, 2.0, 4.0, 9.0])
    found = cross_fitted_errors(
        list(values), lambda train: lambda held: np.abs(np.array(held) - np.mean(train)), count=4
    )
    assert np.allclose(found, [abs(v - np.delete(values, k).mean()) for k, v in enumerate(values)])


def test_a_group_is_held_out_whole_and_a_single_one_is_divided() -> None:
    groups = ["a", "a", "b", "b", "c", "c"]
    trained: list[set[str]] = []

    def adapt(train: Sequence[int]) -> Callable[[Sequence[int]], list[float]]:
        trained.append({groups[k] for k in train})
        return lambda held: [0.0] * len(held)

    cross_fitted_errors(range(6), adapt, 3, groups)
    assert sorted(map(sorted, trained)) == [["a", "b"], ["a", "c"], ["b", "c"]]
    assert not np.isnan(cross_fitted_errors(range(6), adapt, 3, ["x"] * 6)).any()


def test_bad_use_is_named() -> None:
    with pytest.raises(ValueError, match="two or more frames, got 1"):
        cross_fitted_errors([0], lambda train: lambda held: [0.0])
    with pytest.raises(ValueError, match="one error a frame"):
        cross_fitted_errors([0, 1, 2], lambda train: lambda held: [0.0, 0.0, 0.0, 0.0])
    with pytest.raises(ValueError, match="4 or more frames with both errors, got 3"):
        decide([1.0, 1.0, 1.0], [1.0, 1.0, 1.0], "cm")


def test_a_worse_model_is_not_used_and_a_better_one_is() -> None:
    rng = np.random.default_rng(0)
    simulation = rng.gamma(4.0, 0.5, 10)
    worse = decide(simulation, simulation + rng.normal(1.0, 0.3, 10), "cm")
    assert worse.use == "simulation only"
    assert "cross-fitted on 10 labelled frames, the adapted model is worse: mean error" in worse.reason
    assert worse.numbers["difference_mean_low"] > 0
    better = decide(simulation, simulation * 0.5, "cm")
    assert better.use == "adapted"
    assert "is better" in better.reason
    same = decide(simulation, simulation + rng.normal(0, 0.3, 10), "cm")
    assert same.use == "adapted"
    assert "not worse beyond chance" in same.reason


def test_a_useful_adaptation_is_rarely_thrown_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paired, "_RESAMPLES", 1000)
    rng = np.random.default_rng(1)
    thrown = 0
    for case in range(200):
        frames = int(rng.integers(4, 21))
        simulation = rng.gamma(2.0, 1.0, frames)
        thrown += decide(simulation, rng.gamma(2.0, 1.0, frames), "cm", seed=case).use != "adapted"
    # Without a true difference 2.5 % are expected of the mean, and a few more of the median.
    assert thrown <= 14, f"{thrown} of 200"


def test_lost_predictions_decide() -> None:
    decision = decide([1.0] * 5, [0.1, 0.1, np.nan, 0.1, np.inf], "cm")
    assert decision.use == "simulation only"
    assert "no number in 2 of 5 frames" in decision.reason


def pixels(seed: int, spread: float = 20.0) -> Array:
    return 60 + np.random.default_rng(seed).normal(0, spread, (20, 2, 2))


def test_without_labels_only_strong_evidence_counts() -> None:
    rng = np.random.default_rng(2)
    before = LabelFree(pixels(0), rng.gamma(2.0, 0.3, 20), np.ones(20, np.bool_))
    fine = decide_without_labels(before, LabelFree(pixels(1, 15.0), rng.gamma(2.0, 0.4, 20), np.arange(20) > 0))
    assert fine.use == "adapted"
    assert "not checked: whether predictions are right (no labelled frame, 4 needed)" in fine.reason
    few = decide_without_labels(before, LabelFree(pixels(1)), labelled=2)
    assert "2 labelled frames, 4 needed" in few.reason
    assert "steadiness under small views, geometry" in few.reason


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"predictions": pixels(0, 1.0)}, "predictions collapsed: spread"),
        ({"predictions": np.where(np.arange(20)[:, None, None] == 3, np.nan, pixels(0))}, "1 of 20 predictions are no"),
        ({"disagreement": np.full(20, 3.0)}, "predictions move 6 times as much"),
        ({"plausible": np.arange(20) >= 8}, "geometry allows 60 % of the predictions, 100 % before"),
    ],
)
def test_strong_evidence_without_labels_falls_back(change: dict[str, Array], says: str) -> None:
    known = {"predictions": pixels(0), "disagreement": np.full(20, 0.5), "plausible": np.ones(20, np.bool_)}
    decision = decide_without_labels(LabelFree(**known), LabelFree(**(known | change)))
    assert decision.use == "simulation only"
    assert says in decision.reason
    assert decide_without_labels(LabelFree(**(known | change)), LabelFree(**known)).use == "adapted"
