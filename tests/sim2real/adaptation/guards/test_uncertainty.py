"""The radius holds the truth as often as it says."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from calibration.errors import InputError
from calibration.records import read_record, write_record
from sim2real.adaptation.guards.uncertainty import ConformalRadius, frames_needed

REAL, SIMULATED = "held-out labelled frames", "simulated frames"


def test_the_radius_is_the_right_order_statistic() -> None:
    radius = ConformalRadius.fit(np.arange(1.0, 20.0), "mm", REAL)
    # (19 + 1) * 0.9 = 18, * 0.95 = 19; 0.96 would need more frames.
    assert [radius.radius(alpha) for alpha in (0.1, 0.05, 0.04, 0.5)] == [18.0, 19.0, math.inf, 10.0]


@pytest.mark.parametrize(("alpha", "needed"), [(0.1, 9), (0.05, 19), (0.01, 99), (0.3, 3)])
def test_how_many_frames_are_needed(alpha: float, needed: int) -> None:
    assert frames_needed(alpha) == needed
    ones = np.ones(needed)
    assert math.isfinite(ConformalRadius.fit(ones, "m", REAL).radius(alpha))
    if needed > 1:
        assert math.isinf(ConformalRadius.fit(ones[1:], "m", REAL).radius(alpha))


@pytest.mark.parametrize("alpha", [0.1, 0.3])
def test_coverage_is_what_it_claims(alpha: float) -> None:
    rng = np.random.default_rng(0)
    cases, n, hits = 3000, 19, 0
    for _ in range(cases):
        errors = rng.weibull(1.3, n + 1)
        hits += errors[n] <= ConformalRadius.fit(errors[:n], "m", REAL).radius(alpha)
    # Continuous errors: coverage is exactly the rank over n + 1, here 18 / 20 and 14 / 20.
    exact = math.ceil((n + 1) * (1 - alpha) - 1e-9) / (n + 1)
    low, high = stats.binom.interval(0.999, cases, exact)
    assert low <= hits <= high, f"{hits / cases:.3f}, expected {exact}"


def test_missed_frames_count_as_infinite_errors() -> None:
    errors = np.append(np.arange(1.0, 18.0), [math.inf, math.inf])
    radius = ConformalRadius.fit(errors, "mm", REAL)
    assert (radius.count, radius.missed) == (19, 2)
    assert radius.radius(0.15) == 17.0
    assert radius.radius(0.1) == math.inf


def test_a_radius_survives_its_record_and_says_what_it_is_good_for(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    radius = ConformalRadius.fit(rng.uniform(0, 1, 20), "m", SIMULATED)
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
