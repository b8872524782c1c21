import numpy as np
import pytest
import torch

from calibration.errors import InputError
from sim2real.adaptation.feature_level.rsd import rsd, rsd_terms


def brute_force(source: np.ndarray, target: np.ndarray) -> tuple[float, float]:
    us, ut = (np.linalg.svd(x.T, full_matrices=False)[0] for x in (source, target))
    p, cosines, qh = np.linalg.svd(us.T @ ut)
    return float(np.sqrt(1 - cosines**2).sum()), float(np.linalg.norm(np.abs(p) - np.abs(qh.T)))


def test_both_terms_are_those_of_the_definition(draw) -> None:
    source, target = draw(5, 5, 12)
    assert [float(t) for t in rsd_terms(source, target)] == pytest.approx(brute_force(source.numpy(), target.numpy()))
    first, second = rsd_terms(source, target)
    assert float(rsd(source, target, 0.3)) == pytest.approx(float(first + 0.3 * second))


@pytest.mark.parametrize("angle", [0.0, 1e-12, 1e-6, 0.3, np.pi / 2])
def test_the_sine_of_one_known_angle(angle) -> None:
    source = torch.tensor([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]], dtype=torch.float64)
    turned = [[np.cos(angle), 0.0, np.sin(angle)], [0.0, 0.5, 0.0]]
    found, _ = rsd_terms(source, torch.tensor(turned, dtype=torch.float64))
    assert float(found) == pytest.approx(0.0 if angle < 1e-9 else np.sin(angle), rel=1e-9)


def test_neither_a_common_rotation_nor_the_order_nor_the_scale_counts(draw, rotation) -> None:
    source, target = draw(5, 5, 12)
    turn = rotation(12)
    other = rsd_terms(3.0 * (source @ turn).flip(0), 0.5 * target @ turn)
    assert [float(t) for t in other] == pytest.approx([float(t) for t in rsd_terms(source, target)], rel=1e-8)


def test_a_shift_does_count(draw) -> None:
    source, target = draw(5, 5, 12)
    assert float(rsd(source + 1.0, target)) != pytest.approx(float(rsd(source, target)), rel=1e-2)


def test_gradients_are_those_of_differences(draw) -> None:
    source, target = (x.requires_grad_() for x in draw(4, 4, 7))
    assert torch.autograd.gradcheck(rsd_terms, (source, target))


def test_equal_domains_are_0_apart_with_gradient_0(draw) -> None:
    source = draw(5, 5, 12)[0].requires_grad_()
    distance, mismatch = rsd_terms(source, source.detach().clone())
    assert distance.item() == 0.0
    assert mismatch.item() == pytest.approx(0.0, abs=1e-6)
    (gradient,) = torch.autograd.grad(distance, source)
    assert float(gradient.abs().max()) < 1e-9


def test_equal_singular_values_have_a_finite_gradient() -> None:
    source, target = (torch.eye(12, dtype=torch.float64)[k : k + 4].requires_grad_() for k in (0, 2))
    rsd(source, target).backward()
    assert source.grad is not None
    assert bool(torch.isfinite(source.grad).all())


def test_batches_that_span_less_are_compared_by_what_they_span(draw) -> None:
    source, target = draw(5, 3, 12)
    repeated = target[[0, 1, 2, 0, 1]]
    shared = torch.stack([source[0], source[1], source[0]])
    assert float(rsd_terms(source[:2], shared)[0]) == pytest.approx(0.0, abs=1e-6)
    assert float(rsd_terms(source[:3], repeated)[0]) == pytest.approx(float(rsd_terms(source[:3], target)[0]))
    assert float(rsd(torch.zeros(4, 12), target.float())) == 0.0


def test_a_batch_as_large_as_the_features_is_refused(draw) -> None:
    source, target = draw(6, 4, 6)
    wanted = "rsd needs fewer pictures in a batch than features, got 6 pictures and 6 features; make the batch smaller"
    with pytest.raises(InputError, match=wanted):
        rsd(source, target)


def test_features_that_are_not_finite_make_a_loss_that_is_not(draw) -> None:
    source, target = draw(5, 5, 12)
    source[2, 3] = torch.nan
    assert bool(rsd(source, target).isnan())
