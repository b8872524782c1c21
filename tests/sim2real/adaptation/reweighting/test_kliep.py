import numpy as np
import pytest
from scipy.optimize import minimize

from sim2real.adaptation.reweighting.kliep import _fit, kliep_weights


def test_the_fit_is_the_constrained_maximum_of_the_likelihood() -> None:
    rng = np.random.default_rng(0)
    of_source, of_target = rng.uniform(0.1, 1, (20, 4)), rng.uniform(0.1, 1, (15, 4))
    mean = of_source.mean(axis=0)
    found = _fit(of_source, of_target)
    assert mean @ found == pytest.approx(1.0, abs=1e-5)
    wanted = minimize(
        lambda a: -np.log(of_target @ a).mean(),
        np.full(4, 1 / mean.sum()),
        bounds=[(0, None)] * 4,
        constraints=[{"type": "eq", "fun": lambda a: mean @ a - 1}],
        options={"ftol": 1e-12},
    )
    assert np.log(of_target @ found).mean() == pytest.approx(-wanted.fun, abs=1e-7)
    np.testing.assert_allclose(found, wanted.x, atol=1e-3)


def test_cross_validation_picks_the_bandwidth_that_fits_best(gaussians) -> None:
    x, y, ratio = gaussians(0.8, 0.6)
    chosen = np.corrcoef(kliep_weights(x, y), ratio)[0, 1]
    narrow = np.corrcoef(kliep_weights(x, y, bandwidth=0.02), ratio)[0, 1]
    wide = np.corrcoef(kliep_weights(x, y, bandwidth=20.0), ratio)[0, 1]
    assert chosen > 0.99 > max(narrow, wide)


def test_centres_and_folds_are_drawn_from_the_seed(gaussians) -> None:
    x, y, _ = gaussians(0.8, 0.6)
    one = kliep_weights(x, y, bandwidth=0.5, centres=10, seed=1)
    assert np.array_equal(one, kliep_weights(x, y, bandwidth=0.5, centres=10, seed=1))
    assert not np.array_equal(one, kliep_weights(x, y, bandwidth=0.5, centres=10, seed=2))


def test_settings_out_of_range_are_refused(gaussians) -> None:
    x, y, _ = gaussians(0.5, 1.0, 6, 4)
    with pytest.raises(
        ValueError, match="needs bandwidth above 0, centres 1 or more and 2 to 4 folds, got None, 100 and 5"
    ):
        kliep_weights(x, y)
