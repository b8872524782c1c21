"""Intervals cover what they claim to cover."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from sim2real import statistics
from sim2real.statistics import describe, mean_estimate, ratio_interval

NAN = float("nan")


def width(errors: object) -> float:
    estimate = mean_estimate(errors, "cm")
    return estimate.high - estimate.low


def gamma(rng: Any, runs: int, frames: int) -> Any:
    return rng.gamma(4.0, 0.5, size=(runs, frames))  # mean 2, skewed as errors are


def missed(rng: Any, runs: int, frames: int) -> Any:
    """Distances of predictions whose components have a part of the run, one of the frame and one of their own."""
    parts = rng.normal(0, 0.4, (runs, 1, 3)) * (runs > 1) + rng.normal(0, 1, (1, frames, 3))
    return np.linalg.norm(parts + rng.normal(0, 0.6, (runs, frames, 3)), axis=2)


@pytest.mark.parametrize(("runs", "frames"), [(1, 9), (1, 20), (1, 60), (3, 20), (5, 9), (5, 20), (5, 60)])
def test_intervals_cover_the_true_mean_as_often_as_they_say(runs: int, frames: int) -> None:
    # 2,000 protocols with known truth; the distance of a normal 3-vector has mean std * 2 sqrt(2 / pi).
    rng = np.random.default_rng([runs, frames])
    std = np.sqrt(0.4**2 * (runs > 1) + 1 + 0.6**2)
    truth, hits = std * 2 * np.sqrt(2 / np.pi), 0
    for _ in range(2000):
        estimate = mean_estimate(missed(rng, runs, frames), "cm")
        hits += estimate.low <= truth <= estimate.high
    assert 0.93 <= hits / 2000 <= 0.97, f"95 % intervals covered the mean in {hits} of 2,000 cases"


def test_intervals_of_skewed_errors_cover_their_mean() -> None:
    rng = np.random.default_rng(0)
    hits = sum(e.low <= 2.0 <= e.high for e in (mean_estimate(gamma(rng, 1, 30), "cm") for _ in range(2000)))
    assert 0.93 <= hits / 2000 <= 0.97


def test_intervals_of_signed_errors_cover_their_mean() -> None:
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(2000):
        table = rng.normal(0, 0.5, (8, 1)) + rng.normal(0, 1.0, (1, 12)) + rng.normal(0, 0.3, (8, 12))
        estimate = mean_estimate(table, "cm")
        hits += estimate.low <= 0.0 <= estimate.high
    assert 0.93 <= hits / 2000 <= 0.97


def test_one_run_of_signed_errors_has_students_interval() -> None:
    errors = np.random.default_rng(2).normal(0.1, 1.0, size=12)
    ours = mean_estimate(errors, "cm")
    theirs = stats.ttest_1samp(errors, 0.0).confidence_interval(0.95)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))
    assert (ours.confidence, ours.count, ours.unit) == (0.95, 12, "cm")
    # Runs that say the same are one run, in any number.
    assert width(np.tile(errors, (4, 1))) == pytest.approx(theirs.high - theirs.low, rel=0.02)


def test_positive_errors_have_a_positive_interval_that_scales_with_the_unit() -> None:
    errors = np.random.default_rng(3).lognormal(0.0, 1.5, size=6)
    ours = mean_estimate(errors, "m")
    assert 0 < ours.low < errors.mean() < ours.high
    assert ours.low * ours.high == pytest.approx(errors.mean() ** 2)
    scaled = mean_estimate(100 * errors, "cm")
    assert (scaled.low, scaled.high) == pytest.approx((100 * ours.low, 100 * ours.high))


def test_variance_is_that_of_two_crossed_effects() -> None:
    # Expected over draws: run variance / runs + frame variance / frames + rest / (runs frames).
    rng = np.random.default_rng(4)
    found = []
    for _ in range(3000):
        table = rng.normal(0, 0.7, (4, 1)) + rng.normal(0, 1.0, (1, 10)) + rng.normal(0, 0.5, (4, 10))
        found.append(statistics._variance_of_mean(table)[0])
    assert np.mean(found) == pytest.approx(0.49 / 4 + 1 / 10 + 0.25 / 40, rel=0.04)


def test_one_error_or_equal_errors_have_no_width() -> None:
    assert width([3.0]) == 0.0
    assert width([3.0] * 7) == 0.0
    assert mean_estimate([3.0], "m").value == 3.0


def test_frames_that_were_not_scored_do_not_count() -> None:
    estimate = mean_estimate([1.0, NAN, 2.0, 3.0, NAN], "cm")
    assert estimate.value == 2.0
    assert estimate.count == 3
    whole = mean_estimate([1.0, 2.0, 3.0], "cm")
    assert (estimate.low, estimate.high) == (whole.low, whole.high)


def test_one_scored_frame_among_many_unscored() -> None:
    estimate = mean_estimate([NAN] * 40 + [2.5], "cm")
    assert (estimate.value, estimate.low, estimate.high, estimate.count) == (2.5, 2.5, 2.5, 1)


def test_frame_that_one_run_scored_counts_once() -> None:
    estimate = mean_estimate([[1.0, NAN, 3.0], [2.0, NAN, NAN]], "cm")
    assert estimate.value == 2.0
    assert estimate.count == 2


@pytest.mark.parametrize("errors", [[], [NAN], [[NAN, NAN], [NAN, NAN]]])
def test_nothing_to_average(errors: list[object]) -> None:
    with pytest.raises(ValueError, match="at least one finite error"):
        mean_estimate(errors, "cm")
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
    assert mean_estimate(differing, "cm").method == "Student's t over frames and runs"
    assert mean_estimate(frames[0], "cm").method == "Student's t over frames, of the logarithm"


def test_a_single_error_has_no_interval() -> None:
    for errors in ([2.0], [[NAN, 2.0], [NAN, NAN]]):
        found = describe(errors, "cm")
        assert (found["mean"], found["interval"], found["frames"]) == (2.0, None, 1)
    assert describe([[2.0], [3.0]], "cm")["interval"] is not None


def test_describe_by_hand() -> None:
    found = describe([[4.0, 1.0, NAN, 3.0], [2.0, 5.0, NAN, 9.0]], "mm")
    assert found["mean"] == 4.0
    assert found["median"] == 3.5
    assert found["p90"] == pytest.approx(7.0)
    assert (found["frames"], found["runs"], found["unit"], found["confidence"]) == (3, 2, "mm", 0.95)
    low, high = found["interval"]
    assert 0.0 < low < 4.0 < high
    assert all(not isinstance(v, float) or math.isfinite(v) for v in found.values())


def test_differences_that_are_all_above_0_may_still_have_a_mean_of_0() -> None:
    assert mean_estimate([0.1, 2.0], "m").low > 0
    assert mean_estimate([0.1, 2.0], "m", signed=True).low < 0


def test_fiellers_interval_is_the_closed_form_and_covers_the_ratio() -> None:
    rng = np.random.default_rng(4)
    covered = 0
    for case in range(120):
        noise = rng.normal(0, 1, (2, 12))
        part, whole = 1.2 + noise[0], 2.0 + 0.5 * noise[0] + noise[1]
        found = ratio_interval(part, whole)
        if found is None:
            continue
        covered += found[0] <= 0.6 <= found[1]
        if case == 0:
            # Roots of (a - r b)^2 = t^2 var(part - r whole) / n.
            n, k = 12, stats.t.ppf(0.975, 11) ** 2 / 12
            c = np.cov(part, whole)
            a, b = part.mean(), whole.mean()
            roots = np.roots([b * b - k * c[1, 1], -2 * (a * b - k * c[0, 1]), a * a - k * c[0, 0]])
            np.testing.assert_allclose(found, sorted(roots), rtol=1e-6)
            assert n == len(part)
    assert covered >= 0.9 * 120
    assert ratio_interval(rng.normal(0, 1, 10), rng.normal(0, 1, 10)) is None
