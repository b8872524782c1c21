"""Optimal transport between batches: Sinkhorn plans, sliced Wasserstein distance, features paired with labels."""

from __future__ import annotations

import torch

from sim2real.adaptation.feature_level.alignment import Alignment, check_features
from sim2real.adaptation.feature_level.mmd import squared_distances
from sim2real.adaptation.seen import Seen

_ITERATIONS = 100


def sinkhorn(
    cost: torch.Tensor,
    a: torch.Tensor | None = None,
    b: torch.Tensor | None = None,
    epsilon: float = 0.05,
    iterations: int = _ITERATIONS,
    marginal_penalty: float | None = None,
) -> torch.Tensor:
    """Return the plan P (N, M) that minimizes <P, cost> + epsilon KL(P | a b^T).

    Cuturi 2013, in the log domain, so that a small epsilon does not underflow. With `marginal_penalty` rho the
    marginals are not fixed: rho KL(P 1 | a) + rho KL(P^T 1 | b) is added instead (Chizat et al. 2018), so that what
    has no counterpart stays where it is. After too few iterations the columns of a balanced plan add up to b and its
    rows not quite to a.

    Args:
        cost: (N, M).
        a: (N,), masses of the rows, 0 or more; None: 1 / N each.
        b: (M,), of the columns; None: 1 / M each. The same total as a, unless there is a penalty.
        epsilon: above 0, in units of the cost.
        iterations: 1 or more.
        marginal_penalty: rho, above 0; None: marginals are fixed.

    Raises:
        ValueError: a value out of range, or masses that do not fit.
    """
    n, m = cost.shape
    c = cost.double()
    a = c.new_full((n,), 1 / n) if a is None else a.to(c)
    b = c.new_full((m,), 1 / m) if b is None else b.to(c)
    of_a, of_b = float(a.detach().sum()), float(b.detach().sum())
    rho = torch.inf if marginal_penalty is None else marginal_penalty
    if epsilon <= 0 or iterations < 1 or rho <= 0:
        raise ValueError(
            f"sinkhorn needs epsilon and marginal_penalty above 0 and iterations 1 or more, got {epsilon}, "
            f"{marginal_penalty} and {iterations}"
        )
    if a.shape != (n,) or b.shape != (m,) or bool((a < 0).any() or (b < 0).any()):
        raise ValueError(f"sinkhorn needs {n} and {m} masses of 0 or more, got {tuple(a.shape)} and {tuple(b.shape)}")
    if marginal_penalty is None and abs(of_a - of_b) > 1e-6 * of_a:
        raise ValueError(f"sinkhorn needs equal masses on both sides, got {of_a:g} and {of_b:g}")
    damping = 1.0 if marginal_penalty is None else rho / (rho + epsilon)
    log_a, log_b, scaled = a.log(), b.log(), -c / epsilon
    g = torch.zeros_like(log_b)
    for _ in range(iterations):
        f = -damping * torch.logsumexp(scaled + (g + log_b)[None, :], dim=1)
        g = -damping * torch.logsumexp(scaled + (f + log_a)[:, None], dim=0)
    return torch.exp(scaled + (f + log_a)[:, None] + (g + log_b)[None, :]).to(cost.dtype)


def sliced_wasserstein(source: torch.Tensor, target: torch.Tensor, directions: int = 64, seed: int = 0) -> torch.Tensor:
    """Return the mean over random directions of the squared 2-Wasserstein distance of projections.

    Bonneel et al. 2015. In one dimension transport pairs quantiles, also of batches of different sizes. Directions are
    drawn evenly on the sphere from the seed.

    Args:
        source: (N, D).
        target: (M, D).
        directions: 1 or more.
        seed: of the directions.

    Raises:
        ValueError: other shapes.
    """
    check_features("sliced_wasserstein", source, target)
    drawn = torch.randn(source.shape[1], directions, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    axes = (drawn / drawn.norm(dim=0)).to(source.device)
    x, y = ((z.double() @ axes).sort(dim=0).values for z in (source, target))
    n, m = len(x), len(y)
    # Quantile functions are steps that end at multiples of 1 / n and 1 / m, here counted in 1 / (n m).
    ends = torch.tensor(sorted({*range(m, n * m + 1, m), *range(n, n * m + 1, n)}))
    starts = torch.nn.functional.pad(ends[:-1], (1, 0))
    share = ((ends - starts).double() / (n * m)).to(source.device)
    difference = x[(starts // m).to(source.device)] - y[(starts // n).to(source.device)]
    squared: torch.Tensor = (share[:, None] * difference**2).sum(dim=0)
    return squared.mean().to(source.dtype)


def joint_cost(
    source_features: torch.Tensor,
    target_features: torch.Tensor,
    labels: torch.Tensor,
    outputs: torch.Tensor,
    feature_weight: float | torch.Tensor = 1.0,
    label_weight: float | torch.Tensor = 1.0,
) -> torch.Tensor:
    """Return the cost (N, M) of pairing each source picture with each target picture.

    Damodaran et al. 2018 (DeepJDOT): feature_weight ||f_i - f_j||^2 + label_weight ||y_i - h(x_j)||^2,
    where a NaN of a label counts for nothing.

    Args:
        source_features: (N, D).
        target_features: (M, D).
        labels: (N, L), of the source.
        outputs: (M, L), what the head says of the target.
        feature_weight: of squared distances of features.
        label_weight: of squared distances of labels.
    """
    check_features("joint_cost", source_features, target_features)
    check_features("joint_cost (labels and outputs)", labels, outputs)
    counted = torch.isfinite(labels)
    known = torch.where(counted, labels, 0.0)[:, None, :]
    apart = ((known - outputs[None, :, :]) ** 2 * counted[:, None, :]).sum(dim=2)
    return feature_weight * squared_distances(source_features, target_features) + label_weight * apart


class JointTransport(Alignment):
    """DeepJDOT (Damodaran et al. 2018): pull paired features together, and the target's outputs to the paired labels.

    The plan carries no gradient. Squared distances of features are divided by their mean, those of labels by the
    number of coordinates, so that neither weight depends on the network; epsilon is a share of the mean cost. The plan
    is blurred by epsilon, so that the loss is above 0 for equal domains.
    """

    def __init__(
        self,
        feature_weight: float = 1.0,
        label_weight: float = 1.0,
        epsilon: float = 0.05,
        marginal_penalty: float | None = None,
    ) -> None:
        """Keep the settings; a marginal penalty, a share of the mean cost, lets pictures go without a counterpart."""
        super().__init__()
        self.feature_weight = feature_weight
        self.label_weight = label_weight
        self.epsilon = epsilon
        self.marginal_penalty = marginal_penalty

    def forward(self, source: Seen, target: Seen, labels: torch.Tensor, strength: float) -> torch.Tensor:
        """Return the cost of the plan times `strength`."""
        x, y = source.features.double(), target.features.double()
        mean = squared_distances(x, y).mean().detach()
        unit = torch.where(mean > 0, mean, 1.0)
        label_weight = self.label_weight / labels.shape[1]
        cost = joint_cost(x, y, labels.double(), target.output.double(), self.feature_weight / unit, label_weight)
        with torch.no_grad():
            level = max(float(cost.mean()), torch.finfo(torch.float32).tiny)
            penalty = None if self.marginal_penalty is None else self.marginal_penalty * level
            plan = sinkhorn(cost, epsilon=self.epsilon * level, marginal_penalty=penalty)
        return strength * (plan * cost).sum().to(source.features.dtype)
