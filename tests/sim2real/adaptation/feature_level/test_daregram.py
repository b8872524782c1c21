import numpy as np
import pytest
import torch

from sim2real.adaptation.feature_level.daregram import daregram, daregram_terms


def leading(features: np.ndarray) -> np.ndarray:
    a = np.concatenate([np.ones((len(features), 1)), features], axis=1)
    return np.linalg.eigvalsh(a.T @ a / len(a))[::-1]


def brute_force(source: np.ndarray, target: np.ndarray, k: int) -> tuple[float, float]:
    """Pseudo-inverses of the whole (D + 1) x (D + 1) Gram matrices."""
    inverses = []
    for x in (source, target):
        a = np.concatenate([np.ones((len(x), 1)), x], axis=1)
        values = leading(x)
        cut = np.sqrt(values[k - 1] * values[k]) / values[0]
        inverses.append(np.linalg.pinv(a.T @ a / len(a), rcond=cut, hermitian=True))
    lengths = np.linalg.norm(inverses[0], axis=0) * np.linalg.norm(inverses[1], axis=0)
    cosines = (inverses[0] * inverses[1]).sum(axis=0) / lengths
    return float((1 - cosines).mean()), float(np.linalg.norm(leading(source)[:k] - leading(target)[:k]) / k)


@pytest.mark.parametrize(("n", "m", "size", "k"), [(12, 9, 30, 1), (12, 9, 30, 6), (36, 36, 200, 20), (40, 30, 8, 5)])
def test_both_terms_are_those_of_the_whole_gram_matrices(draw, n, m, size, k) -> None:
    source, target = draw(n, m, size)
    found = [float(t) for t in daregram_terms(source, target, rank=k)]
    assert found == pytest.approx(brute_force(source.numpy(), target.numpy(), k), rel=1e-8)


@pytest.mark.parametrize("threshold", [0.5, 0.9, 0.99])
def test_the_threshold_is_a_share_of_the_eigenvalues_in_both_domains(draw, threshold) -> None:
    source, target = draw(20, 20, 40)
    needed = []
    for x in (source, target):
        values = leading(x.numpy())
        needed.append(next(k for k in range(1, 42) if values[:k].sum() / values.sum() >= threshold))
    by_rank = daregram_terms(source, target, rank=max(needed))
    assert [float(t) for t in daregram_terms(source, target, threshold)] == [float(t) for t in by_rank]


def test_the_sum_is_weighted(draw) -> None:
    source, target = draw(12, 9, 30)
    angle, scale = daregram_terms(source, target, 0.9)
    assert float(daregram(source, target, 0.9, 2.0, 0.5)) == pytest.approx(float(2 * angle + 0.5 * scale))


def test_the_number_of_rows_does_not_scale_it(draw) -> None:
    source, target = draw(12, 9, 30)
    twice = daregram_terms(source.repeat(2, 1), target, rank=4)
    assert [float(t) for t in twice] == pytest.approx([float(t) for t in daregram_terms(source, target, rank=4)])


def test_order_counts_for_nothing_and_a_rotation_for_nothing_in_scale(draw, rotation) -> None:
    source, target = draw(12, 9, 30)
    angle, scale = daregram_terms(source, target, 0.9)
    other = daregram_terms(source.flip(0), target.flip(0), 0.9)
    assert [float(t) for t in other] == pytest.approx([float(angle), float(scale)])
    turn = rotation(30)
    turned_angle, turned_scale = daregram_terms(source @ turn, target @ turn, 0.9)
    assert float(turned_scale) == pytest.approx(float(scale))
    assert float(turned_angle) != pytest.approx(float(angle), rel=1e-3)


@pytest.mark.parametrize("options", [{"rank": 4}, {"threshold": 0.9}, {"threshold": 1.0}])
def test_gradients_are_those_of_differences(draw, options) -> None:
    source, target = (x.requires_grad_() for x in draw(6, 5, 9))
    assert torch.autograd.gradcheck(lambda a, b: daregram_terms(a, b, **options), (source, target))


def test_equal_domains_are_0_apart_with_gradient_0(draw) -> None:
    source = draw(12, 12, 30)[0].requires_grad_()
    angle, scale = daregram_terms(source, source.detach().clone())
    assert angle.item() == pytest.approx(0.0, abs=1e-12)
    assert scale.item() == 0.0
    (gradient,) = torch.autograd.grad(angle + scale, source)
    assert float(gradient.abs().max()) < 1e-9


def test_the_gradient_is_exact_where_singular_values_are_equal() -> None:
    # Sums over pairs of signs: columns of the Gram matrix are orthogonal, so that all its eigenvalues are equal.
    signs = torch.tensor([[a, b] for a in (-1.0, 1.0) for b in (-1.0, 1.0)], dtype=torch.float64).requires_grad_()
    target = torch.tensor(np.random.default_rng(0).normal(size=(7, 2)))
    assert torch.autograd.gradcheck(lambda a: daregram_terms(a, target, rank=3)[0], (signs,))


def test_a_dead_feature_counts_as_alike_only_where_it_is_dead_in_both(draw) -> None:
    source, target = draw(12, 9, 30)
    dead_source, dead_target = source.clone(), target.clone()
    dead_source[:, 3] = dead_target[:, 3] = 0.0
    both = float(daregram_terms(dead_source, dead_target, rank=4)[0])
    without = [x[:, [c for c in range(30) if c != 3]] for x in (source, target)]
    assert both * 31 == pytest.approx(float(daregram_terms(*without, rank=4)[0]) * 30)
    assert float(daregram_terms(dead_source, dead_source, rank=4)[0]) == pytest.approx(0.0, abs=1e-12)
    # The column in one domain alone is at a right angle to that of zeros.
    one = source.clone(), source.clone()
    one[1][:, 3] = 0.0
    assert float(daregram_terms(*one, rank=4)[0]) * 31 > 1.0


def test_what_is_out_of_range_is_refused(draw) -> None:
    source, target = draw(12, 9, 30)
    with pytest.raises(ValueError, match=r"daregram needs 0 < threshold <= 1 and rank 1 or more, got 1\.5 and None"):
        daregram(source, target, 1.5)
    source[0, 0] = torch.inf
    assert bool(daregram(source, target).isnan())
