import numpy as np
import pytest
from scipy import stats

from sim2real.advice.distances.kernel_distance import kid, mmd_test, squared_distances


def cubic(x: np.ndarray, y: np.ndarray) -> float:
    return float((x @ y / len(x) + 1) ** 3)


def brute_mmd(a: np.ndarray, b: np.ndarray, kernel) -> float:
    n, m = len(a), len(b)
    first = sum(kernel(a[i], a[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    second = sum(kernel(b[i], b[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return float(first + second - 2 * sum(kernel(x, y) for x in a for y in b) / (n * m))


def test_kid_is_the_double_loop() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(9, 4)), rng.normal(size=(6, 4)) + 0.5
    found = kid(a, b, null_splits=0)
    assert found.value == pytest.approx(brute_mmd(a, b, cubic), rel=1e-10)
    assert (found.subset_size, found.subsets, found.null) == (6, 1, None)


def test_subsets_average_to_the_whole() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(60, 3)), rng.normal(size=(50, 3)) + 0.5
    parts = kid(a, b, subset_size=20, subsets=400, null_splits=0)
    assert (parts.subset_size, parts.subsets) == (20, 400)
    assert parts.value == pytest.approx(kid(a, b, null_splits=0).value, rel=0.05)


def test_kid_is_unbiased_under_the_null_and_the_null_says_so() -> None:
    rng = np.random.default_rng(2)
    values, inside = [], 0
    for k in range(40):
        found = kid(rng.normal(size=(30, 3)), rng.normal(size=(15, 3)), seed=k)
        values.append(found.value)
        assert found.null is not None
        inside += found.null.low <= found.value <= found.null.high
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(40)
    assert min(values) < 0
    assert inside >= 34


def test_a_set_against_itself_is_not_outside_its_null() -> None:
    a = np.random.default_rng(3).normal(size=(40, 3))
    found = kid(a, a)
    assert found.null is not None
    # Each frame meets itself in the other set, so the unbiased estimate is below 0.
    assert found.value < 0
    assert found.value <= found.null.high
    assert mmd_test(a, a).p_value > 0.5


def test_mmd_is_the_double_loop() -> None:
    rng = np.random.default_rng(4)
    a, b = rng.normal(size=(7, 3)), rng.normal(size=(5, 3)) + 1.0
    found = mmd_test(a, b, permutations=20)
    both = np.concatenate([a, b])
    pairs = [np.linalg.norm(both[i] - both[j]) for i in range(12) for j in range(i)]
    assert found.bandwidth == pytest.approx(np.median(pairs))
    wanted = brute_mmd(a, b, lambda x, y: np.exp(-((x - y) ** 2).sum() / (2 * found.bandwidth**2)))
    assert found.value == pytest.approx(wanted, rel=1e-10)


def test_p_values_are_uniform_under_the_null() -> None:
    rng = np.random.default_rng(5)
    found = [
        mmd_test(rng.normal(size=(14, 3)), rng.normal(size=(10, 3)), seed=k, permutations=199).p_value
        for k in range(300)
    ]
    assert stats.kstest(found, "uniform").pvalue > 0.05


def test_sets_apart_get_the_smallest_p_value() -> None:
    rng = np.random.default_rng(6)
    found = mmd_test(rng.normal(size=(15, 3)), rng.normal(size=(15, 3)) + 3.0, permutations=99)
    assert found.p_value == 0.01
    assert found.value > 0.3


def test_equal_frames_are_no_evidence() -> None:
    found = mmd_test(np.ones((5, 2)), np.ones((6, 2)))
    assert found.value == pytest.approx(0.0, abs=1e-12)
    assert found.p_value == 1.0


def test_scale_rotation_and_order() -> None:
    rng = np.random.default_rng(7)
    a, b = rng.normal(size=(12, 4)), rng.normal(size=(9, 4)) + 0.4
    rotation = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    order = rng.permutation(12)
    value, test = kid(a, b, null_splits=0).value, mmd_test(a, b)
    assert kid(a[order] @ rotation, b @ rotation, null_splits=0).value == pytest.approx(value, rel=1e-9)
    assert mmd_test(a[order], b).value == pytest.approx(test.value, rel=1e-9)
    # The median distance carries the scale of MMD; KID's kernel has a fixed one.
    assert mmd_test(10 * a + 3, 10 * b + 3).value == pytest.approx(test.value, rel=1e-9)
    assert mmd_test(10 * a + 3, 10 * b + 3).p_value == test.p_value
    assert kid(10 * a, 10 * b, null_splits=0).value != pytest.approx(value, rel=0.5)


def test_squared_distances_survive_a_large_offset() -> None:
    a = np.array([[0.0, 0.0], [3.0, 4.0]]) + 1e6
    assert squared_distances(a, a) == pytest.approx(np.array([[0.0, 25.0], [25.0, 0.0]]), abs=1e-9)


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="subset_size must be 2 or more"):
        kid(np.zeros((4, 2)), np.zeros((4, 2)), subset_size=1)
    with pytest.raises(ValueError, match="permutations must be 1 or more, got 0"):
        mmd_test(np.zeros((4, 2)), np.zeros((4, 2)), permutations=0)
