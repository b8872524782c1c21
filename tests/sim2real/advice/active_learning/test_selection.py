import itertools

import numpy as np
import pytest

from sim2real.advice.active_learning.selection import covering_radius, pick_frames

FLAT = np.zeros


def brute_greedy(features: np.ndarray, unsure: np.ndarray, already: list[int], count: int, weight: float) -> list[int]:
    x = (features - features.mean(axis=0)) / features.std(axis=0)
    u = (unsure - unsure.min()) / (unsure.max() - unsure.min())
    taken, found = list(already), []
    for _ in range(count):
        scores = {
            i: min(np.linalg.norm(x[i] - x[j]) for j in taken) * (1 + weight * u[i])
            for i in range(len(x))
            if i not in taken
        }
        best = max(scores, key=lambda i: scores[i])
        taken.append(best)
        found.append(best)
    return found


@pytest.mark.parametrize("weight", [0.0, 1.0, 5.0])
def test_picks_are_those_of_the_definition(weight: float) -> None:
    rng = np.random.default_rng(int(weight))
    features, unsure = rng.normal(size=(15, 4)), rng.random(15)
    found = pick_frames(features, unsure, [3, 8], 6, weight)
    assert [p.index for p in found] == brute_greedy(features, unsure, [3, 8], 6, weight)
    assert all(p.score == pytest.approx(p.distance * (1 + weight * p.uncertainty)) for p in found)


@pytest.mark.parametrize("seed", range(5))
def test_greedy_covers_within_twice_the_best_radius(seed: int) -> None:
    features = np.random.default_rng(seed).normal(size=(9, 2))
    picks = [p.index for p in pick_frames(features, FLAT(9), [], 3, 0.0)]
    best = min(covering_radius(features, c) for c in itertools.combinations(range(9), 3))
    assert best <= covering_radius(features, picks) <= 2 * best


def test_with_nothing_labelled_the_first_is_the_middle_one() -> None:
    features = np.array([[-4.0], [-1.0], [0.0], [2.0], [4.0]])
    assert pick_frames(features, FLAT(5), [], 1, 0.0)[0].index == 2


def test_duplicates_are_never_picked() -> None:
    rng = np.random.default_rng(0)
    base = rng.normal(size=(4, 6))
    features = np.concatenate([base, base, base + 1e-6])
    found = pick_frames(features, rng.random(12), [0], 10, 50.0)
    assert len(found) == 3
    assert {p.index % 4 for p in found} == {1, 2, 3}


def test_of_frames_as_far_the_uncertain_one_is_picked() -> None:
    features = np.array([[0.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    assert pick_frames(features, np.array([0.0, 0.1, 0.2, 0.9, 0.3]), [0], 1)[0].index == 3
    # Uncertainty is brought to 0 to 1, so its scale does not matter.
    assert pick_frames(features, 1e-3 * np.array([0.0, 0.1, 0.2, 0.9, 0.3]), [0], 1)[0].score == pytest.approx(
        pick_frames(features, np.array([0.0, 0.1, 0.2, 0.9, 0.3]), [0], 1)[0].score
    )


def test_order_scale_and_constant_columns_change_nothing() -> None:
    rng = np.random.default_rng(1)
    features, unsure = rng.normal(size=(12, 3)), rng.random(12)
    wanted = [p.index for p in pick_frames(features, unsure, [2], 5)]
    order = rng.permutation(12)
    back = pick_frames(features[order], unsure[order], [int(np.flatnonzero(order == 2)[0])], 5)
    assert [int(order[p.index]) for p in back] == wanted
    scaled = np.c_[features * [1e3, 1.0, 1e-3] + 5, np.full(12, 0.1)]
    assert [p.index for p in pick_frames(scaled, unsure, [2], 5)] == wanted


def test_more_than_there_are_gives_all() -> None:
    features = np.random.default_rng(2).normal(size=(5, 2))
    assert sorted(p.index for p in pick_frames(features, FLAT(5), [1], 99)) == [0, 2, 3, 4]
    assert pick_frames(features, FLAT(5), list(range(5)), 2) == []


def test_bad_input() -> None:
    features = np.zeros((3, 2))
    with pytest.raises(ValueError, match="indices below 3"):
        pick_frames(features, FLAT(3), [3], 1)
    with pytest.raises(ValueError, match=r"uncertainty must be \(3,\)"):
        pick_frames(features, FLAT(2), [], 1)
    with pytest.raises(ValueError, match="count and weight must be 0 or more, got -1"):
        pick_frames(features, FLAT(3), [], -1)
    with pytest.raises(ValueError, match="needs a chosen frame"):
        covering_radius(features, [])
