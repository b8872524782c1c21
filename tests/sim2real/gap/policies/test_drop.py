"""The loss of success and its interval."""

import numpy as np
import pytest

from policies.evaluation import success_rate
from sim2real.gap.policies.drop import drop, with_fewer


def successes(*counts: int, of: int = 40) -> np.ndarray:
    return np.arange(of) < np.array(counts)[:, None]


def test_the_drop_is_the_difference_of_rates() -> None:
    (source,), target = successes(36), successes(20, 22, 24, 22)
    found = drop(source, target)
    assert found.value == pytest.approx(36 / 40 - 88 / 160)
    assert found.low > 0
    # Two stations that differ say little of a third one.
    assert drop(source, successes(12, 32)).low < 0
    assert drop(source, source[None]).value == 0.0


def test_where_all_ended_alike_there_is_still_doubt() -> None:
    (source,), target = successes(40), successes(40, 40)
    found = drop(source, target)
    # Newcombe, of independent proportions since nothing varies: the ends of Wilson's intervals of 40 and of 80.
    assert found.low == pytest.approx(-(1 - success_rate(40, 40).low))
    assert found.high == pytest.approx(1 - success_rate(80, 80).low)


def test_pairs_tell_more_than_proportions_alone() -> None:
    rng = np.random.default_rng(0)
    source = rng.random(200) < 0.5
    paired = source & (rng.random((1, 200)) < 0.9)
    shuffled = rng.permutation(paired[0])[None]
    one, two = drop(source, paired), drop(source, shuffled)
    assert one.value == pytest.approx(two.value)
    assert one.high - one.low < 0.6 * (two.high - two.low)


def test_the_interval_covers_other_starts_and_stations() -> None:
    rng = np.random.default_rng(1)
    covered, draws = 0, 400
    for _ in range(draws):
        # Every start is hard or easy everywhere, every station has a level of its own.
        hard, level = rng.normal(0, 1, 60), rng.normal(0.8, 0.4, 6)
        source = rng.normal(0, 1, 60) < 1.0 - hard
        target = rng.normal(0, 1, (6, 60)) < 1.0 - hard - level[:, None]
        found = drop(source, target)
        covered += found.low <= TRUTH <= found.high
    assert covered / draws > 0.93


def _truth() -> float:
    rng = np.random.default_rng(2)
    hard, level, noise = rng.normal(0, 1, 10**6), rng.normal(0.8, 0.4, 10**6), rng.normal(0, 1, (2, 10**6))
    return float((noise[0] < 1.0 - hard).mean() - (noise[1] < 1.0 - hard - level).mean())


TRUTH = _truth()


def test_fewer_episodes_tell_less() -> None:
    rng = np.random.default_rng(3)
    source, target = rng.random(80) < 0.9, rng.random((4, 80)) < 0.72
    few = with_fewer(source, target, 0, (10, 25, 75, 500))
    assert [f.episodes for f in few] == [10, 25, 75, 80]
    halves = [f.drop_half for f in few]
    assert halves == sorted(halves, reverse=True)
    assert few[0].told < few[1].told <= 1.0
    whole = drop(source, target)
    assert few[-1].drop_half == pytest.approx((whole.high - whole.low) / 2)
    assert few[-1].told == float(whole.low > 0)
    assert few[-1].draws == 1
    assert few == with_fewer(source, target, 0, (10, 25, 75))


def test_other_starts_are_refused() -> None:
    with pytest.raises(ValueError, match=r"target must be \(stations, 40\) beside source"):
        drop(successes(3)[0], successes(3, of=20))
