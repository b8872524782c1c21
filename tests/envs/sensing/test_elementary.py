import numpy as np
import pytest

from envs.sensing.elementary import cos_half_turns, exp2, log2, sin_half_turns
from envs.sensing.exact import kernel


@kernel
def every(x: np.ndarray, out: np.ndarray, which: int) -> None:
    for i in range(x.shape[0]):
        if which == 0:
            out[i] = log2(x[i])
        elif which == 1:
            out[i] = exp2(x[i])
        elif which == 2:
            out[i] = sin_half_turns(x[i])
        else:
            out[i] = cos_half_turns(x[i])


def values(x: np.ndarray, which: int) -> np.ndarray:
    out = np.empty_like(x)
    every(x, out, which)
    return out.astype(float)


def test_logarithm() -> None:
    x = np.geomspace(1e-30, 1e30, 20001).astype(np.float32)
    np.testing.assert_allclose(values(x, 0), np.log2(x.astype(float)), atol=4e-6, rtol=2e-7)
    assert values(np.ones(1, np.float32), 0) == 0


def test_exponential() -> None:
    x = np.linspace(-125, 125, 20001).astype(np.float32)
    np.testing.assert_allclose(values(x, 1), 2.0 ** x.astype(float), rtol=4e-6)
    assert values(np.array([-1e9], np.float32), 1)[0] == pytest.approx(2.0**-126, rel=1e-5)


def test_sine_and_cosine() -> None:
    x = np.linspace(-0.5, 0.5, 20001).astype(np.float32)
    np.testing.assert_allclose(values(x, 2), np.sin(np.pi * x.astype(float)), atol=2e-6)
    np.testing.assert_allclose(values(x, 3), np.cos(np.pi * x.astype(float)), atol=1e-5)
