import numpy as np
import pytest

from sim2real.advice.transferability.linear_probe import left_out_residuals, probe_errors


def refit(features: np.ndarray, labels: np.ndarray, out: np.ndarray, strength: float) -> np.ndarray:
    """Labels minus predictions of a ridge regression that never saw these rows, by the normal equations."""
    x, y = features[~out], labels[~out]
    middle, mean = x.mean(axis=0), y.mean(axis=0)
    centred = x - middle
    weights = np.linalg.solve(centred.T @ centred + strength * np.eye(x.shape[1]), centred.T @ (y - mean))
    return labels[out] - mean - (features[out] - middle) @ weights


@pytest.mark.parametrize("codes", [np.arange(9), np.array([0, 0, 1, 1, 1, 2, 3, 3, 2])])
@pytest.mark.parametrize("d", [3, 30])
def test_left_out_errors_are_those_of_refits(codes: np.ndarray, d: int) -> None:
    rng = np.random.default_rng(d)
    features, labels = rng.normal(size=(9, d)) + 2.0, rng.normal(size=(9, 2)) + 5.0
    found = left_out_residuals(features @ features.T, labels, codes, [2.0, 0.8])[1]
    for code in range(codes.max() + 1):
        assert found[codes == code] == pytest.approx(refit(features, labels, codes == code, 0.8), rel=1e-8)


def test_the_probes_errors_are_those_of_refits() -> None:
    rng = np.random.default_rng(0)
    features, labels = rng.normal(size=(12, 4)), rng.normal(size=(12, 2))
    groups = list("aabbccddeeff")
    found = probe_errors(features, labels, groups, strengths=[0.3])
    assert found.groups == 6
    for name in set(groups):
        out = np.array([g == name for g in groups])
        unit = np.trace(np.cov(features[~out].T, bias=True))
        wanted = np.linalg.norm(refit(features, labels, out, 0.3 * unit), axis=1)
        assert found.errors[out] == pytest.approx(wanted, rel=1e-8)
        assert found.chance[out] == pytest.approx(np.linalg.norm(labels[out] - labels[~out].mean(axis=0), axis=1))


def test_linear_labels_are_found_in_their_unit() -> None:
    rng = np.random.default_rng(1)
    features = rng.normal(size=(30, 5))
    labels = features @ rng.normal(size=(5, 2)) + 100.0
    assert probe_errors(features, labels).errors.max() < 0.01
    assert probe_errors(features, 1000 * labels).errors == pytest.approx(1000 * probe_errors(features, labels).errors)


def test_features_that_say_nothing_are_no_better_than_the_mean() -> None:
    rng = np.random.default_rng(2)
    found = [probe_errors(rng.normal(size=(20, 60)), rng.normal(size=(20, 2))) for _ in range(20)]
    ratio = np.mean([f.errors.mean() / f.chance.mean() for f in found])
    assert 0.98 < ratio < 1.2


def test_a_group_that_repeats_itself_does_not_help() -> None:
    rng = np.random.default_rng(3)
    base, label = rng.normal(size=(8, 40)), rng.normal(size=(8, 1))
    features, labels = np.repeat(base, 5, axis=0), np.repeat(label, 5, axis=0)
    groups = list(np.repeat(np.arange(8), 5))
    assert probe_errors(features, labels).errors.mean() < 0.1 * probe_errors(features, labels, groups).errors.mean()


def test_scale_rotation_and_order() -> None:
    rng = np.random.default_rng(4)
    features, labels = rng.normal(size=(15, 6)), rng.normal(size=(15, 2))
    rotation = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    order = rng.permutation(15)
    errors = probe_errors(features, labels).errors
    assert probe_errors(80 * features @ rotation + 3, labels).errors == pytest.approx(errors, rel=1e-6)
    assert probe_errors(features[order], labels[order]).errors == pytest.approx(errors[order], rel=1e-6)


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="3 or more groups of frames, got 2"):
        probe_errors(np.zeros((4, 2)), np.zeros(4), ["a", "a", "b", "b"])
    with pytest.raises(ValueError, match="groups must be one a frame, 4, got 1"):
        probe_errors(np.zeros((4, 2)), np.zeros(4), ["a"])
