import numpy as np
import pytest
from scipy import special

from sim2real.advice.distances.a_distance import _fit, a_distance, classifier_error


def test_domains_apart_are_told_and_one_domain_is_not() -> None:
    rng = np.random.default_rng(0)
    values = []
    for _ in range(20):
        a, b = rng.normal(size=(30, 8)), rng.normal(size=(20, 8))
        values.append(2 * (1 - 2 * classifier_error(a, b, 0)))
        assert classifier_error(a, b + 20.0, 0) == 0.0
    # Raw values: some lie below 0.
    assert min(values) < 0 < max(values)
    assert abs(np.mean(values)) < 0.25


def test_value_error_and_null_belong_together() -> None:
    rng = np.random.default_rng(1)
    a = rng.normal(size=(40, 5))
    far = a_distance(a, rng.normal(size=(25, 5)) + 10.0)
    assert (far.value, far.error) == (2.0, 0.0)
    assert far.null.low <= far.null.mean <= far.null.high < 1.0
    other = rng.normal(size=(40, 5))
    near = a_distance(a, other)
    assert near.null.low <= near.value <= near.null.high
    assert near == a_distance(a, other)


def test_the_error_is_balanced() -> None:
    # A classifier that calls every frame the larger domain's is wrong on half, though 90 of 100 frames are right.
    rng = np.random.default_rng(2)
    errors = [classifier_error(rng.normal(size=(90, 3)), rng.normal(size=(10, 3)), k) for k in range(10)]
    assert 0.4 < np.mean(errors) < 0.6


def test_the_classifier_is_at_the_minimum_of_its_loss() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(12, 4)) * 3.0, rng.normal(size=(7, 4)) + 0.5
    side = _fit(a, b, 1.0)
    x = (np.concatenate([a, b]) - side._mean) / side._scale
    sign = np.r_[-np.ones(12), np.ones(7)]
    weight = np.r_[np.full(12, 0.5 / 12), np.full(7, 0.5 / 7)]
    slope = -sign * weight * special.expit(-sign * (x @ side._weights + side._intercept))
    assert x.T @ slope + side._weights / 19 == pytest.approx(np.zeros(4), abs=1e-4)
    assert slope.sum() == pytest.approx(0.0, abs=1e-4)


def test_scale_shift_and_constant_columns_change_nothing() -> None:
    rng = np.random.default_rng(4)
    a, b = rng.normal(size=(20, 3)), rng.normal(size=(20, 3)) + 0.7
    scale, shift = np.array([1e3, 1.0, 1e-3]), np.array([5.0, 0.0, -2.0])
    error = classifier_error(a, b, 0)
    assert classifier_error(a * scale + shift, b * scale + shift, 0) == error
    assert classifier_error(np.c_[a, np.ones(20)], np.c_[b, np.ones(20)], 0) == error


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="first features must have 2 or more rows, got 1"):
        a_distance(np.zeros((1, 2)), np.zeros((3, 2)))
    with pytest.raises(ValueError, match="a null needs 4 or more frames"):
        a_distance(np.zeros((3, 2)), np.zeros((3, 2)))
    with pytest.raises(ValueError, match="the same columns, got 2 and 3"):
        a_distance(np.zeros((4, 2)), np.zeros((4, 3)))
