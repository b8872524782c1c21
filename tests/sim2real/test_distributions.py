import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from sim2real.directions import planck_rgb
from sim2real.distributions import (
    BY_NAME,
    Bernoulli,
    Beta,
    Choice,
    Direction,
    Distribution,
    Fixed,
    LogNormal,
    LogUniform,
    Normal,
    Temperature,
    Triangular,
    TruncatedNormal,
    Uniform,
)

COUNT = 4000
EXAMPLES: dict[str, Distribution] = {
    "fixed": Fixed(0.3),
    "uniform": Uniform(0.0, 1.0),
    "loguniform": LogUniform(0.1, 1.0),
    "normal": Normal(0.0, 1.0),
    "truncated_normal": TruncatedNormal(0.0, 1.0, -0.5, 2.0),
    "lognormal": LogNormal(1.0, 0.5),
    "beta": Beta(2.0, 5.0),
    "triangular": Triangular(0.0, 0.2, 1.0),
    "bernoulli": Bernoulli(0.4),
    "choice": Choice((1, 2, 3), (0.2, 0.3, 0.5)),
    "direction": Direction(),
    "temperature": Temperature(2700.0, 6500.0),
}


def draws(distribution: Distribution, elements: int = 1) -> np.ndarray:
    return distribution.quantile(np.random.default_rng(0).random((COUNT, elements)))


@pytest.mark.parametrize(
    ("distribution", "same"),
    [
        (Uniform(-1.0, 3.0), stats.uniform(-1, 4)),
        (LogUniform(0.5, 2.0), stats.loguniform(0.5, 2.0)),
        (Normal(3.0, 0.2, 0.5), stats.truncnorm(-0.5, 0.5, 3.0, 0.2)),
        (Normal(3.0, 0.2), stats.truncnorm(-2.5, 2.5, 3.0, 0.2)),
        (TruncatedNormal(1.0, 2.0, 0.0, 2.5), stats.truncnorm(-0.5, 0.75, 1.0, 2.0)),
        # Far out, where the cumulative probability of the whole normal is 1 to the last bit.
        (TruncatedNormal(0.0, 1.0, 9.0, 10.0), stats.truncnorm(9.0, 10.0)),
        (TruncatedNormal(0.0, 1.0, -10.0, -9.0), stats.truncnorm(-10.0, -9.0)),
        (LogNormal(2.0, 0.4, 30.0), stats.lognorm(0.4, scale=2.0)),
        (Beta(2.0, 0.7, -1.0, 3.0), stats.beta(2.0, 0.7, -1.0, 4.0)),
        (Triangular(-1.0, 0.5, 3.0), stats.triang(1.5 / 4, -1.0, 4.0)),
        (Triangular(0.0, 0.0, 1.0), stats.triang(0.0)),
        (Triangular(0.0, 1.0, 1.0), stats.triang(1.0)),
    ],
)
def test_quantiles_are_those_of_scipy(distribution: Distribution, same: Any) -> None:
    u = np.concatenate([[1e-6, 1e-3], np.linspace(0.01, 0.99, 99), [1 - 1e-3, 1 - 1e-6]])
    np.testing.assert_allclose(distribution.quantile(u[:, None])[:, 0], same.ppf(u), rtol=1e-7, atol=1e-9)
    x = draws(distribution)[:, 0]
    assert stats.kstest(x, same.cdf).pvalue > 1e-3
    assert x.mean() == pytest.approx(same.mean(), abs=5 * same.std() / math.sqrt(COUNT))
    edge = distribution.quantile(np.array([[2.0**-53], [1 - 2.0**-53]]))
    assert np.isfinite(edge).all()
    assert same.support()[0] - 1e-12 <= edge.min() <= edge.max() <= same.support()[1] + 1e-12


def test_uniform_in_steps_takes_whole_multiples() -> None:
    x = draws(Uniform(0.88, 1.12, 0.02))
    multiples = x / 0.02
    np.testing.assert_allclose(multiples, np.round(multiples), atol=1e-9)
    assert set(np.round(multiples).astype(int).ravel()) == set(range(44, 57))


def test_a_vector_is_drawn_element_by_element() -> None:
    box = draws(Uniform((0.0, 10.0, 5.0), (1.0, 20.0, 5.0)), 3)
    assert stats.kstest(box[:, 0], stats.uniform(0, 1).cdf).pvalue > 1e-3
    assert stats.kstest(box[:, 1], stats.uniform(10, 10).cdf).pvalue > 1e-3
    assert set(box[:, 2]) == {5.0}
    pair = draws(Normal((1.0, -1.0), (0.0, 0.1)), 2)
    assert set(pair[:, 0]) == {1.0}
    assert pair[:, 1].mean() == pytest.approx(-1.0, abs=0.01)
    assert draws(Fixed((1, 2, 3)), 3)[0].tolist() == [1, 2, 3]
    assert draws(Fixed("none"))[0].tolist() == ["none"]


@pytest.mark.parametrize(("weights", "shares"), [((), (1 / 3, 1 / 3, 1 / 3)), ((1.0, 0.0, 3.0), (0.25, 0.0, 0.75))])
def test_choice_by_weight(weights: tuple[float, ...], shares: tuple[float, ...]) -> None:
    x = draws(Choice(("a", "b", "c"), weights))
    for option, share in zip("abc", shares, strict=True):
        assert abs((x == option).mean() - share) <= 5 * math.sqrt(share * (1 - share) / COUNT)


def test_choice_never_takes_what_has_no_weight_and_takes_vectors_whole() -> None:
    ends = np.array([[2.0**-53], [1 - 2.0**-53], [1.0]])
    assert Choice(("a", "b", "c", "d"), (0.0, 1.0, 1.0, 0.0)).quantile(ends).ravel().tolist() == ["b", "c", "c"]
    colours = ((1.0, 0.0, 0.0), (0.0, 0.5, 0.5))
    assert set(map(tuple, draws(Choice(colours), 3))) == set(colours)


def test_bernoulli_is_true_as_often_as_it_says() -> None:
    x = draws(Bernoulli(0.3))
    assert set(x.ravel().tolist()) == {True, False}
    assert all(type(v) is bool for v in x.ravel().tolist())
    assert abs(x.astype(float).mean() - 0.3) < 5 * math.sqrt(0.21 / COUNT)
    assert not draws(Bernoulli(0.0)).any()
    assert draws(Bernoulli(1.0)).all()


@pytest.mark.parametrize("cap", [0.3, 1.2, math.pi])
@pytest.mark.parametrize("middle", [(0.0, math.pi / 2), (0.7, -0.4), (-2.0, 0.0)])
def test_directions_are_uniform_on_a_cap(cap: float, middle: tuple[float, float]) -> None:
    azimuth, elevation = middle
    axis = np.array(
        [math.cos(elevation) * math.cos(azimuth), math.cos(elevation) * math.sin(azimuth), math.sin(elevation)]
    )
    v = draws(Direction(azimuth, elevation, cap, (2.0, 2.0)), 3)
    np.testing.assert_allclose(np.linalg.norm(v, axis=1), 2.0)
    height = v @ axis / 2
    assert stats.kstest(height, stats.uniform(math.cos(cap), 1 - math.cos(cap)).cdf).pvalue > 1e-3
    across = np.linalg.svd(axis[None])[2][1:]
    turn = np.arctan2(v @ across[0], v @ across[1])
    assert stats.kstest(turn, stats.uniform(-math.pi, 2 * math.pi).cdf).pvalue > 1e-3
    angles = draws(Direction(azimuth, elevation, cap), 2)
    a, e = angles[:, 0], angles[:, 1]
    back = np.column_stack([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])
    assert (back @ axis).min() >= math.cos(cap) - 1e-9
    assert stats.kstest(back @ axis, stats.uniform(math.cos(cap), 1 - math.cos(cap)).cdf).pvalue > 1e-3


def test_lengths_of_directions() -> None:
    length = np.linalg.norm(draws(Direction(length=(0.5, 1.5)), 3), axis=1)
    assert stats.kstest(length, stats.uniform(0.5, 1.0).cdf).pvalue > 1e-3


@pytest.mark.parametrize(("kelvin", "x", "y"), [(2856.0, 0.4476, 0.4074), (6504.0, 0.3135, 0.3237)])
def test_colours_of_black_bodies(kelvin: float, x: float, y: float) -> None:
    """Chromaticities of the Planckian locus: CIE illuminant A, and the point nearest to D65."""
    rgb = planck_rgb(np.array([kelvin]))[0]
    xyz = np.linalg.solve(
        [[3.2404542, -1.5371385, -0.4985314], [-0.9692660, 1.8760108, 0.0415560], [0.0556434, -0.2040259, 1.0572252]],
        rgb,
    )
    np.testing.assert_allclose(xyz[:2] / xyz.sum(), [x, y], atol=1e-3)
    assert xyz[1] == pytest.approx(1.0)


def test_a_warm_light_is_redder() -> None:
    lamps = Temperature(2700.0, 6500.0, 6500.0)
    warm, cold = lamps.quantile(np.array([[0.0] * 3, [1.0] * 3]))
    np.testing.assert_allclose(cold, 1.0)
    assert warm[0] > 1.5 > 1.0 > warm[1] > warm[2]


@pytest.mark.parametrize("name", BY_NAME)
def test_a_draw_grows_with_nothing_but_its_probability(name: str) -> None:
    one = EXAMPLES[name]
    assert type(one) is BY_NAME[name]
    u = np.random.default_rng(1).random((200, 3))
    whole = one.quantile(u)
    assert whole.shape == (200, 3)
    # Bit for bit, in any company: a world must not depend on its batch.
    for k in (0, 7, 199):
        assert one.quantile(u[k : k + 1]).tolist() == whole[k : k + 1].tolist()
    np.testing.assert_array_equal(one.quantile(u.reshape(2, 100, 3)).reshape(200, 3), whole)
    if name not in ("direction", "temperature"):
        ordered = one.quantile(np.linspace(0.001, 0.999, 500)[:, None])[:, 0].astype(float)
        assert (np.diff(ordered) >= 0).all()


@pytest.mark.parametrize(
    ("distribution", "text"),
    [
        (Fixed(0.3), "fixed 0.3"),
        (Fixed((0.3, 1.0)), "fixed [0.3, 1]"),
        (Uniform(0.1, 0.9), "uniform 0.1 to 0.9"),
        (Uniform((0.0, 1.0), (2.0, 3.0), 0.5), "uniform [0, 1] to [2, 3] in steps of 0.5"),
        (LogUniform(0.1, 10.0), "log-uniform 0.1 to 10"),
        (Normal(0.0, 0.02), "normal 0 +- 0.02"),
        (TruncatedNormal(0.0, 0.02, -0.01, 0.05), "normal 0 +- 0.02 within -0.01 to 0.05"),
        (LogNormal(100.0, 0.3), "log-normal 100, sigma 0.3"),
        (Beta(2.0, 5.0), "beta(2, 5) on 0 to 1"),
        (Triangular(0.0, 0.2, 1.0), "triangular 0 to 1 with its top at 0.2"),
        (Bernoulli(0.4), "true for 40 %"),
        (Choice(("a", 2, True)), "one of 3: a, 2, True"),
        (Choice(tuple("abcdefgh")), "one of 8: a, b, c, d, ..."),
        (Direction(cap_rad=0.3), "direction within 0.3 rad of azimuth 0, elevation 1.57"),
        (
            Direction(length=(0.0, 2.0)),
            "direction within 3.14 rad of azimuth 0, elevation 1.57, length 0 to 2",
        ),
        (Temperature(2700.0, 6500.0), "colour of 2700 to 6500 K"),
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
        (lambda: Uniform(0.0, 1.0, -0.1), "uniform needs step of 0 or more, got -0.1"),
        (lambda: LogUniform(2.0, 1.0), "loguniform needs low not above high, got 2 and 1"),
        (lambda: LogUniform(0.0, 1.0), "loguniform needs low above 0, got 0"),
        (lambda: Normal(0.0, -1.0), "normal needs std of 0 or more and limit above 0, got -1.0, 2.5"),
        (lambda: Normal(0.0, (1.0, -1.0)), "normal needs std of 0 or more"),
        (lambda: Normal(0.0, 1.0, 0.0), "normal needs std of 0 or more and limit above 0, got 1.0, 0"),
        (lambda: TruncatedNormal(0.0, 0.0, 0.0, 1.0), "truncated_normal needs std above 0, got 0"),
        (lambda: TruncatedNormal(0.0, 1.0, 1.0, 0.0), "truncated_normal needs low not above high, got 1 and 0"),
        (lambda: LogNormal(0.0, 1.0), "lognormal needs median above 0, got 0"),
        (lambda: LogNormal(1.0, -1.0), "lognormal needs sigma of 0 or more, got -1"),
        (lambda: Beta(0.0, 1.0), r"beta needs a and b above 0, got \[0, 1\]"),
        (lambda: Beta(1.0, 1.0, 2.0, 1.0), "beta needs low not above high, got 2 and 1"),
        (
            lambda: Triangular(0.0, 2.0, 1.0),
            r"triangular needs low not above mode not above high, got \[0, 2, 1\]",
        ),
        (lambda: Bernoulli(1.2), "bernoulli needs p between 0 and 1, got 1.2"),
        (lambda: Direction(cap_rad=4.0), "direction needs cap_rad between 0 and pi, got 4"),
        (lambda: Direction(length=(2.0, 1.0)), "direction needs low not above high, got 2 and 1"),
        (lambda: Temperature(20.0, 6500.0), "temperature needs kelvins between 1667 and 25000, got"),
        (lambda: Choice(()), "choice needs at least one option"),
        (
            lambda: Choice((1, 2), (1.0,)),
            r"choice needs one weight of 0 or more for each option, got \(1.0,\)",
        ),
        (lambda: Choice((1, 2), (1.0, -1.0)), "choice needs one weight of 0 or more"),
        (lambda: Choice((1, 2), (0.0, 0.0)), "choice needs one weight of 0 or more"),
        (lambda: draws(Uniform((0.0, 0.0), (1.0, 1.0)), 3), "uniform needs 3 elements, got 2"),
        (lambda: draws(Fixed((0.0, 0.0)), 1), "fixed needs 1 elements, got 2"),
        (lambda: draws(Choice(((1.0, 0.0),)), 3), "choice needs 3 elements, got 2"),
        (lambda: draws(Direction(), 1), "direction needs 2 or 3 elements, got 1"),
        (lambda: draws(Temperature(3000.0, 4000.0), 1), "temperature needs 3 elements, got 1"),
    ],
)
def test_what_cannot_be_drawn(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
