"""Free numbers of one group that bring drawings nearest to what was recorded."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize

from sim2real.gap.diagnosis.groups import Float, Group

Cost = Callable[[Float], float]

# Starts drawn about nominal, and evaluations of the descent: so many, and so many more for each number.
_STARTS, _STARTS_EACH, _STEPS, _STEPS_EACH = 8, 4, 20, 6
_SPREAD = 0.5


def search(group: Group, cost: Cost, rng: np.random.Generator, start: Float | None = None) -> tuple[Float, float]:
    """Return the best numbers (size,) found and their cost.

    Costs of rendered pictures have flat and rugged places, so nominal and draws about it are tried first, and the best
    is improved without derivatives (Nelder and Mead 1965).

    Args:
        group: whose numbers.
        cost: of numbers; lower is better.
        rng: of the starts.
        start: numbers to improve, in place of trying others.
    """
    if start is None:
        tried = [np.zeros(group.size), *rng.normal(size=(_STARTS + _STARTS_EACH * group.size, group.size))]
        costs = [cost(u) for u in tried]
        start = tried[int(np.argmin(costs))]
    simplex = np.vstack([start, start + _SPREAD * np.eye(group.size)])
    evaluations = _STEPS + _STEPS_EACH * group.size
    options = {"maxfev": evaluations, "initial_simplex": simplex, "xatol": 1e-3, "fatol": 1e-3}
    found = minimize(cost, start, method="Nelder-Mead", options=options)
    return np.asarray(found.x, np.float64), float(found.fun)
