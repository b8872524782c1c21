import numpy as np
import pytest

from calibration.optics import SensorParams
from envs.sensing import measure
from envs.sensing.light import light_of_levels
from envs.sensing.noise import counted


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
