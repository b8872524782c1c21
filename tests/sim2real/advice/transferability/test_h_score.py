import numpy as np
import pytest

from sim2real.advice.transferability.h_score import (
    binned_h_score,
    covariance_ratio,
    h_score,
    label_bins,
    ledoit_wolf_shrinkage,
)


def test_a_linear_gaussian_model_has_its_closed_form() -> None:
    # f = A y + e: the H-score is tr((A S A' + E)^-1 A S A'). Columns are made exactly uncorrelated, so it is exact.
    rng = np.random.default_rng(0)
    n, d = 400, 5
    white = np.linalg.qr(rng.normal(size=(n, 2 + d)) - 0.0)[0]
    white = np.linalg.qr(white - white.mean(axis=0))[0] * np.sqrt(n)
    labels, noise = white[:, :2] @ np.array([[2.0, 0.5], [0.0, 1.0]]), 0.7 * white[:, 2:]
    mix = rng.normal(size=(2, d))
    spread = labels.T @ labels / n
    signal = mix.T @ spread @ mix
    wanted = np.trace(np.linalg.solve(signal + 0.49 * np.eye(d), signal))
    assert h_score(labels @ mix + noise, labels, regularised=False) == pytest.approx(wanted, abs=1e-9)


def test_regularised_is_the_formula_with_explicit_matrices() -> None:
    rng = np.random.default_rng(1)
    features, labels = rng.normal(size=(15, 40)), rng.normal(size=(15, 2))
    features[:, :2] += 2 * labels
    centred = features - features.mean(axis=0)
    a = ledoit_wolf_shrinkage(centred)
    covariance = centred.T @ centred / 15
    shrunk = (1 - a) * covariance + a * np.trace(covariance) / 40 * np.eye(40)
    design = np.column_stack([np.ones(15), labels])
    expected = design @ np.linalg.pinv(design) @ features
    between = np.cov(expected.T, bias=True)
    assert h_score(features, labels) == pytest.approx((1 - a) * np.trace(np.linalg.solve(shrunk, between)), rel=1e-9)


@pytest.mark.parametrize(("n", "d"), [(8, 20), (50, 6)])
def test_shrinkage_is_ledoit_and_wolfs_by_a_loop_over_frames(n: int, d: int) -> None:
    rng = np.random.default_rng([n, d])
    x = rng.normal(size=(n, d)) * np.linspace(0.2, 3, d)
    x -= x.mean(axis=0)
    covariance = x.T @ x / n
    target = np.trace(covariance) / d * np.eye(d)
    noise = sum(((np.outer(row, row) - covariance) ** 2).sum() for row in x) / n**2
    wanted = min(noise, ((covariance - target) ** 2).sum()) / ((covariance - target) ** 2).sum()
    assert ledoit_wolf_shrinkage(x) == pytest.approx(wanted, rel=1e-9)
    assert 0.0 < wanted <= 1.0


def test_the_binned_form_is_the_definition() -> None:
    rng = np.random.default_rng(2)
    classes = rng.integers(0, 3, 60)
    features = rng.normal(size=(60, 4)) + 2.0 * classes[:, None] * np.array([1.0, 0.0, -1.0, 0.0])
    means = np.stack([features[classes == c].mean(axis=0) for c in classes])
    wanted = np.trace(np.linalg.solve(np.cov(features.T, bias=True), np.cov(means.T, bias=True)))
    assert binned_h_score(features, classes, regularised=False) == pytest.approx(wanted, rel=1e-9)


def test_without_shrinkage_many_features_explain_anything_and_with_it_they_do_not() -> None:
    rng = np.random.default_rng(3)
    noise, labels = rng.normal(size=(10, 200)), rng.normal(size=(10, 2))
    useful = noise + 2 * labels @ rng.normal(size=(2, 200))
    assert h_score(noise, labels, regularised=False) == pytest.approx(2.0, abs=1e-6)
    assert h_score(useful, labels, regularised=False) == pytest.approx(2.0, abs=1e-6)
    assert h_score(useful, labels) > h_score(noise, labels) + 0.1


def test_scale_rotation_and_order() -> None:
    rng = np.random.default_rng(4)
    features, labels = rng.normal(size=(30, 6)), rng.normal(size=(30, 2))
    features[:, 0] += 3 * labels[:, 1]
    rotation = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    order = rng.permutation(30)
    shear = np.eye(6) + 0.3 * rng.normal(size=(6, 6))
    for regularised in (True, False):
        score = h_score(features, labels, regularised)
        assert h_score(50 * features @ rotation + 4, labels * 9 - 1, regularised) == pytest.approx(score, rel=1e-9)
        assert h_score(features[order], labels[order], regularised) == pytest.approx(score, rel=1e-9)
    # The identity that covariances are shrunk to has no direction of its own, but a shear gives it one.
    assert h_score(features @ shear, labels, False) == pytest.approx(h_score(features, labels, False), rel=1e-9)
    assert h_score(features @ shear, labels) != pytest.approx(h_score(features, labels), rel=1e-4)


def test_constant_features_score_nothing() -> None:
    assert h_score(np.ones((5, 3)), np.arange(5.0)) == 0.0
    assert covariance_ratio(np.ones((5, 3)), np.ones((5, 3)), False) == 0.0


def test_bins_have_equal_counts_and_equal_values_share_one() -> None:
    values = np.random.default_rng(5).permutation(12).astype(float)
    codes = label_bins(values, 3)
    assert [sorted(values[codes == c]) for c in range(3)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert len(set(label_bins(np.ones(6), 3))) == 1
    grid = np.array([[x, y] for x in (0.0, 1.0) for y in (0.0, 1.0)])
    assert sorted(label_bins(grid, 2)) == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="bins must be 1 or more, got 0"):
        label_bins(values, 0)
