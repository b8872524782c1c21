"""The radius holds the truth as often as it says."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from calibration.errors import InputError
from calibration.records import read_record, write_record
from sim2real.adaptation.guards.uncertainty import ConformalRadius, Difficulty, frames_needed

REAL, SIMULATED = "held-out labelled frames", "simulated frames"


def test_the_radius_is_the_right_order_statistic() -> None:
    radius = ConformalRadius.fit(np.arange(1.0, 20.0), "mm", REAL)
    # (19 + 1) * 0.9 = 18, * 0.95 = 19; 0.96 would need more frames.
    assert radius.radius(0.1).tolist() == [18.0]
    assert radius.radius(0.05).tolist() == [19.0]
    assert radius.radius(0.04).tolist() == [math.inf]
    assert radius.radius(0.5, [0.1, 0.2]).tolist() == [10.0, 10.0]


@pytest.mark.parametrize(("alpha", "needed"), [(0.1, 9), (0.05, 19), (0.01, 99), (0.3, 3)])
def test_how_many_frames_are_needed(alpha: float, needed: int) -> None:
    assert frames_needed(alpha) == needed
    ones = np.ones(needed)
    assert math.isfinite(ConformalRadius.fit(ones, "m", REAL).radius(alpha)[0])
    if needed > 1:
        assert math.isinf(ConformalRadius.fit(ones[1:], "m", REAL).radius(alpha)[0])


@pytest.mark.parametrize("alpha", [0.1, 0.3])
@pytest.mark.parametrize("normalised", [False, True])
def test_coverage_is_what_it_claims(alpha: float, normalised: bool) -> None:
    rng = np.random.default_rng(0)
    difficulty = Difficulty(0.3, 1.2, 0.05) if normalised else None
    cases, n, hits = 3000, 19, 0
    for _ in range(cases):
        scores = rng.gamma(2.0, 0.5, n + 1)
        errors = scores * rng.weibull(1.3, n + 1)
        one = ConformalRadius.fit(errors[:n], "m", REAL, scores[:n] if normalised else None, difficulty)
        hits += errors[n] <= one.radius(alpha, scores[n:])[0]
    # Continuous errors: coverage is exactly the rank over n + 1, here 18 / 20 and 14 / 20.
    exact = math.ceil((n + 1) * (1 - alpha) - 1e-9) / (n + 1)
    low, high = stats.binom.interval(0.999, cases, exact)
    assert low <= hits <= high, f"{hits / cases:.3f}, expected {exact}"


def test_normalised_radii_are_shorter_where_the_model_is_sure() -> None:
    rng = np.random.default_rng(1)
    scores = rng.uniform(0.1, 3.0, 2000)
    errors = 2.0 * scores * np.abs(rng.normal(size=2000))
    difficulty = Difficulty.fit(scores[:500], errors[:500])
    assert difficulty.slope == pytest.approx(1.0, abs=0.2)
    one = ConformalRadius.fit(errors[500:1000], "cm", REAL, scores[500:1000], difficulty)
    plain = ConformalRadius.fit(errors[500:1000], "cm", REAL)
    new, radii = errors[1000:], one.radius(0.1, scores[1000:])
    assert (new <= radii).mean() == pytest.approx(0.9, abs=0.03)
    assert radii.mean() < plain.radius(0.1)[0]
    # Equal coverage among sure and unsure frames is what one radius for all cannot give.
    unsure = scores[1000:] > 2.0
    assert (new[unsure] <= radii[unsure]).mean() == pytest.approx(0.9, abs=0.05)
    assert (new[unsure] <= plain.radius(0.1)[0]).mean() < 0.85


def test_a_score_that_says_nothing_or_the_opposite_is_not_used() -> None:
    rng = np.random.default_rng(2)
    scores = rng.uniform(0.1, 3.0, 300)
    assert Difficulty.fit(scores, 1 / scores).slope == 0.0
    assert Difficulty.fit(np.ones(5), np.arange(1.0, 6.0)).slope == 0.0
    constant = Difficulty.fit(scores, np.full(300, 2.0))
    assert np.allclose(constant([0.0, 1.0, 5.0]), 2.0)


def test_missed_frames_count_as_infinite_errors() -> None:
    errors = np.append(np.arange(1.0, 18.0), [math.inf, math.inf])
    radius = ConformalRadius.fit(errors, "mm", REAL)
    assert (radius.count, radius.missed) == (19, 2)
    assert radius.radius(0.15).tolist() == [17.0]
    assert radius.radius(0.1).tolist() == [math.inf]


def test_a_radius_survives_its_record_and_says_what_it_is_good_for(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    difficulty = Difficulty.fit(rng.uniform(0, 1, 10), rng.uniform(0, 1, 10))
    radius = ConformalRadius.fit(rng.uniform(0, 1, 20), "m", SIMULATED, rng.uniform(0, 1, 20), difficulty)
    write_record(tmp_path / "radius.json", radius, {"command": "test"})
    assert read_record(tmp_path / "radius.json", ConformalRadius) == radius
    assert radius.note == "calibrated on 20 simulated frames: on real frames errors may be larger"
    assert "held-out labelled frames" in ConformalRadius.fit([1.0], "m", REAL).note


def test_bad_use_is_named() -> None:
    radius = ConformalRadius.fit([1.0, 2.0], "m", REAL)
    with pytest.raises(InputError, match="alpha must lie between 0 and 1, got 1"):
        radius.radius(1.0)
    with pytest.raises(ValueError, match="with 1 NaN"):
        ConformalRadius.fit([1.0, math.nan], "m", REAL)
    with pytest.raises(ValueError, match="both scores and difficulty"):
        ConformalRadius.fit([1.0], "m", REAL, scores=[0.5])
    with pytest.raises(ValueError, match="needs scores"):
        ConformalRadius.fit([1.0], "m", REAL, [0.5], Difficulty(0.0, 1.0, 0.1)).radius(0.5)
    with pytest.raises(ValueError, match="two or more scores"):
        Difficulty.fit([-1.0, 1.0], [1.0, 1.0])
