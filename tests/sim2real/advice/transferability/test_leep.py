import numpy as np
import pytest

from sim2real.advice.transferability.leep import leep


def test_it_is_the_definition_in_loops() -> None:
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(4), 9)
    y = rng.integers(0, 3, 9)
    total = 0.0
    for i in range(9):
        share = 0.0
        for z in range(4):
            joint = sum(p[k, z] for k in range(9) if y[k] == y[i]) / 9
            share += joint / (sum(p[k, z] for k in range(9)) / 9) * p[i, z]
        total += np.log(share)
    assert leep(p, y) == pytest.approx(total / 9, rel=1e-12)


def test_answers_that_decide_the_label_score_zero_and_flat_ones_its_entropy() -> None:
    y = np.array([0, 0, 1, 1, 2, 2])
    assert leep(np.eye(3)[[2, 2, 0, 0, 1, 1]], y) == pytest.approx(0.0, abs=1e-12)
    assert leep(np.full((6, 3), 1 / 3), y) == pytest.approx(np.log(1 / 3))


def test_order_and_unused_answers_change_nothing() -> None:
    rng = np.random.default_rng(1)
    p, y = rng.dirichlet(np.ones(3), 10), rng.integers(0, 2, 10)
    order = rng.permutation(10)
    assert leep(p[order], y[order]) == pytest.approx(leep(p, y), rel=1e-12)
    assert leep(np.column_stack([p, np.zeros(10)]), y) == pytest.approx(leep(p, y), rel=1e-12)


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="sum to 1"):
        leep(np.ones((2, 2)), np.array([0, 1]))
    with pytest.raises(ValueError, match=r"classes must be \(2,\)"):
        leep(np.full((2, 2), 0.5), np.array([0, 1, 1]))
