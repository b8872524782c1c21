"""What is kept beside a model holds on frames like the fitted ones, and tells others apart."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from calibration.errors import InputError
from sim2real.adaptation.guards.reliability import (
    FILE,
    Judged,
    Reliability,
    fit_reliability,
    load_reliability,
)

Array = NDArray[np.float64]
D = 6


def simulated(rng: np.random.Generator, count: int) -> list[Array]:
    return [rng.normal(size=(count, D)) * 3.0]


def real(rng: np.random.Generator, count: int) -> list[Array]:
    return [rng.normal(size=(count, D)) * 0.5 + 2.0]


def fitted(seed: int, count: int, errors: Array | None = None) -> Reliability:
    rng = np.random.default_rng(seed)
    return fit_reliability(simulated(rng, 120), simulated(rng, 40), real(rng, count), errors)


@pytest.mark.parametrize("count", [4, 10])
def test_ordinary_frames_are_answered_and_strange_ones_are_not(count: int) -> None:
    usual, strange = 0, 0
    for seed in range(60):
        found = fitted(seed, count)
        rng = np.random.default_rng([seed, 1])
        usual += int((found.novelty.scores(real(rng, 20)) > found.limit).sum())
        strange += int((found.novelty.scores([rng.normal(size=(20, D)) + 40.0]) > found.limit).sum())
    assert strange == 60 * 20
    # 1 % is meant; the scatter of 60 limits and of log-normal tails is allowed for.
    assert usual / (60 * 20) < 0.04


def test_frames_unlike_the_fitted_ones_stand_out_within_what_simulation_draws() -> None:
    found = fitted(0, 10)
    assert found.limit < 0.7 * found.novelty.held_out[-1]
    # Between the two domains, and nearer than the farthest simulated frame.
    between = [np.full((1, D), -2.5)]
    assert found.limit < found.novelty.scores(between)[0] < found.novelty.held_out[-1]


@pytest.mark.parametrize("count", [1, 2])
def test_few_fitted_frames_do_not_reach_beyond_all_that_was_seen(count: int) -> None:
    found = fitted(1, count)
    assert found.limit <= max(found.novelty.held_out[-1], found.left_out[-1])
    assert len(found.left_out) == count


def test_the_limit_is_the_prediction_limit_of_the_left_out_scores() -> None:
    found = fitted(2, 8)
    logs = np.log(found.left_out)
    expected = math.exp(logs.mean() + stats.t.ppf(0.99, 7) * logs.std(ddof=1) * math.sqrt(1 + 1 / 8))
    assert found.limit == pytest.approx(min(expected, found.novelty.held_out[-1]))


def test_a_left_out_score_does_not_know_its_frame() -> None:
    rng = np.random.default_rng(3)
    sim, held, photographs = simulated(rng, 60), simulated(rng, 20), real(rng, 5)
    photographs[0][2] += 30.0
    found = fit_reliability(sim, held, photographs, None)
    alone = fit_reliability(sim, held, [np.delete(photographs[0], 2, axis=0)], None)
    assert found.left_out[-1] == pytest.approx(alone.novelty.scores([photographs[0][2:3]])[0])


def test_the_radius_covers_exchangeable_frames() -> None:
    rng = np.random.default_rng(4)
    cases, count, hits = 2000, 9, 0
    novelty = fitted(0, 3).novelty
    base = fitted(0, 3, np.ones(3)).radius
    assert base is not None
    for _ in range(cases):
        errors = rng.gamma(2.0, 0.01, count + 1)
        kept = Reliability(type(base).fit(errors[:count], "m", "held-out labelled frames"), novelty, ())
        radius, note = kept.radius_m(0.8)
        assert radius is not None
        assert note == "cross-fitted on 9 labelled frames: holds for frames taken like them"
        hits += bool(errors[count] <= radius)
    low, high = stats.binom.interval(0.999, cases, 0.8)
    assert low <= hits <= high


def test_few_frames_limit_the_level_and_say_so() -> None:
    kept = fitted(0, 5, np.array([0.01, 0.02, 0.03, 0.04, 0.05]))
    assert kept.radius_m(0.8)[0] == pytest.approx(0.05)
    radius, note = kept.radius_m(0.9)
    assert radius is None
    assert note == "no radius at level 0.9: it needs 9 calibration frames, the model has 5, which allow 0.833"
    missed = fitted(0, 5, np.array([0.01, 0.02, np.nan, 0.04, 0.05]))
    assert missed.radius_m(0.8) == (None, "no radius at level 0.8: in 1 of 5 frames nothing was predicted")
    assert missed.radius_m(0.6)[0] == pytest.approx(0.05)
    assert "without cross-fitting" in fitted(0, 5).radius_m(0.9)[1]
    with pytest.raises(InputError):
        kept.radius_m(1.0)


def test_it_is_the_same_again_from_disk(tmp_path: Path) -> None:
    kept = fitted(0, 4, np.array([0.01, 0.02, np.inf, 0.04]))
    assert load_reliability(tmp_path) is None
    kept.save(tmp_path / "model", {})
    assert load_reliability(tmp_path) == kept
    path = tmp_path / "model" / FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": 99}))
    with pytest.raises(InputError, match=r"reliability\.json must have version 1, got 99"):
        load_reliability(tmp_path)


def test_the_summary_counts_answered_frames_only() -> None:
    judged = Judged(0.9, 0.02, "", np.array([0.1, 5.0, 0.2, 0.3]), 1.0, np.array([False, True, False, False]))
    told = judged.summary(["a", "b", "c", "d"], [0.01, 0.5, 0.03, np.nan])
    assert told["abstained"] == ["b"]
    assert (told["answered"], told["within_radius"], told["coverage"]) == (3, 1, pytest.approx(1 / 3))
    assert (told["mean_answered"], told["mean_abstained"]) == (pytest.approx(0.02), pytest.approx(0.5))
