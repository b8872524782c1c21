"""Seeing against moving, where the answer is known."""

import numpy as np
import pytest

from sim2real.gap.policies.split import FourWays, seeing_and_moving


def ways(state: float, seen: float, target_state: float, target_seen: float, starts: int = 100) -> FourWays:
    def side(rate: float) -> np.ndarray:
        return np.arange(starts) < round(rate * starts)

    both = [np.stack([side(r), side(r)]) for r in (target_state, target_seen)]
    return FourWays(side(state), side(seen), *both)


def test_each_has_what_it_costs() -> None:
    shares = {s.group: s for s in seeing_and_moving(ways(1.0, 1.0, 0.6, 0.6)).shares}
    assert shares["moving"].explained.value == pytest.approx(0.4)
    assert shares["seeing"].explained.value == pytest.approx(0.0)
    shares = {s.group: s for s in seeing_and_moving(ways(1.0, 0.7, 1.0, 0.7)).shares}
    assert shares["moving"].explained.value == pytest.approx(0.0)
    assert shares["seeing"].explained.value == pytest.approx(0.3)


def test_moving_alone_and_seeing_last_are_the_whole_loss() -> None:
    found = seeing_and_moving(ways(0.95, 0.85, 0.7, 0.4))
    shares = {s.group: s for s in found.shares}
    assert shares["moving"].alone == pytest.approx(0.25)
    assert shares["seeing"].last == pytest.approx(0.3)
    assert found.gap.value == pytest.approx(0.55)
    assert sum(s.explained.value for s in found.shares) == pytest.approx(found.gap.value)
    assert found.rest == pytest.approx(0.0)
    assert found.gap.low > 0
