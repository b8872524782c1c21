"""Noise of counted electrons."""

from __future__ import annotations

import numpy as np

from envs.sensing.light import Float
from envs.sensing.normal import gaussian

# Below, a normal distribution is too unlike Poisson's.
_FEW_E = 8.0


def counted(light: Float, full_well_e: float, read_noise_e: float, rng: np.random.Generator) -> Float:
    """Return light (any shape), 1 at full scale, after it was counted in electrons; below 0 where read noise led there.

    The linear model of EMVA 1288: the count is Poisson with mean light * `full_well_e`, plus normal read noise of
    standard deviation `read_noise_e`. From 8 electrons on, Poisson's distribution is replaced by the normal one of
    the same variance. Its variance grows with the signal, its share of the signal falls.
    """
    electrons = light * np.float32(full_well_e)
    noise = gaussian(light.shape, rng)
    few = electrons < np.float32(_FEW_E)
    exact = None
    if few.any():
        exact = rng.poisson(electrons[few]) + np.float32(read_noise_e) * noise[few]
    noise *= np.sqrt(electrons + np.float32(read_noise_e**2))
    electrons += noise
    if exact is not None:
        electrons[few] = exact
    electrons /= np.float32(full_well_e)
    return np.asarray(electrons, np.float32)
