import itertools

import numpy as np
import pytest
from scipy import stats

from sim2real.advice.transferability.ranking import rank_agreement, weighted_rhos, weighted_taus


def tau_b(a: np.ndarray, b: np.ndarray) -> float:
    pairs = list(itertools.combinations(range(len(a)), 2))
    agree = sum(np.sign(a[i] - a[j]) * np.sign(b[i] - b[j]) for i, j in pairs)
    untied = [sum(x[i] != x[j] for i, j in pairs) for x in (a, b)]
    return float(agree / np.sqrt(untied[0] * untied[1]))


def test_statistics_are_their_definitions_with_ties() -> None:
    a = np.array([1.0, 2.0, 2.0, 4.0, 5.0, 5.0, 7.0])
    b = np.array([1.0, 3.0, 2.0, 2.0, 6.0, 5.0, 5.0])
    found = rank_agreement(a, b)
    assert found.kendall_tau_b is not None
    assert found.spearman_rho is not None
    assert found.kendall_tau_b.value == pytest.approx(tau_b(a, b))
    ranks = [np.array([(x < v).sum() + ((x == v).sum() - 1) / 2 for v in x]) for x in (a, b)]
    assert found.spearman_rho.value == pytest.approx(np.corrcoef(*ranks)[0, 1])


def test_resampled_statistics_are_those_of_the_resamples() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 5, 9).astype(float), rng.integers(0, 5, 9).astype(float)
    weights = rng.multinomial(9, np.full(9, 1 / 9), size=20)
    taus, rhos = weighted_taus(a, b, weights), weighted_rhos(a, b, weights)
    for row, tau, rho in zip(weights, taus, rhos, strict=True):
        assert tau == pytest.approx(stats.kendalltau(np.repeat(a, row), np.repeat(b, row)).statistic)
        assert rho == pytest.approx(stats.spearmanr(np.repeat(a, row), np.repeat(b, row)).statistic)
    assert np.isnan(weighted_taus(a, b, np.array([[9, 0, 0, 0, 0, 0, 0, 0, 0]]))).all()


def test_full_agreement_either_way_and_none() -> None:
    a = np.arange(8.0)
    same, opposite = rank_agreement(a, a**3), rank_agreement(a, -a)
    assert same.kendall_tau_b is not None
    assert (same.kendall_tau_b.value, same.kendall_tau_b.low) == pytest.approx((1.0, 1.0))
    assert opposite.spearman_rho is not None
    assert opposite.spearman_rho.value == pytest.approx(-1.0)
    assert rank_agreement(np.ones(5), np.arange(5.0)).kendall_tau_b is None


def test_the_interval_holds_zero_for_independent_ranks_and_not_for_a_strong_one() -> None:
    rng = np.random.default_rng(0)
    a, noise = rng.normal(size=30), rng.normal(size=30)
    weak, strong = rank_agreement(a, noise).kendall_tau_b, rank_agreement(a, a + 0.2 * noise).kendall_tau_b
    assert weak is not None
    assert strong is not None
    assert weak.low < 0 < weak.high
    assert strong.low > 0.5
    assert rank_agreement(a, noise) == rank_agreement(a, noise)


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="3 or more rows, got 2"):
        rank_agreement([1.0, 2.0], [1.0, 2.0])
