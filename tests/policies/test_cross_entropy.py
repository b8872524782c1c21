import numpy as np

from policies.scripted.cross_entropy import SearchState, improve, propose


def search(rounds: int, seed: int) -> SearchState:
    best = np.array([0.2, 0.9, 0.5, 0.65])
    rng = np.random.default_rng(seed)
    state = SearchState(np.full(4, 0.5), np.full(4, 0.3))
    for _ in range(rounds):
        candidates = propose(state, 40, rng)
        assert ((candidates >= 0) & (candidates <= 1)).all()
        np.testing.assert_array_equal(candidates[0], np.clip(state.mean, 0, 1))
        state = improve(state, candidates, -(((candidates - best) * [1, 1, 1, 0.5]) ** 2).sum(axis=1))
    np.testing.assert_allclose(state.mean, best, atol=0.05)
    return state


def test_the_maximum_of_a_quadratic_is_found_and_the_spread_stays_above_its_floor() -> None:
    one, same, other = search(15, 0), search(15, 0), search(15, 1)
    np.testing.assert_array_equal(one.mean, same.mean)
    assert not np.array_equal(one.mean, other.mean)
    assert (one.std > 0.02).all()
    assert (one.std < 0.1).all()


def test_only_the_best_candidates_count_and_a_share_of_the_old_stays() -> None:
    candidates = np.linspace(0, 1, 8)[:, None]
    state = improve(SearchState(np.zeros(1), np.ones(1)), candidates, np.arange(8.0))
    # A quarter of eight: 6/7 and 1.
    np.testing.assert_allclose(state.mean, 0.8 * 13 / 14)
    np.testing.assert_allclose(state.std, 0.2 + 0.8 / 14 + 0.02)
