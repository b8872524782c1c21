from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sim2real.adaptation.fine_tuning.probes import (
    features_of,
    knn_probe,
    left_out_residuals,
    linear_probe,
    ridge_probe,
)
from sim2real.adaptation.seen import label_vector, see

Array = NDArray[np.float64]


def toy(frames: int = 12, dimensions: int = 5, labels: int = 2, noise: float = 0.1) -> tuple[Array, Array]:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(frames, dimensions)) * [1.0, 5.0, 0.2, 1.0, 3.0][:dimensions] + 4.0
    truth = features @ rng.normal(size=(dimensions, labels)) + [3.0, -7.0][:labels]
    return features, truth + noise * rng.normal(size=truth.shape)


def ridge_by_normal_equations(features: Array, values: Array, penalty: float) -> tuple[Array, float]:
    """Solve for weights and offset together; the offset has no penalty."""
    design = np.column_stack([features, np.ones(len(features))])
    shrink = np.diag([penalty] * features.shape[1] + [0.0])
    solution = np.linalg.solve(design.T @ design + shrink, design.T @ values)
    return solution[:-1], float(solution[-1])


@pytest.mark.parametrize("dimensions", [3, 5])
def test_left_out_residuals_equal_refits(dimensions: int) -> None:
    features, labels = toy(8, dimensions)
    penalties = [1e-3, 0.5, 30.0]
    found = left_out_residuals(features, labels[:, 0], penalties)
    for row, penalty in zip(found, penalties, strict=True):
        for k in range(8):
            rest = np.delete(np.arange(8), k)
            weights, offset = ridge_by_normal_equations(features[rest], labels[rest, 0], penalty)
            assert row[k] == pytest.approx(labels[k, 0] - features[k] @ weights - offset, rel=1e-7, abs=1e-9)


def test_left_out_residuals_equal_refits_with_more_dimensions_than_frames() -> None:
    rng = np.random.default_rng(2)
    features, values = rng.normal(size=(6, 40)), rng.normal(size=6)
    found = left_out_residuals(features, values, [0.7])[0]
    for k in range(6):
        rest = np.delete(np.arange(6), k)
        weights, offset = ridge_by_normal_equations(features[rest], values[rest], 0.7)
        assert found[k] == pytest.approx(values[k] - features[k] @ weights - offset, rel=1e-7)


def test_ridge_chooses_the_penalty_with_the_least_left_out_error_and_fits_all_frames() -> None:
    features, labels = toy(10, noise=2.0)
    penalties = [1e-4, 1.0, 10.0, 1e4]
    probe = ridge_probe(features, labels, penalties)
    errors = np.array([[(left_out_residuals(features, c, [p])[0] ** 2).mean() for c in labels.T] for p in penalties])
    np.testing.assert_allclose(probe.left_out, errors)
    assert probe.penalty == penalties[int(np.argmin((errors / labels.var(axis=0)).mean(axis=1)))]
    for column in range(2):
        weights, offset = ridge_by_normal_equations(features, labels[:, column], probe.penalty)
        np.testing.assert_allclose(probe.weights[:, column], weights, rtol=1e-8)
        assert probe.offset[column] == pytest.approx(offset)
    np.testing.assert_allclose(probe.predict(features[:3]), features[:3] @ probe.weights + probe.offset)


def test_units_of_labels_and_a_shift_of_features_change_nothing() -> None:
    features, labels = toy(noise=1.0)
    one = ridge_probe(features, labels)
    other = ridge_probe(features + 100.0, labels * [1000.0, 1.0])
    assert other.penalty == pytest.approx(one.penalty)
    np.testing.assert_allclose(other.predict(features + 100.0), one.predict(features) * [1000.0, 1.0], rtol=1e-6)


def test_least_squares_finds_an_exact_map_and_the_least_weights() -> None:
    features, labels = toy(noise=0.0)
    np.testing.assert_allclose(linear_probe(features, labels).predict(features), labels, atol=1e-9)
    wide = np.random.default_rng(1).normal(size=(4, 30))
    probe = linear_probe(wide, labels[:4])
    np.testing.assert_allclose(probe.predict(wide), labels[:4], atol=1e-9)
    centred = wide - wide.mean(axis=0)
    np.testing.assert_allclose(probe.weights, np.linalg.pinv(centred) @ (labels[:4] - labels[:4].mean(axis=0)))


def test_labels_that_are_not_known_leave_out_only_their_frame_and_column() -> None:
    features, labels = toy(14)
    holes = labels.copy()
    holes[3, 0] = np.nan
    keep = np.delete(np.arange(14), 3)
    for make in (lambda f, y: ridge_probe(f, y, [0.1]), linear_probe, knn_probe):
        found = make(features, holes).predict(features)
        assert np.isfinite(found).all()
        np.testing.assert_allclose(found[:, 0], make(features[keep], labels[keep]).predict(features)[:, 0])
        np.testing.assert_allclose(found[:, 1], make(features, labels).predict(features)[:, 1])


def test_nearest_neighbours_by_hand() -> None:
    features = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0], [10.0, 0.0]])
    labels = np.array([[1.0], [2.0], [6.0], [100.0]])
    probe = knn_probe(features, labels, 2)
    np.testing.assert_allclose(probe.predict(np.array([[0.1, 0.0], [9.0, 0.0]])), [[1.5], [51.0]])
    np.testing.assert_allclose(knn_probe(features, labels, 9).predict(features[:1]), [[27.25]])


def test_what_does_not_fit_is_an_error() -> None:
    features, labels = toy()
    with pytest.raises(ValueError, match=r"must be \(N, D\) and \(N, L\)"):
        linear_probe(features, labels[:, 0])
    with pytest.raises(ValueError, match=r"known for 3 or more frames, got \[2, 2\]"):
        ridge_probe(features[:2], labels[:2])
    with pytest.raises(ValueError, match="penalties must be above 0"):
        ridge_probe(features, labels, [0.0])
    with pytest.raises(ValueError, match="neighbours must be 1 or more"):
        knn_probe(features, labels, 0)


def test_features_are_what_the_model_sees(make_model: Any, make_batch: Any) -> None:
    model = make_model()
    pictures = make_batch(5)[0]
    arrays = pictures.permute(0, 2, 3, 1).numpy()
    for stage in (0, -1):
        found = features_of(model, arrays, torch.device("cpu"), stage, batch=2)
        assert found.shape == (5, model.backbone.channels[stage])
        with torch.no_grad():
            np.testing.assert_allclose(found, see(model, pictures, stage).features.double().numpy(), atol=1e-5)
    assert features_of(model, arrays[:0], torch.device("cpu")).shape == (0, model.backbone.channels[-1])


def test_a_probe_learns_where_the_square_is(make_model: Any, make_batch: Any) -> None:
    model = make_model("resnet10t")
    pictures, pixels, weight, points = make_batch(60)
    labels = label_vector(model, pixels, weight, points).double().numpy()
    # An average over the picture keeps little of places, but more than nothing.
    features = features_of(model, pictures.permute(0, 2, 3, 1).numpy(), torch.device("cpu"), 0)
    probe = ridge_probe(features[:50], labels[:50])
    error = np.abs(probe.predict(features[50:]) - labels[50:]).mean()
    assert error < 0.8 * np.abs(labels[50:] - labels[:50].mean(axis=0)).mean()
