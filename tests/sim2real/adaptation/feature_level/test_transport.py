import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment, minimize

from sim2real.adaptation.feature_level.transport import JointTransport, joint_cost, sinkhorn, sliced_wasserstein
from sim2real.adaptation.seen import Seen


def random_cost(n: int, m: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).uniform(size=(n, m)))


def seen(features: torch.Tensor, output: torch.Tensor) -> Seen:
    return Seen((features[:, :, None, None],), features, output, output)


def test_the_plan_has_the_marginals_and_the_form_of_the_optimum() -> None:
    cost = random_cost(4, 5)
    a, b = torch.tensor([0.1, 0.2, 0.3, 0.4]).double(), torch.full((5,), 0.2).double()
    plan = sinkhorn(cost, a, b, epsilon=0.1, iterations=500)
    assert torch.allclose(plan.sum(1), a, atol=1e-9)
    assert torch.allclose(plan.sum(0), b, atol=1e-12)
    # Optimal if and only if log(P / (a b)) + cost / epsilon is a column plus a row.
    dual = torch.log(plan / (a[:, None] * b)) + cost / 0.1
    assert torch.allclose(dual, dual[:, :1] + dual[:1] - dual[0, 0], atol=1e-9)


def test_a_two_by_two_plan_is_the_closed_form() -> None:
    plan = sinkhorn(torch.tensor([[0.0, 1.0], [1.0, 0.0]]), epsilon=0.5)
    stays = 0.5 / (1 + np.exp(-2.0))
    np.testing.assert_allclose(plan, [[stays, 0.5 - stays], [0.5 - stays, stays]], atol=1e-6)


def test_a_small_epsilon_gives_the_assignment() -> None:
    cost = random_cost(6, 6)
    plan = sinkhorn(cost, epsilon=1e-3, iterations=3000)
    rows, columns = linear_sum_assignment(cost.numpy())
    assert float((plan * cost).sum()) == pytest.approx(cost.numpy()[rows, columns].mean(), rel=1e-4)
    assert bool(torch.isfinite(sinkhorn(1e6 * cost, epsilon=1e-3)).all())


def test_an_unbalanced_plan_is_the_minimum_of_its_objective() -> None:
    cost, a, b = random_cost(3, 2).numpy(), np.array([0.5, 0.3, 0.2]), np.array([0.7, 0.6])
    epsilon, rho = 0.2, 0.6

    def kl(p: np.ndarray, q: np.ndarray) -> float:
        return float((p * np.log(p / q) - p + q).sum())

    def objective(log_plan: np.ndarray) -> float:
        plan = np.exp(log_plan).reshape(3, 2)
        soft = rho * (kl(plan.sum(1), a) + kl(plan.sum(0), b))
        return float((plan * cost).sum()) + epsilon * kl(plan, np.outer(a, b)) + soft

    wanted = np.exp(minimize(objective, np.log(np.outer(a, b)).ravel(), options={"gtol": 1e-8}).x).reshape(3, 2)
    found = sinkhorn(torch.from_numpy(cost), torch.from_numpy(a), torch.from_numpy(b), epsilon, 500, rho)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_a_picture_without_mass_or_counterpart_is_left_alone() -> None:
    cost = torch.tensor([[0.0, 9.0], [0.0, 9.0]])
    assert sinkhorn(cost, a=torch.tensor([1.0, 0.0]), epsilon=0.1)[1].tolist() == [0.0, 0.0]
    assert sinkhorn(cost, epsilon=0.1)[:, 1].sum() == pytest.approx(0.5)
    assert sinkhorn(cost, epsilon=0.1, marginal_penalty=0.5)[:, 1].sum() < 0.01


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"epsilon": 0.0},
            "needs epsilon and marginal_penalty above 0 and iterations 1 or more, got 0.0, None and 100",
        ),
        ({"a": torch.ones(3)}, r"needs 2 and 2 masses of 0 or more, got \(3,\) and \(2,\)"),
        ({"a": torch.ones(2)}, "needs equal masses on both sides, got 2 and 1"),
    ],
)
def test_what_does_not_fit_is_refused(options, message) -> None:
    with pytest.raises(ValueError, match=f"sinkhorn {message}"):
        sinkhorn(torch.zeros(2, 2), **options)


def test_one_dimension_pairs_quantiles() -> None:
    source, target = torch.tensor([[3.0], [1.0]]), torch.tensor([[2.0], [6.0]])
    assert float(sliced_wasserstein(source, target)) == pytest.approx((1 + 9) / 2)
    # Three against two: each third of the one lies over parts of both halves of the other.
    three = torch.tensor([[0.0], [3.0], [6.0]])
    wanted = (1 / 3) * 1 + (1 / 6) * 4 + (1 / 6) * 4 + (1 / 3) * 1
    assert float(sliced_wasserstein(three, torch.tensor([[1.0], [5.0]]))) == pytest.approx(wanted)


def test_the_sliced_distance_of_a_shift_is_its_mean_share_of_a_direction(draw) -> None:
    source, _ = draw(30, 30, 4)
    shift = torch.tensor([1.0, -2.0, 0.0, 0.5], dtype=torch.float64)
    found = float(sliced_wasserstein(source, source + shift, directions=4000))
    assert found == pytest.approx(float((shift**2).sum()) / 4, rel=0.05)


def test_the_sliced_distance_is_seeded_and_does_not_change_with_repetition(draw) -> None:
    source, target = draw(5, 4, 3)
    one = float(sliced_wasserstein(source, target, seed=1))
    assert one == float(sliced_wasserstein(source.flip(0), target, seed=1)) != float(sliced_wasserstein(source, target))
    assert float(sliced_wasserstein(source.repeat(3, 1), target.repeat(2, 1), seed=1)) == pytest.approx(one)
    assert float(sliced_wasserstein(source, source)) == 0.0
    inputs = source.requires_grad_(), target.requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: sliced_wasserstein(a, b, 3), inputs)


def test_the_joint_cost_is_that_of_each_pair_without_unknown_labels(draw) -> None:
    (fs, ft), (ys, yt) = draw(3, 4, 5), draw(3, 4, 2, seed=1)
    ys[0, 1] = ys[2, 0] = ys[2, 1] = torch.nan
    found = joint_cost(fs, ft, ys, yt, 0.5, 2.0)
    for i in range(3):
        for j in range(4):
            wanted = 0.5 * float(((fs[i] - ft[j]) ** 2).sum()) + 2.0 * float(np.nansum((ys[i] - yt[j]).numpy() ** 2))
            assert float(found[i, j]) == pytest.approx(wanted)


def test_target_outputs_are_pulled_to_the_labels_of_alike_features() -> None:
    features = torch.tensor([[0.0, 0.0], [10.0, 0.0]])
    labels = torch.tensor([[-1.0], [1.0]])
    outputs = torch.zeros(2, 1, requires_grad=True)
    loss = JointTransport()(seen(features, labels), seen(features.flip(0), outputs), labels, 1.0)
    (gradient,) = torch.autograd.grad(loss, outputs)
    # Downhill: the first target picture looks like the second of the source, so that its output rises.
    assert gradient[0] < -0.5 < 0.5 < gradient[1]


@pytest.mark.gpu
def test_a_gpu_finds_the_same_distances(draw) -> None:
    source, target = draw(5, 4, 3)
    wanted = sliced_wasserstein(source, target).item()
    assert sliced_wasserstein(source.cuda(), target.cuda()).item() == pytest.approx(wanted)
    cost = random_cost(5, 4)
    assert torch.allclose(sinkhorn(cost.cuda()).cpu(), sinkhorn(cost))
