import numpy as np
import pytest
from scipy import stats

from envs.sensing.normal import Stream, fill_normal, gaussian, key_of

PINNED = [-0.450066, -0.8484, 0.606001, -0.365922, 0.021916]


def numbers(seed: int, count: int = 57600, stream: Stream = Stream.NOISE) -> np.ndarray:
    out = np.empty(count + 31, np.float32)
    fill_normal(out, count, 0, *key_of(seed, stream), np.float32(1.0))
    return out[:count].astype(float)


@pytest.mark.parametrize("shape", [(120, 160, 3), (121, 83, 3), (500, 700, 3)])
def test_gaussian_values_are_normal_and_independent(shape: tuple[int, ...]) -> None:
    z = gaussian(shape, np.random.default_rng(3)).astype(float)
    assert z.shape == shape
    assert abs(z.mean()) < 0.02
    assert z.var() == pytest.approx(1.0, abs=0.03)
    assert (z**4).mean() == pytest.approx(3.0, abs=0.15)
    for other in (z[1:], z[:, 1:], z[..., 1:]):
        n = other.shape
        assert abs((z[: n[0], : n[1], : n[2]] * other).mean()) < 0.02


def test_pictures_have_unlike_noise() -> None:
    a, b = (gaussian((120, 160, 3), np.random.default_rng(seed)).ravel() for seed in (1, 2))
    spectrum = np.fft.rfft(a) * np.conj(np.fft.rfft(b))
    assert np.abs(np.fft.irfft(spectrum)[0] / len(a)) < 0.02
    again = gaussian((120, 160, 3), np.random.default_rng(1)).ravel()
    np.testing.assert_array_equal(again, a)


def test_a_million_numbers_follow_the_normal_distribution() -> None:
    z = np.concatenate([numbers(seed) for seed in range(20)])
    assert stats.kstest(z, "norm").pvalue > 0.01
    assert stats.skew(z) == pytest.approx(0.0, abs=4 * np.sqrt(6 / len(z)))
    assert stats.kurtosis(z) == pytest.approx(0.0, abs=5 * np.sqrt(24 / len(z)))
    beyond = 2 * stats.norm.sf(4.0) * len(z)
    assert abs((np.abs(z) > 4).sum() - beyond) < 5 * np.sqrt(beyond)


def test_seeds_streams_and_neighbours_have_nothing_in_common() -> None:
    z = np.stack([numbers(seed) for seed in (0, 1, 2, 3, 2**31, 2**32 - 1)] + [numbers(0, stream=Stream.GRAIN)])
    limit = 5 / np.sqrt(z.shape[1])
    for values in (z, z**2 - 1, np.abs(z) - np.sqrt(2 / np.pi)):
        normed = values / values.std(axis=1, keepdims=True)
        assert np.abs(normed @ normed.T / z.shape[1] - np.eye(len(z))).max() < limit
        for lag in (1, 2, 3, 83, 160, 240, 480, 28800):
            assert np.abs((normed[:, :-lag] * normed[:, lag:]).mean(axis=1)).max() < limit


def test_the_numbers_are_pinned_and_go_on_where_they_ended() -> None:
    z = numbers(7, 64)
    np.testing.assert_allclose(z[[0, 1, 31, 32, 63]], PINNED, atol=1e-6)
    low, high = key_of(7, Stream.NOISE)
    later = np.empty(32, np.float32)
    fill_normal(later, 32, 32, low, high, np.float32(1.0))
    np.testing.assert_array_equal(later[:16].astype(float), z[16:32])
    np.testing.assert_array_equal(later[16:].astype(float), z[48:])
