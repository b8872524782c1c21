import numpy as np
import pytest

from calibration.optics import SensorParams
from envs.sensing import measure
from envs.sensing.light import light_of_levels
from envs.sensing.noise import counted, gaussian


@pytest.mark.parametrize("shape", [(120, 160, 3), (500, 700, 3)], ids=["from tables", "too large for them"])
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


@pytest.mark.parametrize("read_noise_e", [0.0, 12.0])
def test_photon_transfer(read_noise_e: float) -> None:
    # EMVA 1288, equation 15: variance is that of the dark, plus the mean.
    full = 4000.0
    rng = np.random.default_rng(0)
    for mean_e in (0.0, 1.0, 5.0, 7.9, 8.1, 50.0, 1000.0, 3000.0):
        light = np.full(60000, mean_e / full, np.float32)
        electrons = counted(light, full, read_noise_e, rng).astype(float) * full
        variance = mean_e + read_noise_e**2
        assert electrons.mean() == pytest.approx(mean_e, abs=4 * (variance / 60000) ** 0.5 + 1e-3)
        assert electrons.var() == pytest.approx(variance, rel=0.03)


def test_few_electrons_are_counted_as_whole_ones() -> None:
    electrons = counted(np.full(40000, 0.02, np.float32), 100.0, 0.0, np.random.default_rng(0)) * 100
    assert np.abs(electrons - np.round(electrons)).max() < 1e-4
    assert (np.round(electrons) == 0).mean() == pytest.approx(np.exp(-2), abs=0.01)


@pytest.mark.parametrize("level", [60, 128, 200])
def test_noise_of_a_grey_picture_in_light(level: int) -> None:
    out = measure(np.full((120, 160, 3), level, np.uint8), SensorParams(full_well_e=500.0, read_noise_e=4.0), 2)
    light = light_of_levels(out).astype(float)
    mean = float(light_of_levels(np.full((1, 1), level, np.uint8))[0, 0])
    assert light.mean() == pytest.approx(mean, rel=0.01)
    assert light.var() == pytest.approx((mean * 500 + 16) / 500**2, rel=0.04)


def test_more_electrons_are_less_noise() -> None:
    grey = np.full((60, 80, 3), 100, np.uint8)
    few, many = (measure(grey, SensorParams(full_well_e=e), 1).astype(float).std() for e in (500.0, 8000.0))
    assert few / many == pytest.approx(4.0, rel=0.1)
