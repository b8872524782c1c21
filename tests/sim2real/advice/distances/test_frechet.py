import numpy as np
import pytest
from scipy import linalg

from sim2real.advice.distances.frechet import fid, frechet_distance


def by_matrix_root(m1: np.ndarray, c1: np.ndarray, m2: np.ndarray, c2: np.ndarray) -> float:
    return float(((m1 - m2) ** 2).sum() + np.trace(c1 + c2 - 2 * linalg.sqrtm(c1 @ c2).real))


@pytest.fixture
def sets() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(5, 5))
    return rng.normal(size=(80, 5)) @ mix, rng.normal(size=(60, 5)) * np.arange(1, 6) + 0.5


def test_it_is_the_formula_with_a_matrix_root(sets: tuple[np.ndarray, np.ndarray]) -> None:
    a, b = sets
    moments = a.mean(axis=0), np.cov(a.T), b.mean(axis=0), np.cov(b.T)
    assert frechet_distance(*moments) == pytest.approx(by_matrix_root(*moments), rel=1e-9)
    assert fid(a, b).value == pytest.approx(by_matrix_root(*moments), rel=1e-9)


def test_gaussians_that_share_their_axes_have_a_closed_form() -> None:
    m1, m2, s1, s2 = np.array([1.0, 2.0]), np.array([0.0, 5.0]), np.array([4.0, 9.0]), np.array([1.0, 0.0])
    wanted = 1 + 9 + (2 - 1) ** 2 + 3**2
    assert frechet_distance(m1, np.diag(s1), m2, np.diag(s2)) == pytest.approx(wanted)


def test_fewer_frames_than_features_are_no_trouble() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(6, 40)), rng.normal(size=(9, 40))
    found = fid(a, b)
    moments = a.mean(axis=0), np.cov(a.T), b.mean(axis=0), np.cov(b.T)
    assert found.value == pytest.approx(frechet_distance(*moments), rel=1e-6)
    assert found.warning == "biased upwards: 6 frames for 40 features, 400 or more are needed"


def test_enough_frames_give_no_warning(sets: tuple[np.ndarray, np.ndarray]) -> None:
    assert fid(*sets).warning is None


def test_a_set_against_itself_and_invariances(sets: tuple[np.ndarray, np.ndarray]) -> None:
    a, b = sets
    rng = np.random.default_rng(2)
    rotation, order = np.linalg.qr(rng.normal(size=(5, 5)))[0], rng.permutation(80)
    value = fid(a, b).value
    assert fid(a, a[order]).value == pytest.approx(0.0, abs=1e-9)
    assert fid(b, a).value == pytest.approx(value, rel=1e-9)
    assert fid(a[order] @ rotation + 7, b @ rotation + 7).value == pytest.approx(value, rel=1e-9)
    # It is a squared length.
    assert fid(3 * a, 3 * b).value == pytest.approx(9 * value, rel=1e-9)


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="symmetric"):
        frechet_distance(np.zeros(2), np.array([[1.0, 2.0], [0.0, 1.0]]), np.zeros(2), np.eye(2))
    with pytest.raises(ValueError, match="no eigenvalue below 0, got -1"):
        frechet_distance(np.zeros(2), np.diag([1.0, -1.0]), np.zeros(2), np.eye(2))
