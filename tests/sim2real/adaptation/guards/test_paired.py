"""Paired intervals cover what they claim, also for few frames."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from sim2real.adaptation.guards import paired
from sim2real.adaptation.guards.paired import paired_difference, verdict

NAN = float("nan")


@pytest.mark.parametrize(("frames", "least"), [(5, 172), (10, 180), (30, 182)])
def test_intervals_cover_the_true_difference(monkeypatch: pytest.MonkeyPatch, frames: int, least: int) -> None:
    monkeypatch.setattr(paired, "_RESAMPLES", 1000)
    rng = np.random.default_rng(0)
    hits = 0
    for case in range(200):
        shared = rng.gamma(2.0, 3.0, frames)
        first, second = shared + rng.normal(0.5, 1.0, frames), shared + rng.normal(0.0, 1.0, frames)
        found = paired_difference(first, second, "cm", seed=case).mean
        hits += found.low <= 0.5 <= found.high
    # Of five frames no resample reaches beyond the extremes, and about 91 % is all that there is.
    assert least <= hits <= 199, f"95 % intervals covered the difference in {hits} of 200 cases"


def test_of_normal_differences_the_interval_is_that_of_student() -> None:
    difference = stats.norm.ppf((np.arange(40) + 0.5) / 40) + 0.3
    found = paired_difference(difference + 5, np.full(40, 5.0), "mm").mean
    low, high = stats.t.interval(0.95, 39, difference.mean(), difference.std(ddof=1) / np.sqrt(40))
    assert found.value == pytest.approx(0.3)
    assert (found.low, found.high) == (pytest.approx(low, abs=0.04), pytest.approx(high, abs=0.04))
    assert (found.count, found.unit) == (40, "mm")


def test_what_frames_share_does_not_widen_the_interval() -> None:
    rng = np.random.default_rng(1)
    hard, noise = rng.gamma(1.0, 50.0, 12), rng.normal(0, 1, 12)
    plain = paired_difference(noise, np.zeros(12), "px")
    assert paired_difference(hard + noise, hard, "px").mean.low == pytest.approx(plain.mean.low)


def test_signs_and_exchange() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(1, 0.2, 15), rng.normal(2, 0.2, 15)
    forth, back = paired_difference(a, b, "m"), paired_difference(b, a, "m")
    assert verdict(forth) == "better"
    assert verdict(back) == "worse"
    assert forth.mean.value == pytest.approx(-back.mean.value)
    assert (forth.better, forth.worse) == (back.worse, back.better) == (15, 0)


def test_one_missed_frame_does_not_decide() -> None:
    second = np.full(12, 1.0)
    first = second + np.array([0.2, 0.25, 0.3, 0.22, 0.28, 0.21, 0.24, 0.26, 0.3, 0.27, 0.2, 40.0])
    assert paired_difference(first, second, "cm").mean.low > 0
    missed_by_second = second.copy()
    missed_by_second[11] = 40.0
    # Worse in eleven frames, better by far in one: neither mean nor median may say it alone.
    assert verdict(paired_difference(np.append(first[:11], 1.0), missed_by_second, "cm")) == "no difference"


def test_equal_errors_are_no_difference() -> None:
    same = paired_difference([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], "m")
    assert verdict(same) == "no difference"
    assert (same.mean.low, same.mean.high, same.worse, same.better) == (0.0, 0.0, 0, 0)


def test_runs_that_differ_widen_the_interval() -> None:
    rng = np.random.default_rng(3)
    base = rng.normal(0, 0.1, (5, 20))
    alike = paired_difference(base, np.zeros((5, 20)), "m").mean
    differing = paired_difference(base + np.arange(-2, 3)[:, None], np.zeros((5, 20)), "m").mean
    assert differing.high - differing.low > 5 * (alike.high - alike.low)
    assert differing.method == "paired percentile bootstrap over frames and runs, expanded"


def test_frames_without_both_errors_do_not_count() -> None:
    found = paired_difference([1.0, NAN, 3.0, 4.0], [0.0, 1.0, NAN, 2.0], "m")
    assert (found.mean.value, found.mean.count) == (1.5, 2)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ([1.0], [2.0], "two or more frames"),
        ([1.0, 2.0], [1.0, 2.0, 3.0], "same frames"),
        ([NAN, 1.0], [1.0, 1.0], "got 1"),
    ],
)
def test_nothing_to_compare(first: list[float], second: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        paired_difference(first, second, "m")
