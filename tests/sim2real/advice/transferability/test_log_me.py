"""LogME is the largest evidence there is, found by another way as well."""

import numpy as np
import pytest
from scipy import linalg, optimize, stats

from sim2real.advice.transferability.log_me import log_me


def evidence(features: np.ndarray, label: np.ndarray, alpha: float, beta: float) -> float:
    """The marginal likelihood of the labels, by the definition: they are Gaussian."""
    covariance = features @ features.T / alpha + np.eye(len(label)) / beta
    half = linalg.cholesky(covariance, lower=True)
    white = linalg.solve_triangular(half, label, lower=True)
    return float(-0.5 * (len(label) * np.log(2 * np.pi) + white @ white) - np.log(np.diag(half)).sum())


def largest_evidence(features: np.ndarray, label: np.ndarray) -> float:
    def loss(x: np.ndarray) -> float:
        return -evidence(features, label, *np.exp(x))

    starts = [(-3.0, 0.0), (0.0, 2.0), (4.0, 0.0)]
    options = {"xatol": 1e-9, "fatol": 1e-12, "maxiter": 4000}
    found = [optimize.minimize(loss, s, method="Nelder-Mead", options=options).fun for s in starts]
    return -min(found) / len(label)


@pytest.mark.parametrize(("n", "d", "noise"), [(30, 5, 0.5), (12, 30, 0.5), (20, 20, 1.0), (30, 3, 2.0)])
def test_it_is_the_largest_evidence(n: int, d: int, noise: float) -> None:
    rng = np.random.default_rng([n, d])
    features = rng.normal(size=(n, d))
    labels = features @ rng.normal(size=(d, 2)) + noise * rng.normal(size=(n, 2))
    wanted = np.mean([largest_evidence(features, column) for column in labels.T])
    assert log_me(features, labels) == pytest.approx(wanted, abs=1e-6)


def test_features_that_say_nothing_give_the_evidence_of_noise() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(50, 4))
    label = rng.normal(size=50)
    label -= features @ np.linalg.lstsq(features, label, rcond=None)[0]
    noise = stats.norm(0, np.sqrt(np.mean(label**2))).logpdf(label).mean()
    assert log_me(features, label) == pytest.approx(noise, abs=1e-6)
    assert log_me(np.zeros((50, 4)), label) == pytest.approx(noise, abs=1e-6)


def test_better_features_score_higher() -> None:
    rng = np.random.default_rng(1)
    features = rng.normal(size=(30, 6))
    label = features @ rng.normal(size=6)
    scores = [log_me(features + noise * rng.normal(size=features.shape), label) for noise in (0.1, 0.5, 2.0)]
    assert scores == sorted(scores, reverse=True)


def test_scale_rotation_and_order() -> None:
    rng = np.random.default_rng(2)
    features, labels = rng.normal(size=(20, 8)), rng.normal(size=(20, 2))
    labels += features[:, :2]
    rotation = np.linalg.qr(rng.normal(size=(8, 8)))[0]
    order = rng.permutation(20)
    score = log_me(features, labels)
    assert log_me(1e3 * features @ rotation, labels) == pytest.approx(score, abs=1e-8)
    assert log_me(features[order], labels[order]) == pytest.approx(score, abs=1e-8)
    assert log_me(features, 7.0 * labels) == pytest.approx(score - np.log(7.0), abs=1e-8)
    assert log_me(np.tile(features, 3).astype(np.float32), labels) == pytest.approx(score, abs=1e-4)


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="as many rows, got 3 and 4"):
        log_me(np.zeros((3, 2)), np.zeros(4))
    with pytest.raises(ValueError, match="labels must be finite"):
        log_me(np.ones((3, 2)), np.array([0.0, np.nan, 1.0]))
