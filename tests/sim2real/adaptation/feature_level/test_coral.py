import numpy as np
import pytest
import torch

from sim2real.adaptation.feature_level.coral import coral_loss, coral_map


def test_the_loss_is_the_difference_of_covariances(draw) -> None:
    source, target = draw(9, 14, 5)
    difference = np.cov(source.numpy().T) - np.cov(target.numpy().T)
    assert float(coral_loss(source, target)) == pytest.approx((difference**2).sum() / (4 * 25), rel=1e-12)


def test_two_variances_have_a_loss_known_by_hand() -> None:
    source, target = torch.tensor([[-1.0], [1.0]]), torch.tensor([[-3.0], [3.0]])
    assert float(coral_loss(source, target)) == pytest.approx((18 - 2) ** 2 / 4)


def test_neither_rotation_nor_shift_nor_order_changes_the_loss(draw, rotation) -> None:
    source, target = draw(9, 14, 5)
    turn = rotation(5)
    other = coral_loss((source @ turn).flip(0) + 3.0, target @ turn - 2.0)
    assert float(other) == pytest.approx(float(coral_loss(source, target)), rel=1e-10)


def test_the_gradient_is_that_of_differences(draw) -> None:
    source, target = (x.requires_grad_() for x in draw(6, 7, 3))
    assert torch.autograd.gradcheck(coral_loss, (source, target))


@pytest.mark.parametrize("direction", ["target_to_source", "source_to_target"])
def test_the_map_gives_features_the_other_domains_mean_and_covariance(draw, direction) -> None:
    source, target = draw(60, 80, 6)
    moved, kept = (target, source) if direction == "target_to_source" else (source, target)
    mapped = coral_map(source, target, 0.0, direction)(moved)
    np.testing.assert_allclose(mapped.mean(0), kept.mean(0), atol=1e-12)
    np.testing.assert_allclose(np.cov(mapped.numpy().T), np.cov(kept.numpy().T), atol=1e-10)


def test_the_map_is_made_of_symmetric_square_roots(draw) -> None:
    source, target = draw(40, 50, 4)
    ridge = 0.3

    def power(x: torch.Tensor, exponent: float) -> np.ndarray:
        values, vectors = np.linalg.eigh(np.cov(x.numpy().T) + ridge * np.eye(4))
        return vectors @ np.diag(values**exponent) @ vectors.T

    found = coral_map(source, target, ridge)
    np.testing.assert_allclose(found.matrix, power(target, -0.5) @ power(source, 0.5), atol=1e-12)


def test_the_map_turns_with_the_features(draw, rotation) -> None:
    source, target = draw(40, 50, 4)
    turn = rotation(4)
    plain, turned = coral_map(source, target, 0.1), coral_map(source @ turn, target @ turn, 0.1)
    np.testing.assert_allclose(turned(target @ turn), plain(target) @ turn, atol=1e-10)


def test_equal_domains_map_to_themselves_also_with_fewer_rows_than_features(draw) -> None:
    source, _ = draw(5, 5, 8)
    np.testing.assert_allclose(coral_map(source, source, 0.1)(source), source, atol=1e-12)


def test_the_map_folds_into_a_linear_layer(draw) -> None:
    source, target = draw(40, 50, 4)
    found = coral_map(source, target, 0.1)
    layer = torch.nn.Linear(4, 3).double()
    folded = target @ (layer.weight @ found.matrix.T).T + layer.weight @ found.offset + layer.bias
    assert torch.allclose(folded, layer(found(target)), atol=1e-12)


def test_float32_features_come_back_as_float32(draw) -> None:
    source, target = (x.float() for x in draw(20, 20, 4))
    assert coral_map(source, target, 0.1)(target).dtype == torch.float32
    assert coral_loss(source, target).dtype == torch.float32


@pytest.mark.parametrize(
    ("ridge", "message"), [(0.0, "fewer than 8 directions: .*; use a larger ridge"), (-1.0, "ridge 0 or more, got -1")]
)
def test_a_singular_covariance_needs_a_ridge(draw, ridge, message) -> None:
    source, target = draw(5, 5, 8)
    with pytest.raises(ValueError, match=message):
        coral_map(source, target, ridge)


def test_one_row_has_no_covariance(draw) -> None:
    source, target = draw(1, 5, 3)
    with pytest.raises(ValueError, match=r"coral_loss needs at least 2 rows of each domain, got \(1, 3\) and \(5, 3\)"):
        coral_loss(source, target)
    with pytest.raises(ValueError, match=r"coral_loss needs features \(N, D\)"):
        coral_loss(target, target[:, :2])
