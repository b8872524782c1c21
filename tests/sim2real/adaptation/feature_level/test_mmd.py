import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist
from scipy.stats import norm

from sim2real.adaptation.feature_level.joint_mmd import joint_mmd
from sim2real.adaptation.feature_level.mmd import median_bandwidths, mmd


def kernel(x: np.ndarray, y: np.ndarray, widths: list[float]) -> float:
    squared = ((x - y) ** 2).sum()
    return float(np.mean([np.exp(-squared / (2 * s**2)) for s in widths]))


def brute_force(source, target, of_pair, unbiased: bool) -> float:
    """Sum over pairs of rows, one at a time; `of_pair` takes two (domain, row)."""
    n, m = len(source), len(target)
    total = 0.0
    for rows, size in ((source, n), (target, m)):
        pairs = [(i, j) for i in range(size) for j in range(size) if i != j or not unbiased]
        total += sum(of_pair(rows[i], rows[j]) for i, j in pairs) / len(pairs)
    return total - 2 * sum(of_pair(a, b) for a in source for b in target) / (n * m)


@pytest.mark.parametrize("unbiased", [False, True])
def test_mmd_is_the_sum_over_pairs(draw, unbiased) -> None:
    source, target = draw(5, 7, 3)
    widths = [0.5, 2.0]
    wanted = brute_force(source.numpy(), target.numpy(), lambda a, b: kernel(a, b, widths), unbiased)
    assert float(mmd(source, target, widths, unbiased=unbiased)) == pytest.approx(wanted, abs=1e-13)


@pytest.mark.parametrize("unbiased", [False, True])
def test_joint_mmd_is_the_sum_over_pairs_of_products(draw, unbiased) -> None:
    (fs, ft), (ys, yt) = draw(5, 7, 3), draw(5, 7, 2, seed=1)
    source, target = ([*zip(a.numpy(), b.numpy(), strict=True)] for a, b in ((fs, ys), (ft, yt)))
    wanted = brute_force(
        source, target, lambda a, b: kernel(a[0], b[0], [0.5, 2.0]) * kernel(a[1], b[1], [1.5]), unbiased
    )
    found = joint_mmd((fs, ys), (ft, yt), [[0.5, 2.0], [1.5]], unbiased=unbiased)
    assert float(found) == pytest.approx(wanted, abs=1e-13)


def test_mmd_of_gaussians_is_the_closed_form() -> None:
    # E k(x, y) for x - y ~ N(d, v): s / sqrt(s^2 + v) exp(-d^2 / (2 (s^2 + v))).
    quantiles = norm.ppf((np.arange(1000) + 0.5) / 1000)[:, None]
    x, y = quantiles, 0.7 + 0.5 * quantiles

    def mean(d: float, v: float) -> float:
        return float(1 / np.sqrt(1 + v) * np.exp(-(d**2) / (2 * (1 + v))))

    wanted = mean(0, 2.0) + mean(0, 0.5) - 2 * mean(0.7, 1.25)
    assert float(mmd(torch.from_numpy(x), torch.from_numpy(y), [1.0], unbiased=False)) == pytest.approx(
        wanted, abs=1e-3
    )


def test_joint_mmd_sees_what_marginals_hide() -> None:
    x = torch.tensor([[-1.0], [1.0]]).repeat(20, 1)
    assert float(joint_mmd((x, x), (x, -x))) > 0.1
    assert float(mmd(x, x)) == 0.0
    assert float(mmd(x, -x)) == pytest.approx(0.0, abs=1e-7)


def test_the_bandwidths_are_multiples_of_the_median_distance(draw) -> None:
    source, target = draw(6, 8, 3)
    wanted = np.median(pdist(np.concatenate([source, target])))
    np.testing.assert_allclose(median_bandwidths(source, target, (0.5, 1.0)), [0.5 * wanted, wanted], rtol=1e-12)


def test_the_bandwidth_follows_the_units_and_carries_no_gradient(draw) -> None:
    source, target = draw(6, 8, 3)
    assert float(mmd(1000 * source, 1000 * target)) == pytest.approx(float(mmd(source, target)), rel=1e-9)
    source.requires_grad_()
    fixed = median_bandwidths(source, target)
    assert not fixed.requires_grad
    (chosen,) = torch.autograd.grad(mmd(source, target), source)
    (given,) = torch.autograd.grad(mmd(source, target, fixed), source)
    assert torch.equal(chosen, given)


def test_the_gradient_is_that_of_differences(draw) -> None:
    source, target = (x.requires_grad_() for x in draw(4, 5, 3))
    assert torch.autograd.gradcheck(lambda a, b: mmd(a, b, [1.0, 3.0]), (source, target))


def test_neither_rotation_nor_shift_nor_order_changes_mmd(draw, rotation) -> None:
    source, target = draw(6, 8, 3)
    turn = rotation(3)
    other = mmd((source @ turn).flip(0) + 3.0, target @ turn + 3.0)
    assert float(other) == pytest.approx(float(mmd(source, target)), rel=1e-9)
    outputs = source[:, :2], target[:, :2]
    both = joint_mmd((source, outputs[0]), (target, outputs[1]))
    turned = joint_mmd(((source @ turn).flip(0), outputs[0].flip(0)), (target @ turn, outputs[1]))
    assert float(turned) == pytest.approx(float(both), rel=1e-9)


def test_the_unbiased_one_is_not_clipped(draw) -> None:
    found = [float(mmd(*(torch.chunk(draw(20, 1, 3, seed)[0], 2)), unbiased=True)) for seed in range(20)]
    assert min(found) < 0 < max(found)
    assert abs(np.mean(found)) < 2 * np.std(found) / np.sqrt(20)


def test_layers_must_be_as_many_in_both_domains(draw) -> None:
    source, target = draw(6, 8, 3)
    with pytest.raises(ValueError, match=r"joint_mmd needs as many layers of each domain \(and bandwidths\), got"):
        joint_mmd((source, source), (target,))
    with pytest.raises(ValueError, match=r"mmd needs at least 2 rows of each domain, got \(1, 3\) and \(8, 3\)"):
        mmd(source[:1], target, unbiased=True)
