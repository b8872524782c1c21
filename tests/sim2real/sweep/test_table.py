from typing import Any

import numpy as np
import pytest

from sim2real.sweep.table import gap_closed, markdown, rows_of


def record(errors: Any, **more: Any) -> dict[str, Any]:
    return {"scores": [{"error": float(e)} for e in errors], "seconds": 3.0, **more}


def test_the_share_of_a_gap_is_the_ratio_of_differences() -> None:
    rng = np.random.default_rng(0)
    oracle = rng.uniform(0.8, 1.2, (5, 12))
    plain = oracle + 4.0
    said = gap_closed(plain, oracle + 1.0, oracle)
    assert said["gain"] == pytest.approx(3.0)
    assert said["gap_closed"] == pytest.approx(0.75)
    # Frames and seeds are paired, so a gap that is the same everywhere has no width.
    np.testing.assert_allclose(said["gap_closed_interval"], [0.75, 0.75], atol=1e-9)
    np.testing.assert_allclose(said["gain_interval"], [3.0, 3.0])


def test_the_interval_of_a_gain_covers_its_truth() -> None:
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(400):
        plain = 2.0 + rng.normal(0, 1, (1, 9))
        low, high = gap_closed(plain, plain - 0.5 + rng.normal(0, 1, (1, 9)), None)["gain_interval"]
        covered += low <= 0.5 <= high
    # Student's interval is exact here; percentiles of nine frames cover 90 %.
    assert 0.92 <= covered / 400 <= 0.98


def test_rows_say_what_was_seen_and_are_sorted_within_a_budget() -> None:
    records = {
        ("none", False, 0, ""): [record([4.0, 6.0]), record([5.0, 5.0])],
        ("none", True, 10, "lp-ft"): [record([1.0, 1.0], faulty=[{"error": 7.0}]), record([1.0, 1.0])],
        ("batchnorm", True, 0, ""): [record([2.0, 2.0]), record([2.0, 2.0])],
        ("canonical", True, 0, ""): [{"failed": "too few"}],
    }
    rows = rows_of(records, ("none", True, 10, "lp-ft"))
    assert [(r["budget"], r["chain"]) for r in rows] == [(0, "batchnorm"), (0, "none"), (0, "canonical"), (10, "none")]
    best, plain, failed, tuned = rows
    assert best["mean"] == 2.0
    assert best["gap_closed"] == pytest.approx(0.75)
    assert best["selection"] == "none"
    assert "gain" not in plain
    assert failed["failed"] == ["too few"]
    assert tuned["selection"] == "10 labelled frames"
    assert tuned["faulty_mean"] == 7.0
    assert tuned["gap_closed"] == pytest.approx(1.0)
    table = markdown(rows, "cm", 100.0)
    assert "| 0 | batchnorm | aligned | 200.00 [200.00, 200.00] | 200.00 | 200.00 | 75 % " in table
    assert "failed: too few" in table


def test_a_share_of_a_gap_that_may_be_nothing_has_no_interval() -> None:
    plain, oracle = np.array([[1.0, 5.0]]), np.array([[1.0, 1.0]])
    said = gap_closed(plain, np.array([[1.0, 2.0]]), oracle)
    assert said["gap_closed"] == pytest.approx(0.75)
    assert said["gap_closed_interval"] is None
