"""Intervals cover what they claim to cover."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from sim2real import statistics
from sim2real.statistics import bootstrap_mean, describe

NAN = float("nan")


def width(errors: object) -> float:
    estimate = bootstrap_mean(errors, "cm")
    return estimate.high - estimate.low


def test_interval_covers_the_true_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "_RESAMPLES", 800)
    rng = np.random.default_rng(0)
    hits = 0
    for case in range(200):
        estimate = bootstrap_mean(rng.gamma(4.0, 0.5, size=30), "cm", seed=case)  # mean 2, skewed as errors are
        hits += estimate.low <= 2.0 <= estimate.high
    assert 180 <= hits <= 198, f"95 % intervals covered the mean in {hits} of 200 cases"


def test_interval_over_runs_covers_another_run_on_other_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "_RESAMPLES", 400)
    rng = np.random.default_rng(1)
    hits = 0
    for case in range(200):
        table = 5.0 + rng.normal(0, 0.5, (8, 1)) + rng.normal(0, 1.0, (1, 12)) + rng.normal(0, 0.3, (8, 12))
        estimate = bootstrap_mean(table, "cm", seed=case)
        hits += estimate.low <= 5.0 <= estimate.high
    assert 176 <= hits <= 198, f"95 % intervals covered the mean in {hits} of 200 cases"


def test_interval_agrees_with_scipy() -> None:
    errors = np.random.default_rng(2).gamma(2.0, 1.0, size=40)
    ours = bootstrap_mean(errors, "cm")
    theirs = stats.bootstrap(
        (errors,), np.mean, n_resamples=8000, method="percentile", rng=np.random.default_rng(3)
    ).confidence_interval
    span = theirs.high - theirs.low
    assert ours.low == pytest.approx(theirs.low, abs=0.06 * span)
    assert ours.high == pytest.approx(theirs.high, abs=0.06 * span)
    assert ours.value == pytest.approx(errors.mean())
    assert (ours.confidence, ours.count, ours.unit) == (0.95, 40, "cm")


def test_same_seed_gives_the_same_interval() -> None:
    errors = np.random.default_rng(4).gamma(2.0, 1.0, size=20)
    assert bootstrap_mean(errors, "m") == bootstrap_mean(errors, "m")
    assert bootstrap_mean(errors, "m", seed=1) != bootstrap_mean(errors, "m", seed=2)


def test_one_error_or_equal_errors_have_no_width() -> None:
    assert width([3.0]) == 0.0
    assert width([3.0] * 7) == 0.0
    assert bootstrap_mean([3.0], "m").value == 3.0


def test_frames_that_were_not_scored_do_not_count() -> None:
    estimate = bootstrap_mean([1.0, NAN, 2.0, 3.0, NAN], "cm")
    assert estimate.value == 2.0
    assert estimate.count == 3
    assert 1.0 <= estimate.low < 2.0 < estimate.high <= 3.0


def test_one_scored_frame_among_many_unscored() -> None:
    estimate = bootstrap_mean([NAN] * 40 + [2.5], "cm")
    assert (estimate.value, estimate.low, estimate.high, estimate.count) == (2.5, 2.5, 2.5, 1)


def test_frame_that_one_run_scored_counts_once() -> None:
    estimate = bootstrap_mean([[1.0, NAN, 3.0], [2.0, NAN, NAN]], "cm")
    assert estimate.value == 2.0
    assert estimate.count == 2


@pytest.mark.parametrize("errors", [[], [NAN], [[NAN, NAN], [NAN, NAN]]])
def test_nothing_to_average(errors: list[object]) -> None:
    with pytest.raises(ValueError, match="at least one finite error"):
        bootstrap_mean(errors, "cm")
    found = describe(errors, "cm")
    assert found["mean"] is found["median"] is found["p90"] is found["interval"] is None
    assert found["frames"] == 0
    assert found["unit"] == "cm"


def test_runs_that_differ_widen_the_interval() -> None:
    rng = np.random.default_rng(5)
    frames = rng.gamma(4.0, 0.5, size=(1, 30)) + rng.normal(0, 0.05, (5, 30))
    differing = frames + np.array([[-1.0], [-0.5], [0.0], [0.5], [1.0]])
    assert width(differing) > 1.5 * width(frames)
    assert width(differing) > 1.5 * width(differing.mean(axis=0))
    # Pooling 150 frames as if they were independent is what two levels guard against.
    assert width(frames) > 1.5 * width(frames.ravel())
    assert bootstrap_mean(differing, "cm").method == "percentile bootstrap over frames and runs"
    assert bootstrap_mean(frames[0], "cm").method == "percentile bootstrap over frames"


def test_describe_by_hand() -> None:
    found = describe([[4.0, 1.0, NAN, 3.0], [2.0, 5.0, NAN, 9.0]], "mm")
    assert found["mean"] == 4.0
    assert found["median"] == 3.5
    assert found["p90"] == pytest.approx(7.0)
    assert (found["frames"], found["runs"], found["unit"], found["confidence"]) == (3, 2, "mm", 0.95)
    low, high = found["interval"]
    assert 1.0 <= low < 4.0 < high <= 9.0
    assert all(not isinstance(v, float) or math.isfinite(v) for v in found.values())
