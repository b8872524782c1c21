import numpy as np
import pytest
from scipy.optimize import minimize

from sim2real.adaptation.reweighting.density_ratio import classifier_weights, fit_logistic


def test_the_classifier_finds_the_log_ratio_of_two_gaussians() -> None:
    # log N(x; 1, 1) / N(x; 0, 1) = x - 1/2.
    rng = np.random.default_rng(0)
    found = fit_logistic(rng.normal(0, 1, (20_000, 1)), rng.normal(1, 1, (10_000, 1)), 1e-6)
    assert found == pytest.approx([1.0, -0.5], abs=0.06)


def test_the_classifier_minimizes_its_objective() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(12, 2)), rng.normal(0.5, 1, (8, 2))

    def objective(b: np.ndarray) -> float:
        loss = sum(np.logaddexp(0, row @ b[:2] + b[2]) for row in x) * 10 / 12
        loss += sum(np.logaddexp(0, -row @ b[:2] - b[2]) for row in y) * 10 / 8
        return float(loss + 0.5 * 0.7 * (b[:2] ** 2).sum())

    wanted = minimize(objective, np.zeros(3), options={"gtol": 1e-9})
    np.testing.assert_allclose(fit_logistic(x, y, 0.7), wanted.x, atol=1e-5)


def test_weights_do_not_depend_on_units(gaussians) -> None:
    x, y, _ = gaussians(0.5, 1.0)
    np.testing.assert_allclose(classifier_weights(1000 * x - 3, 1000 * y - 3), classifier_weights(x, y), rtol=1e-3)


def test_cross_fitting_weighs_a_row_by_a_classifier_that_has_not_seen_it() -> None:
    # Each of the first ten rows has a mark of its own, by which a classifier that has seen the row knows it.
    x, y = np.concatenate([np.eye(10), np.zeros((10, 10))]), np.zeros((20, 10))
    seen = fit_logistic(x, y, 0.1)
    by_heart = np.exp(x @ seen[:-1])
    assert by_heart[:10].max() < 0.2 * by_heart[10:].min()
    np.testing.assert_allclose(classifier_weights(x, y, ridge=0.1, folds=20), np.ones(20), atol=0.2)


def test_settings_out_of_range_are_refused(gaussians) -> None:
    x, y, _ = gaussians(0.5, 1.0, 6, 4)
    with pytest.raises(ValueError, match=r"needs ridge above 0, degree 1 or 2 and 2 to 4 folds, got 1\.0, 1 and 5"):
        classifier_weights(x, y)
