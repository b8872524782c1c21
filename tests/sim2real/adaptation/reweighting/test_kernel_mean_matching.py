import numpy as np
import pytest
from scipy.optimize import minimize

from sim2real.adaptation.reweighting.kernel_mean_matching import _quadratic_program, kernel_mean_matching_weights


@pytest.mark.parametrize(
    ("low", "high", "largest"), [(0.0, 5.0, 10.0), (0.9, 1.1, 10.0), (1.5, 1.6, 4.0), (0.2, 0.3, 4.0), (1.0, 1.0, 1.5)]
)
def test_the_quadratic_program_is_solved(low, high, largest) -> None:
    rng = np.random.default_rng(0)
    root = rng.normal(size=(12, 12))
    kernel, kappa = root @ root.T / 12 + 0.1 * np.eye(12), rng.normal(1.0, 1.0, 12)
    found = _quadratic_program(kernel, kappa, largest, low, high)

    def objective(w: np.ndarray) -> float:
        return float(0.5 * w @ kernel @ w - kappa @ w)

    bounds = [
        {"type": "ineq", "fun": lambda w: w.mean() - low},
        {"type": "ineq", "fun": lambda w: high - w.mean()},
    ]
    start = np.full(12, (low + high) / 2)
    wanted = minimize(objective, start, bounds=[(0, largest)] * 12, constraints=bounds, options={"maxiter": 500})
    assert found.min() >= 0
    assert found.max() <= largest
    assert low - 1e-6 <= found.mean() <= high + 1e-6
    assert objective(found) == pytest.approx(wanted.fun, abs=1e-5)
    np.testing.assert_allclose(found, wanted.x, atol=5e-3)


def test_the_weighted_source_is_nearer_to_the_target_in_the_kernels_space(gaussians) -> None:
    x, y, ratio = gaussians(0.8, 0.6)

    def apart(w: np.ndarray) -> float:
        def k(a: np.ndarray, b: np.ndarray) -> np.ndarray:
            return np.exp(-0.5 * (a - b.T) ** 2)

        return float(w @ k(x, x) @ w / 400**2 - 2 * w @ k(x, y).mean(1) / 400 + k(y, y).mean())

    found = apart(kernel_mean_matching_weights(x, y, bandwidth=1.0))
    assert found < apart(ratio / ratio.mean()) < 0.05 * apart(np.ones(400))


def test_no_weight_is_above_its_bound(gaussians) -> None:
    x, y, _ = gaussians(0.8, 0.6)
    free = kernel_mean_matching_weights(x, y, slack=0.0)
    bound = kernel_mean_matching_weights(x, y, largest=1.5, slack=0.0)
    assert free.max() > 2
    assert bound.max() == pytest.approx(1.5, rel=1e-4)


def test_settings_out_of_range_are_refused(gaussians) -> None:
    x, y, _ = gaussians(0.5, 1.0, 6, 4)
    with pytest.raises(ValueError, match="needs bandwidth above 0, largest above 1 and slack 0 or more, got 0, 1"):
        kernel_mean_matching_weights(x, y, bandwidth=0, largest=1.0)
