import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from sim2real.distributions import BY_NAME, Choice, Distribution, Fixed, LogUniform, Normal, Uniform

COUNT = 4000


def draws(distribution: Distribution, element: int = 0) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.array([distribution.sample(rng, element) for _ in range(COUNT)])


def test_uniform_is_uniform() -> None:
    x = draws(Uniform(-1.0, 3.0))
    assert stats.kstest(x, stats.uniform(-1, 4).cdf).pvalue > 1e-3
    assert -1 <= x.min() < -0.99
    assert 2.99 < x.max() <= 3


def test_uniform_in_steps_takes_whole_multiples() -> None:
    x = draws(Uniform(0.88, 1.12, 0.02))
    multiples = x / 0.02
    np.testing.assert_allclose(multiples, np.round(multiples), atol=1e-9)
    assert set(np.round(multiples).astype(int)) == set(range(44, 57))


def test_a_vector_is_drawn_element_by_element() -> None:
    box = Uniform((0.0, 10.0, 5.0), (1.0, 20.0, 5.0))
    assert 0 <= draws(box, 0).min() < draws(box, 0).max() <= 1
    assert 10 <= draws(box, 1).min() < draws(box, 1).max() <= 20
    assert set(draws(box, 2)) == {5.0}
    assert draws(Normal((1.0, -1.0), (0.0, 0.1)), 0).tolist() == [1.0] * COUNT
    assert draws(Normal((1.0, -1.0), (0.0, 0.1)), 1).mean() == pytest.approx(-1.0, abs=0.01)
    assert Fixed((1, 2, 3)).sample(np.random.default_rng(0), 2) == 3
    assert Fixed("none").sample(np.random.default_rng(0), 0) == "none"


def test_loguniform_is_uniform_in_the_logarithm() -> None:
    x = np.log(draws(LogUniform(0.5, 2.0)))
    assert stats.kstest(x, stats.uniform(math.log(0.5), math.log(4)).cdf).pvalue > 1e-3


@pytest.mark.parametrize("limit", [0.5, 2.5])
def test_normal_is_cut_at_its_limit(limit: float) -> None:
    x = draws(Normal(3.0, 0.2, limit))
    assert stats.kstest(x, stats.truncnorm(-limit, limit, 3.0, 0.2).cdf).pvalue > 1e-3
    assert np.abs(x - 3.0).max() <= limit * 0.2


@pytest.mark.parametrize(("weights", "shares"), [((), (1 / 3, 1 / 3, 1 / 3)), ((1.0, 0.0, 3.0), (0.25, 0.0, 0.75))])
def test_choice_by_weight(weights: tuple[float, ...], shares: tuple[float, ...]) -> None:
    x = draws(Choice(("a", "b", "c"), weights))
    for option, share in zip("abc", shares, strict=True):
        spread = math.sqrt(share * (1 - share) / COUNT)
        assert abs((x == option).mean() - share) <= 5 * spread


@pytest.mark.parametrize("name", BY_NAME)
def test_the_same_generator_gives_the_same_draw(name: str) -> None:
    one: dict[str, Distribution] = {
        "fixed": Fixed(0.3),
        "uniform": Uniform(0.0, 1.0),
        "loguniform": LogUniform(0.1, 1.0),
        "normal": Normal(0.0, 1.0),
        "choice": Choice((1, 2, 3), (0.2, 0.3, 0.5)),
    }
    assert type(one[name]) is BY_NAME[name]
    assert one[name].sample(np.random.default_rng(5), 0) == one[name].sample(np.random.default_rng(5), 0)


@pytest.mark.parametrize(
    ("distribution", "text"),
    [
        (Fixed(0.3), "fixed 0.3"),
        (Fixed((0.3, 1.0)), "fixed [0.3, 1]"),
        (Uniform(0.1, 0.9), "uniform 0.1 to 0.9"),
        (Uniform((0.0, 1.0), (2.0, 3.0), 0.5), "uniform [0, 1] to [2, 3] in steps of 0.5"),
        (LogUniform(0.1, 10.0), "log-uniform 0.1 to 10"),
        (Normal(0.0, 0.02), "normal 0 +- 0.02"),
        (Choice(("a", 2, True)), "one of 3: a, 2, True"),
        (Choice(tuple("abcdefgh")), "one of 8: a, b, c, d, ..."),
    ],
)
def test_a_distribution_can_be_read(distribution: Distribution, text: str) -> None:
    assert str(distribution) == text


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Uniform(1.0, 0.0), "uniform needs low not above high, got 1 and 0"),
        (
            lambda: Uniform((0.0, 1.0), (1.0, 0.5)),
            r"uniform needs low not above high, got \[0, 1\] and \[1, 0.5\]",
        ),
        (lambda: Uniform((0.0, 1.0), 1.0), r"uniform needs low not above high, got \[0, 1\] and 1"),
        (lambda: LogUniform(2.0, 1.0), "loguniform needs low not above high, got 2 and 1"),
        (lambda: LogUniform(0.0, 1.0), "loguniform needs low above 0, got 0"),
        (lambda: Normal(0.0, -1.0), "normal needs std of 0 or more and limit above 0, got -1.0, 2.5"),
        (lambda: Normal(0.0, (1.0, -1.0)), "normal needs std of 0 or more"),
        (lambda: Normal(0.0, 1.0, 0.0), "normal needs std of 0 or more and limit above 0, got 1.0, 0"),
        (lambda: Choice(()), "choice needs at least one option"),
        (
            lambda: Choice((1, 2), (1.0,)),
            r"choice needs one weight of 0 or more for each option, got \(1.0,\)",
        ),
        (lambda: Choice((1, 2), (1.0, -1.0)), "choice needs one weight of 0 or more"),
        (lambda: Choice((1, 2), (0.0, 0.0)), "choice needs one weight of 0 or more"),
    ],
)
def test_what_cannot_be_drawn(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
