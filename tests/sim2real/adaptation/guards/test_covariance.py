import numpy as np
import pytest

from sim2real.adaptation.guards.covariance import ledoit_wolf


@pytest.mark.parametrize(("n", "d"), [(5, 8), (40, 6), (200, 3)])
def test_the_closed_form_is_the_formula_written_out(n: int, d: int) -> None:
    rng = np.random.default_rng(n)
    x = rng.normal(size=(n, d)) @ rng.normal(size=(d, d))
    x -= x.mean(axis=0)
    sample = sum(np.outer(row, row) for row in x) / n
    mean = np.trace(sample) / d

    def squared(matrix: np.ndarray) -> float:  # type: ignore[type-arg]
        return float(np.trace(matrix @ matrix.T)) / d

    dispersion = squared(sample - mean * np.eye(d))
    error = min(sum(squared(np.outer(row, row) - sample) for row in x) / n**2, dispersion)
    expected = error / dispersion * mean * np.eye(d) + (1 - error / dispersion) * sample
    found, shrinkage = ledoit_wolf(x)
    assert shrinkage == pytest.approx(error / dispersion)
    assert np.allclose(found, expected)


def test_few_samples_are_shrunk_and_many_are_not() -> None:
    rng = np.random.default_rng(0)
    scales = np.linspace(0.2, 3.0, 20)
    few, much = ledoit_wolf(rng.normal(size=(10, 20)) * scales)
    _, little = ledoit_wolf(rng.normal(size=(5000, 20)) * scales)
    assert np.linalg.eigvalsh(few).min() > 0
    assert much > 0.1
    assert little < 0.02


def test_it_is_nearer_to_the_truth_than_the_sample_covariance() -> None:
    rng = np.random.default_rng(1)
    scales = np.linspace(0.5, 2.0, 30)
    truth = np.diag(scales**2)
    ours, plain = [], []
    for _ in range(30):
        x = rng.normal(size=(20, 30)) * scales
        ours.append(np.linalg.norm(ledoit_wolf(x)[0] - truth))
        plain.append(np.linalg.norm(x.T @ x / 20 - truth))
    assert np.mean(ours) < 0.6 * np.mean(plain)


def test_turning_the_axes_turns_the_result() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(12, 5)) * np.arange(1, 6)
    turn, _ = np.linalg.qr(rng.normal(size=(5, 5)))
    assert np.allclose(ledoit_wolf(x @ turn)[0], turn.T @ ledoit_wolf(x)[0] @ turn)


def test_equal_samples_and_no_samples() -> None:
    found, shrinkage = ledoit_wolf(np.zeros((4, 3)))
    assert np.array_equal(found, np.zeros((3, 3)))
    assert shrinkage == 1.0
    with pytest.raises(ValueError, match=r"needs samples \(N, D\), got shape \(0, 3\)"):
        ledoit_wolf(np.zeros((0, 3)))
