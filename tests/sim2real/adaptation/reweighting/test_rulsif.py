import numpy as np
import pytest

from sim2real.adaptation.reweighting.rulsif import rulsif_weights


def test_the_weights_are_the_closed_form(gaussians) -> None:
    x, y, _ = gaussians(0.8, 0.6, 30, 20)
    alpha, ridge, s = 0.2, 0.05, 0.7

    def k(a: float) -> np.ndarray:
        return np.exp(-((a - y[:, 0]) ** 2) / (2 * s**2))

    h = sum(k(b) for b in y[:, 0]) / 20
    second = alpha * sum(np.outer(k(b), k(b)) for b in y[:, 0]) / 20
    second = second + (1 - alpha) * sum(np.outer(k(a), k(a)) for a in x[:, 0]) / 30
    theta = np.linalg.inv(second + ridge * np.eye(20)) @ h
    wanted = np.maximum([k(a) @ theta for a in x[:, 0]], 0)
    found = rulsif_weights(x, y, alpha, bandwidth=s, ridge=ridge)
    np.testing.assert_allclose(found, wanted / wanted.mean(), rtol=1e-8)


def test_the_relative_ratio_is_bounded_where_the_plain_one_is_not(gaussians) -> None:
    x, y, ratio = gaussians(2.0, 0.5, 2000, 500)
    relative = ratio / (0.5 * ratio + 0.5)
    assert ratio.max() > 10 > 2 > relative.max()
    found = rulsif_weights(x, y, alpha=0.5)
    assert np.corrcoef(found, relative)[0, 1] > 0.97
    assert found.max() / found.mean() < 1.3 * relative.max() / relative.mean()


def test_settings_out_of_range_are_refused(gaussians) -> None:
    x, y, _ = gaussians(0.5, 1.0, 6, 4)
    wanted = "needs 0 <= alpha < 1, bandwidth and ridge above 0, centres 1 or more and 2 to 4 folds, got 1.0, None"
    with pytest.raises(ValueError, match=wanted):
        rulsif_weights(x, y, alpha=1.0)
