import numpy as np
import pytest
from scipy import stats

from sim2real.gap.predictivity import mean_maximum_rank_violation, pearson, predictivity, spearman


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        # The same order, however different the rates.
        ([0.1, 0.2, 0.3], [0.5, 0.8, 0.9], 0.0),
        # The last two are swapped and differ by 0.3 in the target: (0 + 0.3 + 0.3) / 3.
        ([0.1, 0.3, 0.2], [0.2, 0.4, 0.7], 0.2),
        # All swapped: each with its worst pair, 0.8, 0.6 and 0.8.
        ([0.9, 0.5, 0.1], [0.1, 0.3, 0.9], (0.8 + 0.6 + 0.8) / 3),
        # A tie in the source: the pair (first, second) is violated, (second, first) is not.
        ([0.5, 0.5, 0.9], [0.2, 0.4, 0.9], 0.2 / 3),
        # A tie in the target costs nothing.
        ([0.2, 0.4, 0.9], [0.5, 0.5, 0.9], 0.0),
    ],
)
def test_rank_violation_by_hand(source: list[float], target: list[float], expected: float) -> None:
    assert mean_maximum_rank_violation(source, target) == pytest.approx(expected)


def test_rank_violation_is_of_the_target_and_not_symmetric() -> None:
    source, target = [0.50, 0.51, 0.9], [0.8, 0.2, 0.9]
    assert mean_maximum_rank_violation(source, target) == pytest.approx(2 * 0.6 / 3)
    assert mean_maximum_rank_violation(target, source) == pytest.approx(2 * 0.01 / 3)


def test_rank_violation_by_brute_force() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        s, t = rng.integers(0, 6, (2, 7)) / 5
        worst = [max(abs(t[i] - t[j]) * ((s[i] < s[j]) != (t[i] < t[j])) for j in range(7)) for i in range(7)]
        assert mean_maximum_rank_violation(s, t) == pytest.approx(np.mean(worst))


def test_correlations_are_scipys() -> None:
    rng = np.random.default_rng(1)
    s, t = rng.integers(0, 8, (2, 12)) / 8
    assert pearson(s, t) == pytest.approx(stats.pearsonr(s, t).statistic)
    assert spearman(s, t) == pytest.approx(stats.spearmanr(s, t).statistic)
    assert np.isnan(pearson([0.5, 0.5, 0.5], [0.1, 0.2, 0.3]))


def test_a_good_simulator_and_one_that_says_nothing_are_told_apart() -> None:
    rng = np.random.default_rng(2)
    quality = np.linspace(0.05, 0.95, 10)
    target = rng.random((10, 150)) < quality[:, None]
    good = predictivity(rng.random((10, 75)) < quality[:, None], target)
    bad = predictivity(rng.random((10, 75)) < rng.permutation(quality)[:, None], target)
    assert good.policies == 10
    assert good.pearson is not None
    assert bad.pearson is not None
    assert good.pearson.low > 0.9
    assert good.mmrv.high < 0.15
    assert bad.pearson.low < 0.5
    assert bad.mmrv.value > good.mmrv.high


def test_the_drop_is_source_minus_target() -> None:
    found = predictivity([0.9, 0.8, 0.4], [0.6, 0.5, 0.1])
    assert found.drop.value == pytest.approx(0.3)
    assert (found.drop.low, found.drop.high) == pytest.approx((0.3, 0.3))
    assert found.mmrv.value == 0.0


def test_equal_policies_have_no_correlation() -> None:
    found = predictivity([1.0, 1.0, 1.0], [0.2, 0.3, 0.4])
    assert found.pearson is None
    assert found.spearman is None
    # Each but the best is taken for equal to it: 0.2 and 0.1 of three.
    assert found.mmrv.value == pytest.approx((0.2 + 0.1) / 3)


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ([0.1, 0.2], [0.1, 0.2], "the same 3 or more policies, got 2, 2"),
        ([0.1, 0.2, 0.3], [0.1, 0.2, 0.3, 0.4], "got 3, 4"),
        ([0.1, 0.2, 1.3], [0.1, 0.2, 0.3], "source must lie between 0 and 1, got 0.1 to 1.3"),
        ([0.1, 0.2, 0.3], np.zeros((3, 2, 2)), r"target must be \(P,\) rates or \(P, E\) successes"),
        ([0.1, 0.2, np.nan], [0.1, 0.2, 0.3], "source must lie between 0 and 1"),
    ],
)
def test_what_cannot_be_compared_says_why(source: object, target: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        predictivity(source, target)  # type: ignore[arg-type]
