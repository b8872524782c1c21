"""What holds for the weights of every method, and how many samples weights are worth."""

import functools

import numpy as np
import pytest

from sim2real.adaptation.reweighting.density_ratio import classifier_weights
from sim2real.adaptation.reweighting.kernel_mean_matching import kernel_mean_matching_weights
from sim2real.adaptation.reweighting.kliep import kliep_weights
from sim2real.adaptation.reweighting.rulsif import rulsif_weights
from sim2real.adaptation.reweighting.weights import effective_sample_size, flattened

METHODS = {
    "classifier": functools.partial(classifier_weights, degree=2),
    "kernel mean matching": kernel_mean_matching_weights,
    "kliep": kliep_weights,
    "rulsif": functools.partial(rulsif_weights, alpha=0.0),
}
every_method = pytest.mark.parametrize("weigh", METHODS.values(), ids=METHODS.keys())


@every_method
def test_weights_follow_the_ratio_of_two_gaussians(gaussians, weigh) -> None:
    x, y, ratio = gaussians(0.8, 0.6)
    weights = weigh(x, y)
    assert weights.shape == (400,)
    assert weights.dtype == np.float64
    assert weights.min() >= 0
    assert weights.mean() == pytest.approx(1.0)
    assert np.corrcoef(weights, ratio)[0, 1] > 0.97
    # 0.8 is the target's mean and 0.64 + 0.36 its second moment; the source has 0 and 1.
    assert (weights * x[:, 0]).mean() == pytest.approx(0.8, abs=0.1)
    assert (weights * (x[:, 0] - 0.8) ** 2).mean() == pytest.approx(0.36, abs=0.08)


@every_method
def test_one_distribution_needs_no_weights(gaussians, weigh) -> None:
    x, y, _ = gaussians(0.0, 1.0)
    assert effective_sample_size(weigh(x, y)) > 0.85 * len(x)


@every_method
def test_rows_may_come_in_any_order(gaussians, weigh) -> None:
    x, y, _ = gaussians(0.8, 0.6, 60, 50)
    order = np.random.default_rng(1).permutation(60)
    plain, other = weigh(x, y), weigh(x[order], y)
    # Folds are drawn by position, so that cross-fitting differs a little.
    assert np.corrcoef(plain[order], other)[0, 1] > 0.9
    assert np.array_equal(weigh(x, y), plain)


@every_method
def test_extreme_inputs_give_finite_weights(weigh) -> None:
    rng = np.random.default_rng(0)
    far = rng.normal(50.0, 0.1, (30, 3))
    wide = rng.normal(0, 1, (40, 64))
    pairs = [
        (rng.normal(size=(40, 3)), far),
        (np.ones((40, 3)), np.ones((30, 3))),
        (np.ones((40, 3)), 2 * np.ones((30, 3))),
        (wide, wide[:10] + 1.0),
        (1e6 * rng.normal(size=(40, 3)), 1e6 * rng.normal(size=(30, 3))),
    ]
    for x, y in pairs:
        weights = weigh(x, y)
        assert np.isfinite(weights).all()
        assert weights.min() >= 0
        assert weights.mean() == pytest.approx(1.0)


@every_method
def test_what_is_no_sample_is_refused(weigh) -> None:
    x = np.zeros((8, 2))
    with pytest.raises(ValueError, match=r"_weights needs samples \(N, D\) and \(M, D\) .* got \(8, 2\) and \(8, 3\)"):
        weigh(x, np.zeros((8, 3)))
    bad = x.copy()
    bad[3, 1] = np.nan
    with pytest.raises(ValueError, match=r"_weights needs finite values, got \[0.0, nan\] in row 3 of the target"):
        weigh(x, bad)


def test_the_effective_sample_size_of_known_weights() -> None:
    assert effective_sample_size(np.ones(7)) == 7
    assert effective_sample_size([0, 0, 3.0]) == 1
    assert effective_sample_size([1.0, 2.0, 3.0]) == pytest.approx(36 / 14)
    assert effective_sample_size(1e300 * np.ones(5)) == 5


@pytest.mark.parametrize("weights", [[], [0.0, 0.0], [1.0, -1.0], [1.0, np.inf]])
def test_weights_that_are_none_have_no_size(weights) -> None:
    with pytest.raises(ValueError, match="effective_sample_size needs a list of finite weights of 0 or more"):
        effective_sample_size(weights)


def test_flat_weights_are_the_power_that_is_worth_enough() -> None:
    weights = np.exp(np.random.default_rng(0).normal(0.0, 2.0, 200))
    for power in (0.1, 0.5, 0.9):
        wanted = weights**power
        found = flattened(weights, effective_sample_size(wanted))
        np.testing.assert_allclose(found, wanted / wanted.mean(), rtol=1e-6)
    np.testing.assert_allclose(flattened(weights, 200), 1.0, atol=1e-6)
    # What is worth enough stays.
    np.testing.assert_allclose(flattened(weights, 1.0), weights / weights.mean())


def test_what_weighs_nothing_comes_back_where_too_little_is_left() -> None:
    found = flattened([5.0, 0.0, 0.0, 1.0], 3.0)
    assert effective_sample_size(found) == pytest.approx(3.0)
    assert found[0] > found[3] > found[1] == found[2] > 0
    assert found.mean() == pytest.approx(1.0)
    with pytest.raises(ValueError, match="least of at most 4, the number of weights, got 5"):
        flattened([5.0, 0.0, 0.0, 1.0], 5)
